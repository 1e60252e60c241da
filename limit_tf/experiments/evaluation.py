"""Classes that a network predicts, for arrays of images."""

import keras
import numpy as np
import tensorflow as tf


class ClassPredictor:
    """Predicts classes in evaluation mode by one compiled function.

    Args:
        network: Built model that ends in logits.
        batch_size: Number of images of a call. The last batch is padded, so
            that there is one trace only.
        jit_compile: Whether to compile by XLA.
    """

    def __init__(
        self, network: keras.Model, batch_size: int, jit_compile: bool = False
    ):
        self._batch_size = batch_size
        self._step = tf.function(
            lambda x: tf.argmax(network(x, training=False), -1),
            jit_compile=jit_compile,
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Predicts the class of each image.

        Args:
            images: Array `(n, height, width, channels)`.

        Returns:
            Array `(n,)`, int64.
        """
        size, classes = self._batch_size, []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            padding = [(0, size - len(batch))] + [(0, 0)] * (images.ndim - 1)
            padded = np.pad(batch, padding) if len(batch) < size else batch
            classes.append(self._step(tf.constant(padded))[: len(batch)])
        return np.concatenate(classes)

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of the images whose predicted class is the label."""
        return float(np.mean(self(images) == labels))
