"""What a network predicts for images in memory or on disk."""

import collections
from concurrent import futures

import keras
import numpy as np
import tensorflow as tf

from limit_tf import data
from limit_tf.data import Images

_BATCH_SIZE = 1000
# Of images in files: so many, unless they take more than so many bytes.
_MOST_BYTES = 2**23
_LEAST_BATCH_SIZE = 64


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

    def logits(self, images: Images) -> np.ndarray:
        """Predicts the logits of each image.

        Args:
            images: Array `(n, ...)`, `ImageFiles` or `RecordImages`.

        Returns:
            Array `(n, num_classes)`, float32, in the order of the images.
        """
        return self._predicted(images, lambda logits: logits)

    def _predicted(self, images, figure):
        """Returns a figure of each image's logits, in the images' order."""
        ordered = None
        for positions, logits in _two_at_a_time(
            self._padded_logits, _batches(images)
        ):
            figures = figure(logits)
            if ordered is None:
                shape = (len(images), *figures.shape[1:])
                ordered = np.empty(shape, figures.dtype)
            ordered[positions] = figures
        return ordered

    def _padded_logits(self, positions, batch, size):
        inputs = _padded(batch, size)
        # Called as it is, the function would be suspected of tracing too often
        # where several short runs follow each other in one process.
        step = self._step.get_concrete_function(inputs)
        return positions, step(inputs)[: len(batch)].numpy()

    def classes(self, images: Images) -> np.ndarray:
        """Predicts the class of each image, int64, `(n,)`."""
        return self._predicted(images, lambda i: np.argmax(i, axis=-1))

    def probs(self, images: Images) -> np.ndarray:
        """Predicts probabilities, `(n, num_classes)`, float32."""
        return tf.nn.softmax(self.logits(images)).numpy()

    def accuracy(self, images: Images, labels: np.ndarray) -> float:
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
    """Yields positions, images, and the size to pad the last batch to."""
    if not data.is_stored(images):
        for start in range(0, len(images), _BATCH_SIZE):
            batch = images[start : start + _BATCH_SIZE]
            yield start + np.arange(len(batch)), batch, _padded_size(batch)
        return
    size = _MOST_BYTES // int(np.prod(images.shape[1:]))
    size = max(_LEAST_BATCH_SIZE, min(size, _BATCH_SIZE))
    for batch in data.evaluation_dataset(
        images, batch_size=size, with_example_ids=True
    ).as_numpy_iterator():
        yield batch["example_ids"], batch["inputs"], size


def _padded_size(batch):
    """A power of two: few sizes to trace, and little to predict in vain."""
    return min(
        max(_LEAST_BATCH_SIZE, 1 << (len(batch) - 1).bit_length()), _BATCH_SIZE
    )


def _padded(batch, size):
    """Pads a batch to a size that is traced."""
    if len(batch) < size:
        padding = [(0, size - len(batch))] + [(0, 0)] * (batch.ndim - 1)
        batch = np.pad(batch, padding)
    return tf.constant(batch)
