"""Gaussian `q`: squared distance (LIMIT_G)."""

import math

import keras
import tensorflow as tf

from limit_tf.distributions.base import GradientDistribution


@keras.saving.register_keras_serializable(package="limit_tf")
class Gaussian(GradientDistribution):
    """Gaussian `q`: the matching loss is the squared L2 distance to `g`.

    The constant `lambda` of the paper is left out of the loss (it is one
    there); it enters the spread of sampled gradients only.

    Example:
    ```python
    import limit_tf

    q_dist = limit_tf.distributions.Gaussian()
    q_dist.scale_from_lambda(50)  # 0.1
    ```
    """

    def matching_loss(
        self, predicted_gradient, true_gradient, predictor_logits, labels
    ):
        """Squared L2 distance of each example, `(batch,)`."""
        del predictor_logits, labels
        return tf.reduce_sum(
            tf.math.squared_difference(predicted_gradient, true_gradient), -1
        )

    def sample(self, predicted_gradient, scale, seed):
        """Adds independent Gaussian noise of standard deviation `scale`."""
        return predicted_gradient + tf.random.stateless_normal(
            tf.shape(predicted_gradient),
            seed,
            stddev=scale,
        )

    def scale_from_lambda(self, lambda_):
        """Standard deviation `sqrt(1 / (2 lambda))`."""
        return math.sqrt(0.5 / lambda_)
