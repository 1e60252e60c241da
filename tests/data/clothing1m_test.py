import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import clothing1m

_SMALL = dict(image_size=(4, 4), train_size=(6, 6))


def image_name(i):
    return f"images/{i % 10}/{i % 3:02d}/{1000 + i},{i}.jpg"


class Clothing1mTest(parameterized.TestCase):
    """30 noisy images, of which the last five also have a clean label."""

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        for i in range(50):
            path = self.root / image_name(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            image = np.full((9, 7, 3), 10 * (i % 14), np.uint8)
            path.write_bytes(tf.io.encode_jpeg(image).numpy())

    def write(self, name, lines):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines))

    def write_key_lists(self, folder=""):
        noisy, clean = range(30), range(25, 50)
        self.write(
            folder + "noisy_label_kv.txt",
            [f"{image_name(i)} {i % 14}" for i in noisy],
        )
        self.write(
            folder + "clean_label_kv.txt",
            [f"{image_name(i)} {(i + 1) % 14}" for i in clean],
        )
        for name, numbers in (
            ("noisy_train", reversed(noisy)),
            ("clean_val", range(30, 40)),
            ("clean_test", range(40, 50)),
        ):
            self.write(f"{folder}{name}_key_list.txt", map(image_name, numbers))

    def write_labelled_lists(self, folder=""):
        for name, numbers, shift in (
            ("noisy_train", reversed(range(30)), 0),
            ("clean_val", range(30, 40), 1),
            ("clean_test", range(40, 50), 1),
        ):
            self.write(
                f"{folder}{name}.txt",
                [f"{image_name(i)} {(i + shift) % 14}" for i in numbers],
            )

    def load(self, **kwargs):
        return clothing1m.load(self.root, **{**_SMALL, **kwargs})

    def check(self, source):
        for part, numbers, shift in (
            (source.train, reversed(range(30)), 0),
            (source.validation, range(30, 40), 1),
            (source.test, range(40, 50), 1),
        ):
            numbers = list(numbers)
            self.assertEqual(
                part.example_ids.tolist(), [image_name(i) for i in numbers]
            )
            self.assertEqual(
                part.labels.tolist(), [(i + shift) % 14 for i in numbers]
            )
            self.assertEqual(
                list(part.images.paths),
                [str(self.root / image_name(i)) for i in numbers],
            )

    @parameterized.parameters("", "annotations/")
    def test_the_authors_lists_are_read_in_order(self, folder):
        self.write_key_lists(folder)
        source = self.load()
        self.check(source)
        self.assertEqual(source.name, "clothing1m")
        self.assertEqual(source.num_classes, 14)
        self.assertEqual(source.class_names[0], "T-Shirt")
        self.assertEqual(source.class_names[-1], "Underwear")
        self.assertFalse(source.labels_are_clean)
        self.assertEqual(source.pixel_mean, (0.485, 0.456, 0.406))
        self.assertEmpty(source.unreadable)

    @parameterized.parameters("", "annotations/")
    def test_lists_with_labels_are_read_in_order(self, folder):
        self.write_labelled_lists(folder)
        self.check(self.load())

    def test_the_size_is_that_of_the_paper_by_default(self):
        self.write_key_lists()
        images = clothing1m.load(self.root, check_images=False).train.images
        self.assertEqual(images.shape, (30, 224, 224, 3))
        self.assertIsNone(images.train_size)

    def test_names_of_classes_come_from_their_file(self):
        self.write_key_lists()
        names = [f"name {i}" for i in range(14)]
        self.write("category_names_eng.txt", names)
        self.assertEqual(self.load().class_names, tuple(names))
        self.write("category_names_eng.txt", names[1:])
        with self.assertRaisesRegex(ValueError, "`data_dir`.*14.*: 13 in"):
            self.load()

    @parameterized.parameters(
        "noisy_train_key_list.txt",
        "clean_val_key_list.txt",
        "clean_test_key_list.txt",
        "noisy_label_kv.txt",
        "clean_label_kv.txt",
    )
    def test_missing_file_is_named_with_the_way_to_get_it(self, name):
        self.write_key_lists()
        (self.root / name).unlink()
        with self.assertRaisesRegex(
            FileNotFoundError, f"`data_dir` must have {name}.*Cysu/noisy_label"
        ) as context:
            self.load()
        self.assertNotIn("\n", str(context.exception))

    def test_missing_folders_are_named_with_the_way_to_get_them(self):
        with self.assertRaisesRegex(FileNotFoundError, "noisy_train_key.*Cysu"):
            self.load()
        with self.assertRaisesRegex(FileNotFoundError, "nowhere.*Cysu"):
            clothing1m.load("nowhere")
        empty = self.create_tempdir().full_path
        with self.assertRaisesRegex(FileNotFoundError, "images.*Cysu"):
            clothing1m.load(empty)

    @parameterized.parameters(
        "images/0/00/1000,0.jpg 14",
        "images/0/00/1000,0.jpg -1",
        "images/0/00/1000,0.jpg shirt",
        "images/0/00/1000,0.jpg",
        "3",
    )
    def test_bad_labels_are_refused(self, line):
        self.write_key_lists()
        self.write("clean_label_kv.txt", ["a.jpg 13", line])
        with self.assertRaisesRegex(
            ValueError, r"`data_dir`.*\[0, 13\].*line 2 of .*clean_label_kv"
        ):
            self.load()

    def test_an_image_without_a_label_is_refused(self):
        self.write_key_lists()
        self.write("clean_val_key_list.txt", [image_name(30), image_name(3)])
        with self.assertRaisesRegex(ValueError, "1003,3.jpg', line 2 of .*val"):
            self.load()

    def test_an_empty_list_is_refused(self):
        self.write_key_lists()
        self.write("clean_test_key_list.txt", [])
        with self.assertRaisesRegex(ValueError, "at least one image.*test_key"):
            self.load()

    def test_unreadable_images_are_left_out_up_to_a_share(self):
        self.write_key_lists()
        (self.root / image_name(3)).unlink()
        (self.root / image_name(41)).write_bytes(b"no image")
        with self.assertRaisesRegex(ValueError, "`max_unreadable`.*2 of 50"):
            self.load()
        source = self.load(max_unreadable=0.04)
        self.assertLen(source.train, 29)
        self.assertLen(source.validation, 10)
        self.assertLen(source.test, 9)
        self.assertEqual(
            set(source.unreadable),
            {str(self.root / image_name(i)) for i in (3, 41)},
        )
        self.assertEmpty(self.load(check_images=False).unreadable)

    def test_images_reach_the_batches(self):
        self.write_key_lists()
        splits = data.noisy_splits(
            self.load(), np.eye(14), split_seed=0, noise_seed=0
        )
        self.assertLen(splits.train, 30)
        self.assertLen(splits.validation, 10)
        batches = data.training_dataset(
            splits.train.images,
            splits.train.labels,
            batch_size=8,
            seed=0,
            epoch=0,
        )
        for images, labels in batches.as_numpy_iterator():
            self.assertEqual(images.shape[1:], (6, 6, 3))
            np.testing.assert_allclose(
                images.mean((1, 2, 3)), 10 * labels, atol=2
            )


if __name__ == "__main__":
    absltest.main()
