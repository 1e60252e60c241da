import pathlib

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import arrays


def toy_part(n=4, shape=(3, 2, 1), dtype=np.uint8):
    return np.arange(n * np.prod(shape)).reshape(n, *shape).astype(
        dtype
    ), np.arange(n) % 3


def toy_file():
    (x, y), (x_test, y_test) = toy_part(4), toy_part(3)
    return dict(x_train=x, y_train=y, x_test=x_test, y_test=y_test)


class FromArraysTest(parameterized.TestCase):
    def test_images_are_kept_as_they_are(self):
        source = data.from_arrays(toy_part(4), toy_part(3), name="mine")
        np.testing.assert_array_equal(source.train.images, toy_part(4)[0])
        self.assertEqual(source.train.labels.tolist(), [0, 1, 2, 0])
        self.assertEqual(source.test.example_ids.tolist(), [0, 1, 2])
        self.assertEqual(source.class_names, ("0", "1", "2"))
        self.assertEqual(source.name, "mine")
        self.assertEqual(source.pixel_mean, (0.456,))
        self.assertEqual(source.pixel_max, 255)
        self.assertFalse(source.labels_are_clean)
        self.assertIsNone(source.validation)

    def test_grey_images_need_no_axis_and_labels_may_be_a_column(self):
        x, y = toy_part(4, (3, 2))
        source = data.from_arrays((x, y[:, np.newaxis]), (x, y))
        self.assertEqual(source.train.images.shape, (4, 3, 2, 1))
        self.assertEqual(source.train.labels.tolist(), y.tolist())

    @parameterized.parameters(np.float16, np.float32, np.float64)
    def test_features_are_not_normalised(self, dtype):
        part = toy_part(4, (5,), dtype)
        source = data.from_arrays(part, part, validation=part)
        self.assertEqual(source.train.images.dtype, np.float32)
        self.assertEqual(source.validation.images.shape, (4, 5))
        self.assertIsNone(source.pixel_mean)
        self.assertIsNone(source.pixel_max)

    def test_identifiers_and_names_can_be_given(self):
        source = data.from_arrays(
            (*toy_part(4), ["a", "b", "c", "d"]),
            toy_part(3),
            class_names=np.array(["x", "y", "z", "unused"]),
        )
        self.assertEqual(
            source.train.example_ids.tolist(), ["a", "b", "c", "d"]
        )
        self.assertEqual(source.class_names, ("x", "y", "z", "unused"))

    def test_classes_of_all_parts_count(self):
        x, y = toy_part(4)
        source = data.from_arrays((x, y), (x, y), (x, y + 4))
        self.assertEqual(source.class_names, ("0", "1", "2", "4", "5", "6"))
        self.assertEqual(source.validation.labels.tolist(), [3, 4, 5, 3])

    def test_labels_are_positions_where_their_number_is_given(self):
        x, y = toy_part(4)
        source = data.from_arrays((x, y + 2), (x, y), num_classes=7)
        self.assertEqual(source.class_names, tuple("0123456"))
        self.assertEqual(source.train.labels.tolist(), [2, 3, 4, 2])
        with self.assertRaisesRegex(ValueError, "`labels`.*4 classes.*'4'"):
            data.from_arrays((x, y + 2), (x, y), num_classes=4)

    @parameterized.parameters(
        ([100234, 200111, 100234, 200111], ("100234", "200111")),
        ([1.0, 2.0, 1.0, 2.0], ("1", "2")),
        (["1", "2", " 1", "2 "], ("1", "2")),
        (np.array([1, "2", 1.0, "2.0"], object), ("1", "2")),
        (["dog", "10", "dog", "10"], ("10", "dog")),
    )
    def test_labels_are_names(self, labels, names):
        x, _ = toy_part(4)
        source = data.from_arrays((x, labels), (x, labels))
        self.assertEqual(source.class_names, names)
        self.assertEqual(sorted(source.train.labels), [0, 0, 1, 1])
        self.assertEqual(source.train.labels[0], source.train.labels[2])

    @parameterized.parameters(
        ([1, np.nan, 2, 1],),
        (["1", "nan", "2", "1"],),
        (np.array([1, None, 2, 1], object),),
    )
    def test_examples_without_a_label_are_left_out(self, labels):
        x, y = toy_part(4)
        source = data.from_arrays((x, labels), (x, [1, 2, 1, 2]))
        self.assertEqual(source.class_names, ("1", "2"))
        self.assertEqual(source.train.labels.tolist(), [0, 1, 0])
        self.assertEqual(source.train.example_ids.tolist(), [0, 2, 3])
        np.testing.assert_array_equal(source.train.images, x[[0, 2, 3]])
        self.assertEqual(source.left_out, {"without a label": ["1"]})

    @parameterized.parameters(
        (lambda x, y: (x,), TypeError, "`test`.*tuple"),
        (lambda x, y: x, TypeError, "`test`.*ndarray"),
        (lambda x, y: (x.astype(int), y), TypeError, "`x` of test.*int64"),
        (lambda x, y: (x[..., 0, 0], y), ValueError, r"`x` of test.*\(4, 3\)"),
        (
            lambda x, y: (np.tile(x, 4), y),
            ValueError,
            r"`x` of test.*\(4, 3, 2, 4\)",
        ),
        (lambda x, y: (x, y[:3]), ValueError, r"`y of test`.*\(4,\)"),
        (lambda x, y: (x, y - 1), ValueError, "`y of test`.*-1 at index 0"),
        (lambda x, y: (x, np.eye(4)), ValueError, "`y of test`.*shape"),
        (lambda x, y: (x, y, [1, 1, 2, 3]), ValueError, "`example_ids`"),
        (lambda x, y: (x[:, :2], y), ValueError, r"`test`.*\(2, 2, 1\)"),
        (lambda x, y: (x / 255, y), ValueError, "`test`.*float32"),
    )
    def test_bad_parts_are_refused(self, part, error, message):
        with self.assertRaisesRegex(error, message) as context:
            data.from_arrays(toy_part(4), part(*toy_part(4)))
        self.assertNotIn("\n", str(context.exception))

    def test_labels_beyond_the_names_are_refused(self):
        with self.assertRaisesRegex(ValueError, "test.labels.*2 at index 2"):
            data.from_arrays(toy_part(2), toy_part(3), class_names=("a", "b"))


class NpzTest(parameterized.TestCase):
    def load(self, compressed=False, **contents):
        file = pathlib.Path(self.create_tempdir().full_path) / "data.npz"
        (np.savez_compressed if compressed else np.savez)(file, **contents)
        return arrays.load(file)

    @parameterized.parameters(False, True)
    def test_arrays_are_those_of_the_file(self, compressed):
        x, y = toy_part(5)
        source = self.load(
            compressed,
            **toy_file(),
            x_validation=x,
            y_validation=y,
            ids_train=np.array(["a", "b", "č", "d"]),
            class_names=np.array(["x", "y", "z"]),
        )
        self.assertEqual(source.name, "arrays")
        np.testing.assert_array_equal(source.train.images, toy_part(4)[0])
        self.assertEqual(
            source.train.example_ids.tolist(), ["a", "b", "č", "d"]
        )
        self.assertLen(source.validation, 5)
        self.assertLen(source.test, 3)
        self.assertEqual(source.class_names, ("x", "y", "z"))

    @parameterized.parameters(
        ("y_train", "x_train and y_train"),
        ("x_test", "x_test and y_test"),
    )
    def test_missing_arrays_are_refused(self, name, message):
        contents = toy_file()
        del contents[name]
        with self.assertRaisesRegex(ValueError, f"`data_dir`.*{message}"):
            self.load(**contents)

    def test_arrays_that_mean_nothing_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`data_dir`.*: x_val in"):
            self.load(**toy_file(), x_val=toy_part(2)[0])
        with self.assertRaisesRegex(ValueError, "x_validation and y_valid"):
            self.load(**toy_file(), ids_validation=np.arange(2))

    def test_pickled_arrays_are_refused(self):
        contents = toy_file()
        contents["class_names"] = np.array(["x", "y", "z"], object)
        with self.assertRaisesRegex(ValueError, "`data_dir`.*pickled"):
            self.load(**contents)

    @parameterized.parameters(b"", b"no archive", b"PK\x03\x04 cut off")
    def test_other_files_are_refused(self, content):
        file = pathlib.Path(self.create_tempdir().full_path) / "data.npz"
        file.write_bytes(content)
        with self.assertRaisesRegex(ValueError, "`data_dir`.*npz") as context:
            arrays.load(file)
        self.assertNotIn("\n", str(context.exception))

    def test_single_arrays_are_refused(self):
        file = pathlib.Path(self.create_tempdir().full_path) / "data.npy"
        np.save(file, np.zeros(3))
        with self.assertRaisesRegex(ValueError, "`data_dir`.*npz"):
            arrays.load(file)

    def test_features_reach_the_batches(self):
        x, y = toy_part(20, (5,), np.float32)
        source = data.from_arrays((x, y), (x, y))
        splits = data.noisy_splits(
            source, np.eye(3), split_seed=0, noise_seed=0
        )
        batches = data.training_dataset(
            splits.train.images,
            splits.train.labels,
            batch_size=8,
            seed=0,
            epoch=0,
        )
        for features, labels in batches.as_numpy_iterator():
            self.assertEqual(features.dtype, np.float32)
            np.testing.assert_array_equal(features[:, 0] // 5 % 3, labels)


if __name__ == "__main__":
    absltest.main()
