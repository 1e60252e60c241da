"""Batch normalisation by one kernel instead of ten."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="limit_tf")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` through TensorFlow's fused kernels.

    Same arguments, weights, statistics and results up to rounding. Keras
    writes the layer out in means, differences and products, each a pass over
    the activations; here one kernel goes forward and one backward. Inputs in
    half precision stay so, with statistics in float32.

    Where the kernels do not reach, it is Keras's layer: statistics
    synchronised over replicas, masks, batch renormalisation, other axes than
    the last, float64, inputs of a rank other than 2 or 4.

    Args:
        **kwargs: Arguments of `keras.layers.BatchNormalization`.

    Example:
        >>> layer = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)
        >>> layer(np.ones((8, 4, 4, 3), "float32"), training=True).shape
        TensorShape([8, 4, 4, 3])
    """

    def call(self, inputs, training=None, mask=None):
        """Normalises over all axes but the last."""
        if mask is not None or not self._is_fusible(inputs):
            return super().call(inputs, training=training, mask=mask)
        images = inputs
        if inputs.shape.rank == 2:
            images = inputs[:, tf.newaxis, tf.newaxis, :]
        is_training = bool(training and self.trainable)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=self._or_constant(self.gamma, 1.0),
            offset=self._or_constant(self.beta, 0.0),
            mean=[] if is_training else tf.convert_to_tensor(self.moving_mean),
            variance=[]
            if is_training
            else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=is_training,
        )
        if is_training:
            self._update_statistics(mean, variance, images)
        return tf.reshape(outputs, tf.shape(inputs))

    def _is_fusible(self, inputs):
        rank = inputs.shape.rank
        return (
            rank in (2, 4)
            and self.axis in (-1, rank - 1)
            and not self.synchronized
            and not getattr(self, "renorm", False)  # not in Keras 3.12
            and inputs.dtype in (tf.float32, tf.float16, tf.bfloat16)
            and inputs.dtype == self.compute_dtype  # not so without autocast
            and self.variable_dtype == "float32"
        )

    def _or_constant(self, variable, value):
        if variable is None:
            return tf.fill([self.moving_mean.shape[0]], value)
        return tf.convert_to_tensor(variable)

    def _update_statistics(self, mean, variance, images):
        # The kernel gives the unbiased variance, Keras keeps the biased one.
        count = tf.cast(tf.size(images) // mean.shape[0], variance.dtype)
        variance = tf.math.multiply_no_nan(variance, (count - 1.0) / count)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(
                self.momentum * moving + (1.0 - self.momentum) * value
            )
