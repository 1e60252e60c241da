"""Pixels of a data set beside those of image files, whose white is 255.

A data set may have another range, as the digits' of 0 to 16.
"""

import numpy as np
import tensorflow as tf

FILE_MAX = 255.0


def to_file_range(images: np.ndarray, pixel_max: float) -> np.ndarray:
    """Scales pixels of a data set to what an image file holds.

    Args:
        images: Pixels from 0 to `pixel_max`, of any shape.
        pixel_max: Largest pixel of the data set.

    Returns:
        Pixels from 0 to 255, uint8, of the same shape.
    """
    if pixel_max == FILE_MAX:
        return images
    pixels = np.rint(images * (FILE_MAX / pixel_max))
    return np.clip(pixels, 0, FILE_MAX).astype(np.uint8)


def from_file_range(images: tf.Tensor, pixel_max: float) -> tf.Tensor:
    """Scales pixels of an image file to those of a data set.

    Args:
        images: Pixels from 0 to 255, uint8, of any shape.
        pixel_max: Largest pixel of the data set, at most 255.

    Returns:
        Whole pixels from 0 to `pixel_max`, uint8, of the same shape. What
        `to_file_range` has made of such pixels comes back as it was.
    """
    if pixel_max == FILE_MAX:
        return images
    pixels = tf.cast(images, tf.float32) * (pixel_max / FILE_MAX)
    return tf.cast(tf.round(pixels), tf.uint8)
