import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import labelled_files
from limit_tf.data.labelled_files import FileOptions


def write_image(path, value=0):
    """Writes a grey-looking RGB image of 6x5 pixels."""
    image = np.full((6, 5, 3), value, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_jpeg(image).numpy())


def options(**kwargs):
    return FileOptions(**{"image_size": (4, 4), **kwargs})


class FileOptionsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        for i in range(8):
            write_image(self.root / f"{i}.jpg", 10 * i)

    def source(self, **kwargs):
        chosen = options(**kwargs)
        names = [f"{i}.jpg" for i in range(8)]
        return chosen.source(
            "toy",
            {
                "train": chosen.image_data(
                    self.root, names[:5], [0, 1, 0, 1, 0], names[:5]
                ),
                "test": chosen.image_data(
                    self.root, names[5:], [0, 1, 1], names[5:]
                ),
            },
            ("a", "b"),
        )

    def break_images(self):
        """Makes three images unreadable: one missing, empty and cut off."""
        (self.root / "1.jpg").unlink()
        (self.root / "3.jpg").write_bytes(b"")
        whole = (self.root / "6.jpg").read_bytes()
        (self.root / "6.jpg").write_bytes(whole[: len(whole) // 2])

    def test_labels_are_not_taken_to_be_true(self):
        self.assertFalse(self.source().labels_are_clean)

    def test_images_have_the_asked_for_sizes(self):
        source = self.source(train_size=(6, 6), num_channels=1)
        self.assertEqual(source.train.images.shape, (5, 4, 4, 1))
        self.assertEqual(source.train.images.train_size, (6, 6))
        self.assertEqual(
            (source.pixel_mean, source.pixel_std), ((0.456,), (0.224,))
        )
        self.assertLen(self.source().pixel_mean, 3)

    def test_few_unreadable_images_are_left_out_and_listed(self):
        self.break_images()
        source = self.source(max_unreadable=3 / 8)
        self.assertEqual(
            source.train.example_ids.tolist(), ["0.jpg", "2.jpg", "4.jpg"]
        )
        self.assertEqual(source.train.labels.tolist(), [0, 0, 0])
        self.assertEqual(source.test.example_ids.tolist(), ["5.jpg", "7.jpg"])
        self.assertEqual(
            [pathlib.Path(path).name for path in source.unreadable],
            ["1.jpg", "3.jpg", "6.jpg"],
        )
        self.assertEqual(
            list(source.unreadable.values())[:2], ["missing", "empty"]
        )

    def test_more_unreadable_images_are_refused(self):
        self.break_images()
        with self.assertRaisesRegex(ValueError, "`max_unreadable`.*3 of 8"):
            self.source(max_unreadable=0.3)

    def test_a_part_without_readable_images_is_refused(self):
        for i in range(5, 8):
            (self.root / f"{i}.jpg").unlink()
        with self.assertRaisesRegex(ValueError, "none of 3 for test"):
            self.source(max_unreadable=1.0)

    def test_check_can_be_left_out(self):
        self.break_images()
        source = self.source(check_images=False)
        self.assertLen(source.train, 5)
        self.assertEmpty(source.unreadable)

    @parameterized.parameters(
        (dict(image_size=None), TypeError, "`image_size`"),
        (dict(image_size=(0, 4)), ValueError, "`image_size`"),
        (dict(train_size=(4, 3)), ValueError, "`train_size`"),
        (dict(num_channels=2), ValueError, "`num_channels`"),
        (dict(max_unreadable=1.5), ValueError, "`max_unreadable`"),
        (dict(max_unreadable=np.nan), ValueError, "`max_unreadable`"),
        (dict(max_unreadable="0.1"), TypeError, "`max_unreadable`"),
        (dict(check_images=1), TypeError, "`check_images`"),
    )
    def test_bad_options_are_refused_at_once(self, kwargs, error, message):
        with self.assertRaisesRegex(error, message):
            options(**kwargs)


class HoldOutTest(parameterized.TestCase):
    def hold_out(self, n, fraction=None, labels=None, **kwargs):
        names = [f"{i}.jpg" for i in range(n)]
        if labels is None:
            labels = np.zeros(n, int)
        data = options().image_data(".", names, labels, np.arange(n))
        parts = labelled_files.hold_out_test(data, fraction, **kwargs)
        return [parts[name].example_ids.tolist() for name in ("train", "test")]

    def test_a_fifth_is_held_out_by_default(self):
        train, test = self.hold_out(10)
        self.assertEqual(sorted(train + test), list(range(10)))
        # Written down once: reported accuracies depend on it.
        self.assertEqual(test, [5, 7])
        _, test = self.hold_out(10, stratify=False)
        self.assertEqual(test, [4, 6])

    def test_each_class_gives_its_share_and_keeps_two(self):
        labels = np.repeat(np.arange(5), [1, 2, 3, 10, 100])
        train, test = self.hold_out(116, labels=labels)
        self.assertEqual(
            np.bincount(labels[test], minlength=5).tolist(), [0, 0, 1, 2, 20]
        )
        self.assertEqual(np.bincount(labels[train]).tolist(), [1, 2, 2, 8, 80])

    def test_order_is_kept(self):
        for part in self.hold_out(20, 0.5):
            self.assertLen(part, 10)
            self.assertEqual(part, sorted(part))

    def test_a_part_without_images_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`test_fraction`.*of 2"):
            self.hold_out(2)

    @parameterized.parameters(
        (0.0, ValueError, r"`test_fraction`.*\(0, 1\)"),
        (1.0, ValueError, "`test_fraction`"),
        (True, TypeError, "`test_fraction`"),
    )
    def test_bad_fractions_are_refused(self, fraction, error, message):
        with self.assertRaisesRegex(error, message):
            labelled_files.check_test_fraction(fraction, has_test=False)


class DataDirTest(absltest.TestCase):
    def test_wrong_paths_are_refused(self):
        folder = self.create_tempdir().full_path
        for path, kind in ((folder, "file"), (folder + "/no", "folder")):
            with self.assertRaisesRegex(
                FileNotFoundError, f"`data_dir`.*{kind}"
            ):
                labelled_files.check_path(path, kind)
        with self.assertRaisesRegex(TypeError, "`data_dir`.*3"):
            labelled_files.check_path(3, "file")


if __name__ == "__main__":
    absltest.main()
