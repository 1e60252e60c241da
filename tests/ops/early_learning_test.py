"""The regulariser of ELR."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import ops


def draw(seed, shape=(5, 3)):
    return tf.random.stateless_normal(shape, [seed, 0])


class ClippedProbsTest(parameterized.TestCase):
    @parameterized.parameters("float16", "bfloat16", "float32")
    def test_probabilities_are_clipped_float32(self, dtype):
        logits = tf.cast([[0.0, np.log(3.0)], [100.0, 0.0]], dtype)
        probs = ops.clipped_probs(logits)
        self.assertEqual(probs.dtype, tf.float32)
        np.testing.assert_allclose(
            probs, [[0.25, 0.75], [1.0 - 1e-4, 1e-4]], rtol=4e-3
        )

    def test_clipped_probability_has_no_gradient(self):
        logits = tf.constant([[100.0, 0.0]])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            probs = ops.clipped_probs(logits)
        np.testing.assert_array_equal(tape.gradient(probs, logits), 0.0)


class RegularizerTest(parameterized.TestCase):
    def test_value_by_hand(self):
        # <p, t> = 1/4 * 1/2 + 3/4 * 1/2 = 1/2, and 0 for targets of zero.
        probs = tf.constant([[0.25, 0.75], [0.25, 0.75]])
        targets = tf.constant([[0.5, 0.5], [0.0, 0.0]])
        np.testing.assert_allclose(
            ops.early_learning_regularizer(probs, targets),
            [np.log(0.5), 0.0],
            rtol=1e-6,
        )

    def test_gradient_is_that_of_lemma_2(self):
        # For the logit c: p_c / (1 - <p, t>) * sum_k (t_k - t_c) p_k.
        logits = draw(0)
        targets = tf.nn.softmax(draw(1))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            values = ops.early_learning_regularizer(
                ops.clipped_probs(logits), targets
            )
        p, t = tf.nn.softmax(logits).numpy(), targets.numpy()
        inner = np.sum(p * t, -1, keepdims=True)
        expected = p * (inner - t) / (1.0 - inner)
        np.testing.assert_allclose(
            tape.gradient(values, logits), expected, rtol=1e-4, atol=1e-6
        )

    def test_no_gradient_flows_to_the_targets(self):
        targets = tf.nn.softmax(draw(1))
        with tf.GradientTape() as tape:
            tape.watch(targets)
            values = ops.early_learning_regularizer(
                ops.clipped_probs(draw(0)), targets
            )
        self.assertIsNone(tape.gradient(values, targets))

    def test_sure_predictions_of_sure_targets_stay_finite(self):
        probs = ops.clipped_probs(tf.constant([[1000.0, 0.0]]))
        value = ops.early_learning_regularizer(probs, tf.constant([[1.0, 0.0]]))
        np.testing.assert_allclose(value, np.log(1e-4), rtol=1e-3)


if __name__ == "__main__":
    absltest.main()
