"""Weights of one network as the initial weights of another."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from tests import testing


def trained_network(seed, **kwargs):
    """Returns a network whose moving statistics have moved."""
    network = testing.toy_network(seed, **kwargs)
    x, _ = testing.toy_batch(seed=seed)
    for _ in range(3):
        network(x + 1.0, training=True)
    return network


class CopyWeightsTest(parameterized.TestCase):
    def test_copy_gives_equal_outputs_and_shares_nothing(self):
        x, _ = testing.toy_batch(seed=0)
        source, target = trained_network(1), testing.toy_network(2)
        self.assertFalse(np.allclose(source(x), target(x), atol=1e-2))
        models.copy_weights(source, target)
        np.testing.assert_array_equal(source(x), target(x))
        before = testing.flat(target)
        source.set_weights([0.0 * w for w in source.get_weights()])
        np.testing.assert_array_equal(testing.flat(target), before)

    def test_moving_statistics_are_left_out_on_request(self):
        source, target = trained_network(1), trained_network(2)
        before = {v.path: v.numpy() for v in target.weights}
        models.copy_weights(source, target, batch_norm_statistics=False)
        statistics = 0
        for theirs, ours in zip(source.weights, target.weights, strict=True):
            kept = "moving" in ours.name
            statistics += kept
            expected = before[ours.path] if kept else theirs.numpy()
            np.testing.assert_array_equal(ours, expected, err_msg=ours.path)
            self.assertFalse(
                kept and np.allclose(ours, theirs, atol=1e-3), msg=ours.path
            )
        self.assertEqual(statistics, 2)

    @parameterized.parameters(False, True)
    def test_frozen_layers_are_copied_too(self, batch_norm_statistics):
        source, target = trained_network(1), testing.toy_network(2)
        target.layers[0].trainable = False
        models.copy_weights(
            source, target, batch_norm_statistics=batch_norm_statistics
        )
        np.testing.assert_array_equal(
            source.layers[0].kernel, target.layers[0].kernel
        )

    def test_precisions_may_differ(self):
        x, _ = testing.toy_batch(seed=0)
        source = trained_network(1)
        target = testing.toy_network(2, dtype="mixed_bfloat16")
        models.copy_weights(source, target)
        np.testing.assert_array_equal(
            testing.flat(source), testing.flat(target)
        )
        self.assertEqual(target(x).dtype.name, "bfloat16")

    @parameterized.parameters(
        (lambda: testing.toy_network(2, batch_norm=False), "7 weights for 4"),
        (
            lambda: keras.Sequential(
                [keras.Input((6,)), keras.layers.Dense(3)]
            ),
            r"\(6, 8\) against \(6, 3\)",
        ),
    )
    def test_other_architecture_is_refused_in_one_line(self, make, message):
        target = make()
        before = testing.flat(target)
        with self.assertRaisesRegex(
            ValueError, f"`source` must.*architecture.*{message}"
        ) as caught:
            models.copy_weights(testing.toy_network(1), target)
        self.assertNotIn("\n", str(caught.exception))
        np.testing.assert_array_equal(before, testing.flat(target))

    @parameterized.parameters("source", "target")
    def test_network_must_be_built(self, argument):
        networks = {
            "source": testing.toy_network(1),
            "target": testing.toy_network(2),
            argument: keras.Sequential([keras.layers.Dense(3)]),
        }
        with self.assertRaisesRegex(ValueError, f"`{argument}` must be built"):
            models.copy_weights(**networks)


if __name__ == "__main__":
    absltest.main()
