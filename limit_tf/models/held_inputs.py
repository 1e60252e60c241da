"""Training inputs that are kept on the device."""

import math

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models.input_checks import check_finite

_WORD_BYTES = 8


class HeldInputs:
    """Puts inputs on the device once, to be looked up by position.

    A GPU cannot gather uint8 outside XLA, so rows of uint8 are held as int64
    words, padded to whole ones. Gathering takes as long as it would without
    words, on a CPU too.

    Args:
        images: Shape `(n, ...)`, uint8 or floats, which become float32. The
            array must not be changed afterwards.

    Raises:
        TypeError: If the array is neither uint8 nor of floats.
        ValueError: If it has less than two axes, or one of length 0, or holds
            NaN or infinity.
    """

    def __init__(self, images: np.ndarray):
        if not isinstance(images, np.ndarray) or (
            images.dtype != np.uint8 and images.dtype.kind != "f"
        ):
            raise TypeError(
                "`images` must be an array of uint8 or floats. Received: "
                f"{getattr(images, 'dtype', type(images).__name__)}"
            )
        if images.ndim < 2 or 0 in images.shape:
            raise ValueError(
                "`images` must have shape (n, ...) of at least two axes, none "
                f"of them 0. Received: shape={images.shape}"
            )
        check_finite(images, "images")
        self.shape = images.shape[1:]
        self.dtype = "uint8" if images.dtype == np.uint8 else "float32"
        gpus = tf.config.list_logical_devices("GPU")
        with tf.device("GPU:0" if gpus else "CPU:0"):
            self._rows = tf.constant(
                _words(images)
                if self.dtype == "uint8"
                else images.astype(np.float32, copy=False)
            )

    def __len__(self) -> int:
        """Returns the number of inputs."""
        return self._rows.shape[0]

    def gather(self, ids):
        """Looks inputs up.

        Args:
            ids: Positions, integers `(batch,)`, a tensor or a
                `keras.KerasTensor`. A GPU gives zeros for positions outside
                `[0, n)`, where a CPU raises an error.

        Returns:
            Inputs `(batch, ...)`.
        """
        if isinstance(ids, keras.KerasTensor):
            return keras.KerasTensor((None, *self.shape), self.dtype)
        # TensorFlow takes no small integers for positions.
        rows = tf.gather(self._rows, tf.cast(ids, tf.int64))
        if self.dtype == "float32":
            return rows
        rows = tf.reshape(
            tf.bitcast(rows, tf.uint8),
            (-1, self._rows.shape[1] * _WORD_BYTES),
        )
        size = math.prod(self.shape)
        if size < rows.shape[1]:
            rows = rows[:, :size]
        return tf.reshape(rows, (-1, *self.shape))


def _words(images):
    """Rows of uint8, padded by zeros, as rows of int64."""
    rows = images.reshape(len(images), -1)
    padding = -rows.shape[1] % _WORD_BYTES
    if padding:
        rows = np.pad(rows, [(0, 0), (0, padding)])
    return np.ascontiguousarray(rows).view(np.int64)
