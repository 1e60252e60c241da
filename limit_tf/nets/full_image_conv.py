"""A convolution that is one matrix product."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="limit_tf")
class FullImageConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose filters are as large as the image.

    There is then one position for a filter to stand at, and the layer is a
    matrix product of flattened images and flattened filters, which every
    device computes faster than a convolution. Same arguments, weights and
    results (up to rounding) as Keras's layer.

    Args:
        **kwargs: Arguments of `keras.layers.Conv2D`; the padding must be
            `"valid"`.

    Raises:
        ValueError: If an image is not of the filters' size.

    Example:
        >>> layer = FullImageConv2D(8, 3)
        >>> layer(np.ones((2, 3, 3, 4), "float32")).shape
        TensorShape([2, 1, 1, 8])
    """

    def build(self, input_shape):
        """Creates kernel and bias for images of shape `input_shape`."""
        size = tuple(input_shape[1:3])
        if (
            size != self.kernel_size
            or self.padding != "valid"
            or self.data_format != "channels_last"
            or self.groups != 1
            or self.dilation_rate != (1, 1)
        ):
            raise ValueError(
                "`kernel_size` must be that of the images, channels last, "
                "with padding='valid', one group and no dilation. Received: "
                f"kernel_size={self.kernel_size} for images {size}, "
                f"padding={self.padding!r}, data_format={self.data_format!r}, "
                f"groups={self.groups}, dilation_rate={self.dilation_rate}"
            )
        super().build(input_shape)
        # Images of another size would pass for a batch of another size.
        height, width, channels = input_shape[1:]
        self.input_spec = keras.layers.InputSpec(
            ndim=4, axes={1: height, 2: width, 3: channels}
        )

    def convolution_op(self, inputs, kernel):
        """Multiplies flat images with flat filters."""
        kernel = tf.convert_to_tensor(kernel)
        num_filters = kernel.shape[-1]
        flat = tf.reshape(inputs, [-1, tf.size(kernel) // num_filters])
        outputs = flat @ tf.reshape(kernel, [-1, num_filters])
        return outputs[:, tf.newaxis, tf.newaxis, :]
