"""Random crops of padded images, and horizontal flips."""

import numbers
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from limit_tf.augmentation.base import Augmentation

_GENERATOR = "philox"  # Left to choose, XLA draws other numbers.


@keras.saving.register_keras_serializable(package="limit_tf")
class RandomCropFlip(Augmentation):
    """Pads every image with zeros, crops it at random and may mirror it.

    Every image gets offsets of its own, uniform over all positions of the crop,
    and is flipped left to right with probability one half. The defaults are
    the augmentation that is usual for CIFAR.

    The zeros are pixel values, such as black of uint8 images: of float images
    that were standardised before, they are the mean.

    Args:
        crop_size: `(height, width)` of the crop; None is the images' own size.
        padding: Number of zeros added on each of the four sides.
        flip: Whether to flip.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
    ```python
    import tensorflow as tf

    import limit_tf

    augment = limit_tf.augmentation.RandomCropFlip(padding=4)
    images = tf.zeros((8, 32, 32, 3), tf.uint8)
    augment(images, seed=(1, 2)).shape  # (8, 32, 32, 3)
    ```
    """

    def __init__(
        self,
        crop_size: Sequence[int] | None = None,
        padding: int = 4,
        flip: bool = True,
    ) -> None:
        if crop_size is not None and not (
            np.iterable(crop_size)
            and len(crop_size) == 2
            and all(
                isinstance(size, numbers.Integral) and size > 0
                for size in crop_size
            )
        ):
            raise ValueError(
                "`crop_size` must be two positive integers or None. "
                f"Received: crop_size={crop_size!r}"
            )
        if not isinstance(padding, numbers.Integral) or padding < 0:
            raise ValueError(
                "`padding` must be a non-negative integer. "
                f"Received: padding={padding!r}"
            )
        self.crop_size = None if crop_size is None else tuple(crop_size)
        self.padding = padding
        self.flip = flip

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Pads, crops and flips every image by a draw of its own.

        Args:
            images: `(batch, height, width, channels)` of any dtype; height
                and width are known.
            seed: Two integers, shape `(2,)`; the same seed draws the same.

        Returns:
            Tensor `(batch, *crop_size, channels)` of the images' dtype.

        Raises:
            ValueError: If these are no images, or smaller than the crop.
        """
        images = tf.convert_to_tensor(images)
        height, width = self._sizes(images.shape)
        batch_size = tf.shape(images)[0]
        seeds = tf.unstack(
            tf.random.experimental.stateless_split(seed, 3, alg=_GENERATOR)
        )
        margin = [self.padding] * 2
        padded = tf.pad(images, [[0, 0], margin, margin, [0, 0]])
        small = images.dtype.is_integer and images.dtype.size < 4
        if small:  # GPUs gather no small integers outside XLA.
            padded = tf.cast(padded, tf.int32)
        rows = _windows(seeds[0], batch_size, padded.shape[1], height)
        columns = _windows(seeds[1], batch_size, padded.shape[2], width)
        if self.flip:
            flipped = _uniform(seeds[2], batch_size, 2) == 1
            columns = tf.where(flipped, columns[:, ::-1], columns)
        crops = tf.gather(padded, rows, axis=1, batch_dims=1)
        crops = tf.gather(crops, columns, axis=2, batch_dims=1)
        return tf.cast(crops, images.dtype) if small else crops

    def get_config(self) -> dict:
        """Constructor arguments, for saving."""
        return {
            "crop_size": self.crop_size,
            "padding": self.padding,
            "flip": self.flip,
        }

    def _sizes(self, shape):
        """Checks the images and returns height and width of the crop."""
        if shape.rank != 4 or None in shape[1:3]:
            raise ValueError(
                "`images` must be (batch, height, width, channels) of known "
                f"height and width. Received: images of shape {shape}"
            )
        sizes = self.crop_size or tuple(shape[1:3])
        if any(
            crop > size + 2 * self.padding
            for crop, size in zip(sizes, shape[1:3], strict=True)
        ):
            raise ValueError(
                "`crop_size` must not exceed the padded images. Received: "
                f"crop_size={sizes}, padding={self.padding}, images of shape "
                f"{shape}"
            )
        return sizes


def _windows(seed, batch_size, size, window):
    """Draws a run of `window` indices below `size` for each example."""
    return _uniform(seed, batch_size, size - window + 1) + tf.range(window)


def _uniform(seed, batch_size, maxval):
    """Draws an integer below `maxval` for each example, `(batch, 1)`."""
    return tf.random.stateless_uniform(
        (batch_size, 1), seed, maxval=maxval, dtype=tf.int32, alg=_GENERATOR
    )
