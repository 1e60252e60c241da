import pathlib

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data


class LoadTest(parameterized.TestCase):
    def arrays_file(self):
        file = pathlib.Path(self.create_tempdir().full_path) / "data.npz"
        x, y = np.zeros((6, 4, 4, 1), np.uint8), np.arange(6) % 2
        np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
        return file

    def labels_file(self, ids):
        file = pathlib.Path(self.create_tempdir().full_path) / "labels.csv"
        file.write_text("id,label\n" + "".join(f"{i},1\n" for i in ids))
        return file

    @parameterized.parameters(
        ("digits", dict(image_size=(16, 16)), "image_size"),
        ("digits", dict(data_dir="somewhere"), "data_dir"),
        ("arrays", dict(data_dir="x.npz", test_fraction=0.5), "test_fraction"),
        ("clothing1m", dict(data_dir="x", test_fraction=0.5), "test_fraction"),
        ("arrays", dict(data_dir="x", train_size=(8, 8)), "train_size"),
        ("csv", dict(data_dir="x", stream=True), "stream"),
        ("csv", dict(data_dir="x", label_key="label"), "label_key"),
        ("mnist", dict(tfrecord={"image_key": "image"}), "tfrecord"),
        ("digits", dict(mispelt=3), "mispelt"),
    )
    def test_options_of_other_sources_are_refused(self, name, options, key):
        with self.assertRaisesRegex(
            ValueError, f"`{key}` does not belong to the data set '{name}'"
        ):
            data.load(name, **options)

    @parameterized.parameters(
        ("folder", {}, "data_dir"),
        ("folder", dict(data_dir="x"), "image_size"),
        ("csv", dict(data_dir="x"), "image_size"),
        ("arrays", {}, "data_dir"),
        ("tfrecord", {}, "data_dir"),
        ("clothing1m", {}, "data_dir"),
    )
    def test_missing_options_are_named(self, name, options, key):
        with self.assertRaisesRegex(
            ValueError, f"`{key}` is needed by the data set '{name}'"
        ):
            data.load(name, **options)

    def test_none_counts_as_not_given(self):
        source = data.load("digits", label_key=None, tfrecord=None)
        self.assertLen(source.train, 1300)

    def test_options_reach_the_source(self):
        source = data.load("arrays", data_dir=self.arrays_file())
        self.assertEqual(source.num_classes, 2)

    def test_labels_of_a_file_wait_for_the_split(self):
        source = data.load("digits", labels_file=self.labels_file([3, 1]))
        self.assertIsNone(source.train.given_labels)
        self.assertLen(source.train, 1300)
        self.assertEqual(list(source.labels_file.rows), ["3", "1"])
        self.assertEqual(source.labels_file.labels.tolist(), [1, 1])

    def test_missing_file_of_labels_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "`labels_file`.*none"):
            data.load("digits", labels_file="none.csv")

    def test_labels_come_from_one_place_only(self):
        with self.assertRaisesRegex(
            ValueError, "`labels_file`.*`label_key`.*='worse_label'.*csv'$"
        ) as context:
            data.load(
                "cifar10_n",
                label_key="worse_label",
                labels_file=self.labels_file([0]),
            )
        self.assertNotIn("\n", str(context.exception))


if __name__ == "__main__":
    absltest.main()
