import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.losses import DeterminantMutualInformation

MODES = ("eager", "graph", "jit")


def compute(labels, logits, sample_weight):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = DeterminantMutualInformation()(labels, logits, sample_weight)
    return value, tape.gradient(value, logits)


# Compiled once for each shape.
COMPUTE = {
    "eager": compute,
    "graph": tf.function(compute),
    "jit": tf.function(compute, jit_compile=True),
}


def value_and_gradient(labels, logits, sample_weight=None, mode="eager"):
    if sample_weight is not None:
        sample_weight = tf.constant(sample_weight, tf.float32)
    results = COMPUTE[mode](
        tf.constant(labels), tf.constant(logits, tf.float32), sample_weight
    )
    return tuple(result.numpy() for result in results)


def by_inversion(labels, logits, weights, epsilon=1e-3):
    """The loss and its gradient in float64, through the inverse matrix."""
    logits = logits.astype("float64")
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    one_hot = np.eye(logits.shape[1])[labels] * weights[:, None]
    joint = one_hot.T @ probs
    log_determinant = np.linalg.slogdet(joint)[1]
    log_sum = np.logaddexp(log_determinant, np.log(epsilon))
    share = np.exp(log_determinant - log_sum)
    slope = one_hot @ (-share * np.linalg.inv(joint).T)
    mean_slope = (slope * probs).sum(1, keepdims=True)
    return -log_sum, probs * (slope - mean_slope)


class DeterminantMutualInformationTest(parameterized.TestCase):
    @parameterized.parameters(*MODES)
    def test_perfect_predictions_of_a_balanced_batch(self, mode):
        # 25 examples of weight 1.024 a class weigh as much as a batch of 256,
        # of which 25.6 have each class: the determinant is 25.6^10.
        labels = np.arange(250) % 10
        weights = np.full(250, 1.024, "float32")
        logits = 100.0 * np.eye(10)[labels]
        value, gradient = value_and_gradient(labels, logits, weights, mode)
        self.assertAlmostEqual(value, -32.43, delta=0.005)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)

    @parameterized.product(mode=MODES, num_classes=(2, 10, 100))
    def test_value_and_gradient_equal_those_by_inversion(
        self, mode, num_classes
    ):
        rng = np.random.default_rng(0)
        labels = rng.integers(num_classes, size=8 * num_classes)
        logits = rng.normal(size=(len(labels), num_classes))
        logits += 4.0 * np.eye(num_classes)[labels]
        weights = rng.uniform(0.5, 1.5, len(labels)).astype("float32")
        value, gradient = value_and_gradient(labels, logits, weights, mode)
        expected = by_inversion(labels, logits, weights)
        np.testing.assert_allclose(value, expected[0], rtol=1e-5)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-3, atol=1e-6)

    @parameterized.product(mode=MODES, num_classes=(10, 100))
    def test_a_batch_without_one_class_has_no_gradient(self, mode, num_classes):
        labels = np.arange(20 * num_classes) % (num_classes - 1)
        logits = 3.0 * np.eye(num_classes)[labels]
        value, gradient = value_and_gradient(labels, logits, mode=mode)
        self.assertAlmostEqual(value, -np.log(1e-3), places=5)
        np.testing.assert_array_equal(gradient, 0.0)

    @parameterized.product(mode=MODES, num_classes=(2, 10, 100))
    def test_singular_matrices_have_finite_gradients(self, mode, num_classes):
        # Equal predictions for all, for two classes, and for pairs of them.
        labels = np.arange(20 * num_classes) % num_classes
        for columns in (
            np.zeros_like(labels),
            np.where(labels == 1, 0, labels),
            labels // 2,
        ):
            for scale in (0.0, 3.0, 12.0):
                logits = scale * np.eye(num_classes)[columns]
                value, gradient = value_and_gradient(labels, logits, mode=mode)
                self.assertTrue(np.isfinite(value))
                self.assertTrue(np.isfinite(gradient).all())

    def test_an_empty_batch_of_weights_is_singular(self):
        value, gradient = value_and_gradient([0, 1], np.eye(2), [0.0, 0.0])
        self.assertAlmostEqual(value, -np.log(1e-3), places=5)
        np.testing.assert_array_equal(gradient, 0.0)

    def test_an_example_counts_as_often_as_its_weight(self):
        logits = np.random.default_rng(0).normal(size=(6, 3))
        labels = np.array([0, 1, 2, 0, 1, 2])
        value, _ = value_and_gradient(labels, logits, [2.0, 1, 1, 1, 1, 1])
        again = [0, 0, 1, 2, 3, 4, 5]
        expected, _ = value_and_gradient(labels[again], logits[again])
        self.assertAlmostEqual(value, expected, places=5)

    def test_a_step_leaves_a_singular_matrix(self):
        # Two classes with equal predictions: the slope is not zero there.
        labels, logits = np.array([0, 1, 2] * 4), np.zeros((12, 3))
        logits[:, 0] = np.arange(12) % 3 == 0
        _, gradient = value_and_gradient(labels, logits)
        self.assertGreater(np.abs(gradient).max(), 1e-3)
        before, _ = value_and_gradient(labels, logits)
        after, _ = value_and_gradient(
            labels, logits - 1e-3 * gradient / np.abs(gradient).max()
        )
        self.assertLess(after, before)


if __name__ == "__main__":
    absltest.main()
