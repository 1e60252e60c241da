import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import folder

_ENCODERS = {
    ".jpg": tf.io.encode_jpeg,
    ".jpeg": tf.io.encode_jpeg,
    ".JPG": tf.io.encode_jpeg,
    ".png": tf.io.encode_png,
}


def write_images(root, *names, value=0):
    """Writes images of 6x5 pixels of one value."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((6, 5, 3), value, np.uint8)
        path.write_bytes(_ENCODERS[path.suffix](image).numpy())


def labels_by_id(part):
    return dict(
        zip(part.example_ids.tolist(), part.labels.tolist(), strict=True)
    )


class FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def load(self, **kwargs):
        return folder.load(self.root, (4, 4), **kwargs)

    def write_parts(self):
        write_images(
            self.root,
            "train/dog/2.jpg",
            "train/dog/1.png",
            "train/cat/breed/3.JPG",
            "train/cat/4.jpeg",
            "test/cat/5.jpg",
            "test/dog/6.jpg",
        )

    def test_parts_are_the_folders_of_that_name(self):
        self.write_parts()
        write_images(self.root, "validation/dog/7.jpg")
        source = self.load()
        self.assertEqual(source.name, "folder")
        self.assertEqual(source.class_names, ("cat", "dog"))
        self.assertEqual(
            labels_by_id(source.train),
            {
                "train/cat/4.jpeg": 0,
                "train/cat/breed/3.JPG": 0,
                "train/dog/1.png": 1,
                "train/dog/2.jpg": 1,
            },
        )
        self.assertEqual(
            labels_by_id(source.test),
            {"test/cat/5.jpg": 0, "test/dog/6.jpg": 1},
        )
        self.assertEqual(
            labels_by_id(source.validation), {"validation/dog/7.jpg": 1}
        )
        self.assertFalse(source.labels_are_clean)

    def test_other_files_and_hidden_ones_are_ignored(self):
        self.write_parts()
        before = labels_by_id(self.load().train)
        (self.root / "train/dog/notes.txt").write_text("")
        (self.root / "train/loose.jpg").write_text("")
        (self.root / "train/dog/.hidden.jpg").write_text("")
        (self.root / "train/.hidden").mkdir()
        write_images(self.root, "train/dog/.thumbnails/1.jpg")
        self.assertEqual(labels_by_id(self.load().train), before)

    def test_classes_at_the_top_are_split(self):
        names = [f"{name}/{i}.jpg" for name in "ab" for i in range(10)]
        write_images(self.root, *names)
        source = self.load()
        self.assertLen(source.train, 16)
        self.assertLen(source.test, 4)
        self.assertIsNone(source.validation)
        self.assertEqual(
            labels_by_id(source.train) | labels_by_id(source.test),
            {name: int(name[0] == "b") for name in names},
        )
        self.assertLen(self.load(test_fraction=0.5).test, 10)

    def test_order_does_not_depend_on_the_file_system(self):
        names = [f"{name}/{i}.jpg" for name in "ab" for i in range(10)]
        write_images(self.root, *names)
        other = pathlib.Path(self.create_tempdir().full_path)
        write_images(other, *reversed(names))
        first, second = self.load(), folder.load(other, (4, 4))
        for part in ("train", "test"):
            self.assertEqual(
                getattr(first, part).example_ids.tolist(),
                getattr(second, part).example_ids.tolist(),
            )

    def test_names_may_be_unicode_and_have_spaces(self):
        write_images(
            self.root,
            "train/čaj zelený/小 1.jpg",
            "train/b/1.jpg",
            "test/b/2.jpg",
        )
        source = self.load()
        self.assertEqual(source.class_names, ("b", "čaj zelený"))
        self.assertEqual(
            source.train.example_ids.tolist(),
            ["train/b/1.jpg", "train/čaj zelený/小 1.jpg"],
        )

    def test_names_in_another_encoding_are_refused(self):
        self.write_parts()
        name = os.fsencode(self.root) + b"/train/dog/\xe9.jpg"
        with open(name, "wb"):
            pass
        with self.assertRaisesRegex(ValueError, r"`data_dir`.*xe9\.jpg"):
            self.load()

    def test_class_folder_may_be_a_link(self):
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        write_images(elsewhere, "1.jpg")
        self.write_parts()
        os.symlink(elsewhere, self.root / "train/emu")
        self.assertIn("train/emu/1.jpg", self.load().train.example_ids)

    def test_a_part_may_lack_a_class_but_not_add_one(self):
        self.write_parts()
        write_images(self.root, "validation/dog/7.jpg")
        self.assertLen(self.load().class_names, 2)
        write_images(self.root, "test/emu/8.jpg")
        with self.assertRaisesRegex(ValueError, "same classes.*emu.*test"):
            self.load()

    def test_wrong_trees_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`data_dir`.*none in"):
            self.load()
        write_images(self.root, "train/dog/1.jpg")
        with self.assertRaisesRegex(ValueError, "train and test.*only train"):
            self.load()
        (self.root / "test/dog").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "`data_dir`.*none in .*test"):
            self.load()
        with self.assertRaisesRegex(FileNotFoundError, "`data_dir`.*nowhere"):
            folder.load("nowhere", (4, 4))

    def test_test_fraction_is_refused_where_there_is_a_test_part(self):
        self.write_parts()
        with self.assertRaisesRegex(ValueError, "`test_fraction`.*0.2"):
            self.load(test_fraction=0.2)

    def test_unreadable_images_are_left_out_after_the_hold_out(self):
        names = [f"{name}/{i}.jpg" for name in "ab" for i in range(10)]
        write_images(self.root, *names)
        whole = self.load()
        (self.root / "a/0.jpg").write_bytes(b"")
        part = self.load(max_unreadable=0.05)
        self.assertEqual(
            labels_by_id(whole.train).keys() | labels_by_id(whole.test).keys(),
            labels_by_id(part.train).keys()
            | labels_by_id(part.test).keys()
            | {"a/0.jpg"},
        )
        self.assertLessEqual(
            labels_by_id(part.test).keys(), labels_by_id(whole.test).keys()
        )
        with self.assertRaisesRegex(ValueError, "`max_unreadable`.*1 of 20"):
            self.load(max_unreadable=0.04)

    def test_images_reach_the_batches(self):
        for i, name in enumerate("abc"):
            paths = [f"{name}/{j}.png" for j in range(10)]
            write_images(self.root, *paths, value=100 * i)
        source = self.load(train_size=(5, 5))
        splits = data.noisy_splits(
            source, np.eye(3), split_seed=0, noise_seed=0
        )
        self.assertIsNone(splits.train.clean_labels)
        batches = data.training_dataset(
            splits.train.images,
            splits.train.labels,
            batch_size=8,
            seed=0,
            epoch=0,
        )
        for images, labels in batches.as_numpy_iterator():
            self.assertEqual(images.shape[1:], (5, 5, 3))
            np.testing.assert_array_equal(images.mean((1, 2, 3)), 100 * labels)


if __name__ == "__main__":
    absltest.main()
