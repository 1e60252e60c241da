"""The baselines' steps under tf.distribute."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tests import testing


def run_on(strategy, method, data, **kwargs):
    """Trains and evaluates a model; returns it and what it reported."""
    with strategy.scope():
        model = testing.compiled(
            testing.toy_model(
                method,
                seed=1,
                network={"batch_norm": False},
                num_examples=20,
                **kwargs,
            ),
            keras.optimizers.SGD(0.1),
            weighted_metrics=["accuracy"],
        )
    history = model.fit(data, epochs=2, verbose=0).history
    return model, history, model.evaluate(data, verbose=0, return_dict=True)


class DistributionTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        if len(tf.config.list_logical_devices("CPU")) < 2:
            self.skipTest("two logical CPU devices are needed, see conftest")

    @parameterized.parameters(
        ("elr", {}),
        ("noisy_gradient", {"noise_std": 0.0}),
        ("soft_regularization", {}),
    )
    @pytest.mark.slow
    def test_two_replicas_train_as_one(self, method, arguments):
        # 12 examples a batch leave replicas with equal halves, the last batch
        # of 3 does not: the mean is over the global batch all the same.
        x, y = testing.toy_batch(seed=0, batch_size=15)
        inputs = x
        if method == "elr":
            inputs = testing.with_ids(x, np.arange(15)[::-1] + 3)
        data = tf.data.Dataset.from_tensor_slices((inputs, y)).batch(12)
        single, *expected = run_on(
            tf.distribute.get_strategy(), method, data, **arguments
        )
        mirrored, *logs = run_on(
            testing.two_replicas(), method, data, **arguments
        )
        np.testing.assert_allclose(
            testing.flat(mirrored), testing.flat(single), rtol=1e-4, atol=1e-6
        )
        for ours, theirs in zip(logs, expected, strict=True):
            self.assertEqual(set(ours), set(theirs))
            for name, value in theirs.items():
                np.testing.assert_allclose(
                    ours[name], value, rtol=1e-5, atol=1e-6, err_msg=name
                )
        if method == "elr":
            self.assert_copies_agree(mirrored.targets, single.targets)

    @pytest.mark.slow
    def test_all_copies_of_both_tables_and_averages_agree(self):
        # Mixup draws on each replica for itself, so one device is no
        # reference. Two visits leave targets that sum to 1 - 0.7^2.
        x, y = testing.toy_batch(seed=0, batch_size=15)
        data = tf.data.Dataset.from_tensor_slices(
            (testing.with_ids(x), y)
        ).batch(12)
        model, *_ = run_on(testing.two_replicas(), "elr_plus", data)
        for variable in model.weights:
            copies = copies_of(variable)
            self.assertLen(copies, 2)
            np.testing.assert_array_equal(*copies, err_msg=variable.path)
        for table in model.target_tables:
            filled = np.sum(table.targets.numpy(), -1)
            np.testing.assert_allclose(filled[:15], 1.0 - 0.7**2, rtol=1e-5)
            np.testing.assert_array_equal(filled[15:], 0.0)

    def assert_copies_agree(self, targets, expected):
        copies = copies_of(targets)
        self.assertLen(copies, 2)
        for copy in copies:
            np.testing.assert_allclose(copy, expected.numpy(), atol=1e-6)
        self.assertGreater(np.abs(copies[0][3:18]).min(), 0.0)


def copies_of(variable):
    """Values that the replicas hold."""
    values = testing.two_replicas().experimental_local_results(variable.value)
    return [value.numpy() for value in values]


if __name__ == "__main__":
    absltest.main()
