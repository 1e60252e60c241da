"""What a network predicts for images in memory or on disk."""

import collections
from concurrent import futures

import keras
import numpy as np
import tensorflow as tf

from limit_tf import data
from limit_tf.data import ImageFiles

_BATCH_SIZE = 1000
_BATCH_SIZE_OF_FILES = 64


class Predictor:
    """Predicts in evaluation mode by one compiled function.

    Args:
        network: Built model that ends in logits.
        jit_compile: Whether to compile by XLA.
    """

    def __init__(self, network: keras.Model, jit_compile: bool = False):
        self._step = tf.function(
            lambda x: tf.cast(network(x, training=False), tf.float32),
            jit_compile=jit_compile,
        )

    def logits(self, images: np.ndarray | ImageFiles) -> np.ndarray:
        """Predicts the logits of each image.

        Args:
            images: Array `(n, ...)` or `ImageFiles`.

        Returns:
            Array `(n, num_classes)`, float32.
        """
        return np.concatenate(
            list(_two_at_a_time(self._padded_logits, _batches(images)))
        )

    def _padded_logits(self, batch, size):
        return self._step(_padded(batch, size))[: len(batch)].numpy()

    def classes(self, images: np.ndarray | ImageFiles) -> np.ndarray:
        """Predicts the class of each image, int64, `(n,)`."""
        return np.argmax(self.logits(images), axis=-1)

    def probs(self, images: np.ndarray | ImageFiles) -> np.ndarray:
        """Predicts probabilities, `(n, num_classes)`, float32."""
        return tf.nn.softmax(self.logits(images)).numpy()

    def accuracy(
        self, images: np.ndarray | ImageFiles, labels: np.ndarray
    ) -> float:
        """Share of the images whose predicted class is the label."""
        return float(np.mean(self.classes(images) == labels))


def _two_at_a_time(function, items):
    """Yields the results in order; two threads fill cores that one leaves."""
    with futures.ThreadPoolExecutor(2) as executor:
        pending = collections.deque()
        for item in items:
            pending.append(executor.submit(function, *item))
            if len(pending) > 2:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _batches(images):
    """Yields arrays, and the size to which the last one is to be padded."""
    if isinstance(images, ImageFiles):
        size = _BATCH_SIZE_OF_FILES
        dataset = data.evaluation_dataset(images, batch_size=size)
        for batch in dataset.as_numpy_iterator():
            yield batch, size
        return
    for start in range(0, len(images), _BATCH_SIZE):
        yield images[start : start + _BATCH_SIZE], _BATCH_SIZE


def _padded(batch, size):
    """Pads the last batch, so that there is one trace only."""
    if len(batch) < size:
        padding = [(0, size - len(batch))] + [(0, 0)] * (batch.ndim - 1)
        batch = np.pad(batch, padding)
    return tf.constant(batch)
