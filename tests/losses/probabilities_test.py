"""The losses refuse the output of a softmax or sigmoid."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import losses


class LossOfProbabilitiesTest(parameterized.TestCase):
    @parameterized.product(
        activation=("softmax", "sigmoid"),
        options=({}, {"run_eagerly": True}, {"jit_compile": True}),
    )
    def test_a_model_that_ends_in_them_is_refused(self, activation, options):
        network = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3, activation=activation)]
        )
        network.compile("sgd", losses.GeneralizedCrossEntropy(), **options)
        with self.assertRaisesRegex(ValueError, "`y_pred` must hold logits"):
            network.train_on_batch(np.ones((2, 4)), np.array([0, 1]))

    @parameterized.parameters(*losses.LOSSES)
    def test_every_loss(self, name):
        options = {}
        if name == "forward_correction":
            options = {"transition_matrix": np.eye(2)}
        loss = losses.get(name, **options)
        with self.assertRaisesRegex(ValueError, "`y_pred` must hold logits"):
            loss(np.array([0, 1]), keras.ops.softmax(tf.eye(2)))
        loss(np.array([0, 1]), tf.eye(2))  # logits may look like probabilities


if __name__ == "__main__":
    absltest.main()
