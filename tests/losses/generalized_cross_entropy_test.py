import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.losses import GeneralizedCrossEntropy


def gradient(loss, labels, logits):
    logits = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    return tape.gradient(value, logits).numpy()


class GeneralizedCrossEntropyTest(parameterized.TestCase):
    @parameterized.parameters(0.1, 0.7, 0.99)
    def test_values_equal_those_that_keras_takes_from_probabilities(self, q):
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(50, 6)).astype("float32")
        labels = rng.integers(6, size=50)
        keras_loss = keras.losses.CategoricalGeneralizedCrossEntropy(
            q=q, reduction="none"
        )
        np.testing.assert_allclose(
            GeneralizedCrossEntropy(q=q, reduction="none")(labels, logits),
            keras_loss(labels, tf.nn.softmax(logits)),
            rtol=1e-5,
        )

    def test_the_gradient_is_finite_where_that_of_keras_is_not(self):
        logits = [[0.0, 200.0]]
        keras_loss = keras.losses.CategoricalGeneralizedCrossEntropy(q=0.7)
        theirs = gradient(
            lambda y, a: keras_loss(y, tf.nn.softmax(a)),
            np.array([0]),
            logits,
        )
        self.assertTrue(np.isnan(theirs).any())
        ours = gradient(GeneralizedCrossEntropy(q=0.7), [0], logits)
        np.testing.assert_allclose(ours, 0.0, atol=1e-30)

    def test_a_soft_label_weighs_the_losses_of_the_classes(self):
        logits = np.repeat([[1.0, -0.5, 0.3]], 3, axis=0)
        loss = GeneralizedCrossEntropy(reduction="none")
        soft = np.array([0.2, 0.3, 0.5])
        np.testing.assert_allclose(
            loss([soft], logits[:1])[0],
            soft @ loss([0, 1, 2], logits).numpy(),
            rtol=1e-6,
        )

    def test_truncation_makes_unlikely_labels_constant(self):
        # p = (1/4, 3/4), k = 1/2: the label of class 0 is pruned, at
        # (1 - sqrt(1/2)) / (1/2); the label of class 1 is not.
        logits = np.array([[0.0, np.log(3.0)]] * 2, "float32")
        plain = GeneralizedCrossEntropy(q=0.5, reduction="none")
        loss = GeneralizedCrossEntropy(q=0.5, truncation=0.5, reduction="none")
        constant = 2.0 * (1.0 - np.sqrt(0.5))
        np.testing.assert_allclose(
            loss([0, 1], logits),
            [constant, plain([0, 1], logits)[1]],
            rtol=1e-6,
        )
        given = gradient(loss, [0, 1], logits)
        np.testing.assert_array_equal(given[0], 0.0)
        np.testing.assert_array_equal(
            given[1], gradient(plain, [0, 1], logits)[1]
        )
        self.assertGreater(np.abs(given[1]).max(), 0.1)

    def test_a_label_at_the_threshold_is_pruned(self):
        loss = GeneralizedCrossEntropy(q=0.5, truncation=0.5)
        np.testing.assert_array_equal(gradient(loss, [0], [[0.0, 0.0]]), 0.0)


if __name__ == "__main__":
    absltest.main()
