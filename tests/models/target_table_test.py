"""The table of targets: its values, and what it costs."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models.target_table import TargetTable

NUM_EXAMPLES, NUM_CLASSES = 1_000_000, 14
MEGABYTES = 4 * NUM_EXAMPLES * NUM_CLASSES / 1e6
PROGRAM = "TARGET_TABLE_PROGRAM"  # Set in the environment of that program.


def updated_by(table):
    """Returns a function that moves the targets of a batch and keeps them."""

    def update(example_ids, probs):
        targets = table.moved(example_ids, probs)
        table.write(example_ids, targets)
        return targets

    return update


class TargetTableTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_rows_of_a_batch_move_and_others_do_not(self, jit_compile):
        # 0.75 * 0 + 0.25 * p, then 0.75 * 0.25 p + 0.25 p = 0.4375 p.
        table = TargetTable(4, 2, 0.75)
        update = tf.function(updated_by(table), jit_compile=jit_compile)
        ids, probs = tf.constant([2, 0]), tf.constant([[1.0, 0.0], [0.5, 0.5]])
        np.testing.assert_allclose(update(ids, probs), 0.25 * probs)
        np.testing.assert_allclose(update(ids, probs), 0.4375 * probs)
        np.testing.assert_allclose(
            table.targets,
            0.4375 * np.array([[0.5, 0.5], [0, 0], [1, 0], [0, 0]]),
        )

    @parameterized.parameters("uint8", "int32", "int64")
    def test_ids_of_any_integer_dtype(self, dtype):
        table = TargetTable(300, 2, 0.5)
        updated_by(table)(tf.constant([200], dtype), tf.constant([[0.0, 1.0]]))
        np.testing.assert_allclose(table.targets[200], [0.0, 0.5])

    def test_momentum_zero_keeps_the_last_prediction(self):
        table = TargetTable(1, 2, 0.0)
        for probs in ([[1.0, 0.0]], [[0.25, 0.75]]):
            updated_by(table)(tf.constant([0]), tf.constant(probs))
        np.testing.assert_array_equal(table.targets, [[0.25, 0.75]])

    @parameterized.product(
        wrong=(float("nan"), float("inf")), jit_compile=(False, True)
    )
    def test_prediction_that_is_not_finite_leaves_its_row(
        self, wrong, jit_compile
    ):
        table = TargetTable(2, 2, 0.5)
        update = tf.function(updated_by(table), jit_compile=jit_compile)
        ids = tf.constant([0, 1])
        update(ids, tf.constant([[0.25, 0.75], [1.0, 0.0]]))
        new = update(ids, tf.constant([[wrong, 0.5], [1.0, 0.0]]))
        expected = [[0.125, 0.375], [0.75, 0.0]]
        np.testing.assert_array_equal(new, expected)
        np.testing.assert_array_equal(table.targets, expected)

    @parameterized.parameters(-1, 2)
    def test_unchecked_id_outside_shows_where_no_error_is_raised(self, wrong):
        table = TargetTable(2, 2, 0.5)
        update = tf.function(updated_by(table), jit_compile=True)
        new = update(
            tf.constant([0, wrong]), tf.constant([[0.5, 0.5], [1.0, 0.0]])
        )
        np.testing.assert_array_equal(new, [[0.25, 0.25], [np.nan, np.nan]])
        np.testing.assert_array_equal(table.targets, [[0.25, 0.25], [0.0, 0.0]])

    def test_no_gradient_flows_through_the_targets(self):
        table = TargetTable(1, 2, 0.5)
        probs = tf.constant([[0.5, 0.5]])
        with tf.GradientTape() as tape:
            tape.watch(probs)
            targets = updated_by(table)(tf.constant([0]), probs)
        self.assertIsNone(tape.gradient(targets, probs))

    @parameterized.parameters("mixed_float16", "mixed_bfloat16", "float64")
    def test_table_is_float32_whatever_the_policy(self, policy):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            table = TargetTable(1, 2, 0.5)
        finally:
            keras.config.set_dtype_policy(before)
        self.assertEqual(table.targets.dtype, "float32")
        self.assertEqual(table.targets.value.dtype, tf.float32)


class MemoryTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_training_keeps_one_copy_of_a_large_table(self):
        if not os.path.exists("/proc/self/status"):
            self.skipTest("peak memory is read from Linux's /proc")
        result = subprocess.run(
            [sys.executable, __file__],
            env={
                **os.environ,
                PROGRAM: "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        peaks = [float(line) for line in result.stdout.splitlines()[-3:]]
        start, with_one, with_both = np.array(peaks) / MEGABYTES
        # A table and its initial zeros at most; a step that copied the table
        # would hold the old one, the new one and more.
        self.assertLess(with_one - start, 2.5)
        self.assertLess(with_both - with_one, 2.5)
        self.assertGreater(with_both - start, 1.5)


def train(num_examples, jit_compile):
    """Trains a model with a table of this size for some steps."""
    from limit_tf import models

    classifier = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(NUM_CLASSES)]
    )
    model = models.ElrModel(classifier, num_examples)
    model.compile("adam", jit_compile=jit_compile)
    x = np.zeros((64, 8), "float32")
    y = np.arange(64) % NUM_CLASSES
    ids = np.linspace(0, num_examples - 1, 64).astype("int64")
    for _ in range(20):
        model.train_on_batch({"inputs": x, "example_ids": ids}, y)
    return model


def print_peak_memory():
    status = pathlib.Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e3)


def main():
    """Prints peaks in megabytes: small tables, a large one, two large ones."""
    alive = [train(1_000, jit_compile) for jit_compile in (False, True)]
    print_peak_memory()
    for jit_compile in (False, True):
        alive.append(train(NUM_EXAMPLES, jit_compile))
        print_peak_memory()


if __name__ == "__main__":
    main() if PROGRAM in os.environ else absltest.main()
