import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.losses import ForwardCorrectedCrossEntropy


def value_and_gradient(loss, labels, logits):
    logits = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    return value.numpy(), tape.gradient(value, logits).numpy()


class ForwardCorrectedCrossEntropyTest(parameterized.TestCase):
    def test_by_hand(self):
        # p = (3/4, 1/4), p T = (3/4, 1/4) T = (0.75, 0.25).
        matrix = [[0.9, 0.1], [0.3, 0.7]]
        loss = ForwardCorrectedCrossEntropy(matrix, reduction="none")
        np.testing.assert_allclose(
            loss([[0.0, 1.0], [0.5, 0.5]], [[np.log(3.0), 0.0]] * 2),
            [-np.log(0.25), -0.5 * np.log(0.75 * 0.25)],
            rtol=1e-6,
        )

    @parameterized.parameters(1.0, 1e4)
    def test_without_noise_it_is_the_cross_entropy(self, scale):
        rng = np.random.default_rng(0)
        logits = tf.constant(scale * rng.normal(size=(20, 5)), tf.float32)
        labels = rng.integers(5, size=20)
        value, gradient = value_and_gradient(
            ForwardCorrectedCrossEntropy(np.eye(5)), labels, logits
        )
        expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels, logits
        )
        np.testing.assert_allclose(value, np.mean(expected), rtol=1e-6)
        np.testing.assert_allclose(
            gradient,
            (tf.nn.softmax(logits) - np.eye(5)[labels]) / 20,
            atol=1e-7,
        )

    def test_a_label_that_the_matrix_never_gives_has_no_gradient(self):
        matrix = [[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.0, 1.0, 0.0]]
        loss = ForwardCorrectedCrossEntropy(matrix)
        value, gradient = value_and_gradient(loss, [2], [[1.0, -2.0, 0.5]])
        self.assertAlmostEqual(value, -np.log(1e-10), places=4)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)
        value, gradient = value_and_gradient(loss, [0], [[1.0, -2.0, 0.5]])
        self.assertTrue(np.isfinite(value))
        self.assertGreater(np.abs(gradient).max(), 0.01)

    @parameterized.parameters(
        ([[0.5, 0.4], [0.0, 1.0]], "row 0 sums to 0.9"),
        ([[0.5, 0.5]], r"square.* shape=\(1, 2\)"),
        ([[1.5, -0.5], [0.0, 1.0]], r"non-negative.* -0.5 at \[0, 1\]"),
        ([[np.nan, 1.0], [0.0, 1.0]], r"finite.* nan at \[0, 0\]"),
    )
    def test_a_bad_matrix_is_refused_on_one_line(self, matrix, message):
        with self.assertRaisesRegex(
            ValueError, "`transition_matrix` must .*" + message
        ) as caught:
            ForwardCorrectedCrossEntropy(matrix)
        self.assertNotIn("\n", str(caught.exception))

    def test_a_matrix_for_other_classes_is_refused_at_the_first_call(self):
        loss = ForwardCorrectedCrossEntropy(np.eye(3))
        with self.assertRaisesRegex(ValueError, "`transition_matrix` .*=4 "):
            loss([0], np.zeros((1, 4)))


if __name__ == "__main__":
    absltest.main()
