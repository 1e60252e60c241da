"""Laplace `q`: absolute distance (LIMIT_L)."""

import math

import keras
import tensorflow as tf

from limit_tf.distributions.base import GradientDistribution


@keras.saving.register_keras_serializable(package="limit_tf")
class Laplace(GradientDistribution):
    """Laplace `q`: the matching loss is the L1 distance to `g`.

    The constant `lambda` of the paper is left out of the loss (it is one
    there); it enters the spread of sampled gradients only.

    Example:
    ```python
    import limit_tf

    q_dist = limit_tf.distributions.Laplace()
    q_dist.scale_from_lambda(10)  # 0.1414...
    ```
    """

    def matching_loss(
        self, predicted_gradient, true_gradient, predictor_logits, labels
    ):
        """L1 distance of each example, `(batch,)`."""
        del predictor_logits, labels
        return tf.reduce_sum(tf.abs(predicted_gradient - true_gradient), -1)

    def sample(self, predicted_gradient, scale, seed):
        """Adds independent Laplace noise of standard deviation `scale`."""
        # Inverse CDF at u in (-1/2, 1/2): -b sign(u) log(1 - 2|u|), b = std /
        # sqrt(2). The draw is kept off -1/2, where the logarithm is infinite.
        tiny = 2.0**-24
        uniform = tf.random.stateless_uniform(
            tf.shape(predicted_gradient),
            seed,
            minval=-0.5 + tiny,
            maxval=0.5,
        )
        noise = -tf.sign(uniform) * tf.math.log1p(-2.0 * tf.abs(uniform))
        return predicted_gradient + scale / math.sqrt(2.0) * noise

    def scale_from_lambda(self, lambda_):
        """Standard deviation `sqrt(2) / lambda`."""
        return math.sqrt(2.0) / lambda_
