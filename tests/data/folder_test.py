import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image

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

    def test_what_is_skipped_is_counted_in_one_warning(self):
        self.write_parts()
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        write_images(elsewhere, "8.jpg")
        os.symlink(elsewhere, self.root / "train/dog/more")
        os.symlink(self.root / "train", self.root / "train/dog/loop")
        for name in ("a.tif", "b.TIF", "c.txt", "noise"):
            (self.root / "train/cat" / name).write_text("")
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._1.png"):
            (self.root / "train/dog" / name).write_text("")
        (self.root / "train/loose.jpg").write_text("")
        write_images(self.root, "train/dog/1.jpg", "Extra/1.jpg")
        for name in ("bird", "__MACOSX", "@eaDir", ".ipynb_checkpoints"):
            (self.root / "train" / name).mkdir()
        with self.assertLogs("absl", "WARNING") as logs:
            source = self.load()
        self.assertEqual(source.class_names, ("cat", "dog"))
        self.assertIn("train/dog/more/8.jpg", source.train.example_ids)
        self.assertLen(source.train, 6)
        self.assertEqual(
            source.skipped.to_dict(),
            {
                "files": {".tif": 2, ".txt": 1, "no suffix": 1},
                "loose_files": 1,
                "folders": ["Extra"],
                "classes_without_images": ["train/bird"],
                "linked_folders": ["train/dog/more"],
                "loops": ["train/dog/loop"],
                "same_names": 1,
            },
        )
        self.assertLen(logs.output, 1)
        for text in (
            "4 files of other kinds (2 .tif, 1 .txt, 1 no suffix)",
            "1 classes without images (train/bird)",
            "1 linked folders are followed (train/dog/more)",
            "1 links back to folders that are read (train/dog/loop)",
        ):
            self.assertIn(text, logs.output[0])

    def test_nothing_is_said_where_nothing_is_skipped(self):
        self.write_parts()
        with self.assertNoLogs("absl", "WARNING"):
            skipped = self.load().skipped
        self.assertEqual(skipped.to_dict(), {})

    @parameterized.parameters(
        ("Train", "TEST", "Val"), ("training", "Testing", "valid")
    )
    def test_parts_may_have_other_names(self, train, test, validation):
        write_images(
            self.root, f"{train}/a/1.jpg", f"{test}/a/2.jpg", f"{train}/b/1.jpg"
        )
        write_images(self.root, f"{validation}/b/3.jpg")
        source = self.load()
        self.assertEqual(source.class_names, ("a", "b"))
        self.assertEqual(labels_by_id(source.test), {f"{test}/a/2.jpg": 0})
        self.assertEqual(
            labels_by_id(source.validation), {f"{validation}/b/3.jpg": 1}
        )

    def test_a_part_twice_is_refused(self):
        self.write_parts()
        write_images(self.root, "Training/cat/1.jpg")
        with self.assertRaisesRegex(
            ValueError, "`data_dir`.*Training and train for train"
        ):
            self.load()

    def test_valid_and_invalid_may_be_classes(self):
        names = [f"{c}/{i}.jpg" for c in ("valid", "invalid") for i in "123"]
        write_images(self.root, *names)
        self.assertEqual(self.load().class_names, ("invalid", "valid"))

    def test_classes_that_look_alike_are_named(self):
        names = [f"{c}/{i}.jpg" for c in ("Cat", "cat", "dog") for i in "123"]
        write_images(self.root, *names)
        with self.assertLogs("absl", "WARNING") as logs:
            self.assertLen(self.load().class_names, 3)
        self.assertIn("similar names (Cat and cat)", logs.output[0])

    def test_all_suffixes_of_what_is_decoded_are_read(self):
        image = Image.fromarray(np.full((6, 5, 3), 99, np.uint8))
        kinds = {"jfif": "JPEG", "JPE": "JPEG", "webp": "WEBP", "dib": "BMP"}
        for suffix, kind in kinds.items():
            for name in "ab":
                path = self.root / name / f"1.{suffix}"
                path.parent.mkdir(exist_ok=True)
                image.save(path, kind)
        source = self.load()
        self.assertLen(labels_by_id(source.train), 6)
        self.assertEqual(source.unreadable, {})

    def test_a_folder_of_other_files_says_which(self):
        (self.root / "a").mkdir()
        (self.root / "a/1.tif").write_text("")
        with self.assertRaisesRegex(ValueError, "none in .* among 1 .tif"):
            self.load()

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
