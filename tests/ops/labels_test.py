"""Labels of every dtype, as tensors and as arrays by one rule."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models import label_checks
from limit_tf.ops import labels as ops_labels

DTYPES = ("uint8", "int8", "uint16", "int32", "int64", "uint64", "float32")


class LabelsTest(parameterized.TestCase):
    @parameterized.parameters(*DTYPES)
    def test_more_classes_than_the_dtype_holds(self, dtype):
        values = np.array([0, 43, 44, 127], dtype)
        rows = ops_labels.label_distribution(values, 300).numpy()
        np.testing.assert_array_equal(rows.argmax(1), [0, 43, 44, 127])
        np.testing.assert_array_equal(rows.sum(1), np.ones(4))
        label_checks.check_labels(values, 300)

    @parameterized.parameters(*DTYPES)
    def test_classes_that_do_not_exist(self, dtype):
        values = np.array([0, 3, 100, 1], dtype)
        invalid = ops_labels.invalid_labels(tf.constant(values), 3).numpy()
        np.testing.assert_array_equal(invalid, [False, True, True, False])
        with self.assertRaisesRegex(ValueError, r": 2 invalid.*y\[1\]=3"):
            label_checks.check_labels(values, 3)

    def test_numbers_beyond_int64_and_int32(self):
        for value, dtype in ((2**64 - 1, "uint64"), (2**32 + 1, "int64")):
            values = np.array([value], dtype)
            rows = ops_labels.label_distribution(values, 3)
            self.assertTrue(np.isnan(rows).all())
            with self.assertRaises(ValueError):
                label_checks.check_labels(values, 3)

    def test_booleans_are_two_classes(self):
        values = np.array([True, False])
        rows = ops_labels.label_distribution(values, 2).numpy()
        np.testing.assert_array_equal(rows, [[0, 1], [1, 0]])
        label_checks.check_labels(values, 2)

    @parameterized.parameters("float16", "bfloat16", "float32", "float64")
    def test_floats(self, dtype):
        values = tf.cast([0.0, 1.5, np.nan, 2.0, np.inf, -1.0], dtype)
        invalid = ops_labels.invalid_labels(values, 3).numpy()
        wanted = [False, True, True, False, True, True]
        np.testing.assert_array_equal(invalid, wanted)
        with self.assertRaisesRegex(ValueError, r": 4 invalid.*y\[1\]=1.5"):
            label_checks.check_labels(values.numpy(), 3)

    @parameterized.parameters(("float16", 2**11), ("bfloat16", 2**8))
    def test_half_floats_of_many_classes(self, dtype, largest):
        values = tf.zeros(2, dtype)
        ops_labels.label_distribution(values, largest + 1)
        label_checks.check_labels(values, largest + 1)
        for refuse in (
            ops_labels.label_distribution,
            label_checks.check_labels,
        ):
            with self.assertRaisesRegex(ValueError, f"`y`.*{dtype}"):
                refuse(values, largest + 2)

    def test_soft_labels_by_both_rules(self):
        rows = np.array(
            [[1, 0], [0.5, 0.5], [0.9, 0.9], [np.nan, 1], [-1, 2], [np.inf, 0]],
            "float32",
        )
        invalid = ops_labels.invalid_labels(tf.constant(rows), 2).numpy()
        wanted = [False, False, True, True, True, True]
        np.testing.assert_array_equal(invalid, wanted)
        with self.assertRaisesRegex(ValueError, r": 4 invalid of 6.*y\[2\]"):
            label_checks.check_labels(rows, 2)

    def test_strings(self):
        with self.assertRaisesRegex(TypeError, "`y`.*StringLookup"):
            ops_labels.label_distribution(tf.constant(["a"]), 2)


if __name__ == "__main__":
    absltest.main()
