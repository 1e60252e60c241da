"""What is done to decoded pixels: background, grey, rotation."""

import tensorflow as tf


def on_white(image: tf.Tensor, white: tf.Tensor | float = 255.0) -> tf.Tensor:
    """Lays an image on a white background.

    Args:
        image: Shape `(height, width, 4)`: RGB and opacity, of an integer type
            whose largest number is the full opacity.
        white: The number that stands for white in RGB.

    Returns:
        Shape `(height, width, 3)`, uint8.
    """
    opacity = tf.cast(image[..., 3:], tf.float32) / image.dtype.max
    ink = tf.cast(image[..., :3], tf.float32) / tf.cast(white, tf.float32)
    return tf.cast(
        tf.round(255.0 * (opacity * tf.minimum(ink, 1.0) + (1.0 - opacity))),
        tf.uint8,
    )


def with_channels(rgb: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Returns a colour image as it is, or as grey.

    Args:
        rgb: Shape `(height, width, 3)`, uint8.
        num_channels: 1 for grey.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    return tf.image.rgb_to_grayscale(rgb) if num_channels == 1 else rgb


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image as its camera says.

    Args:
        image: Shape `(height, width, channels)`.
        orientation: That of EXIF, 1 to 8; what is none of them is 1.

    Returns:
        The image, from the top left corner on.
    """
    number = orientation - 1
    turn = tf.where((number >= 0) & (number < 8), number, 0)
    image = tf.cond(
        turn >= 4, lambda: tf.transpose(image, (1, 0, 2)), lambda: image
    )
    turn = turn % 4
    image = tf.cond(
        (turn == 1) | (turn == 2), lambda: image[:, ::-1], lambda: image
    )
    return tf.cond(turn >= 2, lambda: image[::-1], lambda: image)
