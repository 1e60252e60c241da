"""Batches of images in memory or in files, as `tf.data`.

Images stay uint8 here; a network normalises them after their copy to its
device.
"""

import numpy as np
import tensorflow as tf

from limit_tf.data.image_data import check_images
from limit_tf.data.image_files import ImageFiles
from limit_tf.data.labels import check_labels
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.noise.arguments import check_integer

_NUM_PREFETCHED = 2  # batches


def num_batches(
    num_examples: int, batch_size: int, drop_remainder: bool = False
) -> int:
    """Counts the batches of one epoch.

    Args:
        num_examples: Number of examples.
        batch_size: Number of examples in a batch, at least 1.
        drop_remainder: Whether a smaller last batch is left out.

    Returns:
        The number of batches.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is out of range.
    """
    num_examples = check_integer(num_examples, "num_examples", low=0)
    batch_size = check_integer(batch_size, "batch_size", low=1)
    if drop_remainder:
        return num_examples // batch_size
    return -(-num_examples // batch_size)


def training_dataset(
    images: np.ndarray | ImageFiles,
    labels: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    num_epochs: int = 1,
    drop_remainder: bool = False,
    sample_weight: np.ndarray | None = None,
    num_classes: int | None = None,
    with_example_ids: bool = False,
) -> tf.data.Dataset:
    """Builds the batches of an epoch, or of several in a row.

    Every epoch is a full shuffle that depends only on `seed` and on the
    number of the epoch, so a run resumed at some epoch sees precisely the
    batches that an uninterrupted run sees.

    The arrays are held once, in host memory; they may share it with the
    arguments, which must not be changed afterwards. Of `ImageFiles` only the
    paths are held; the images come in the size for training.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`;
            or floats of shape `(n, ...)`.
        labels: Shape `(n,)`, integers.
        batch_size: Number of examples in a batch.
        seed: Integer in `[0, 2**63)`.
        epoch: Number of the (first) epoch, from 0.
        num_epochs: Number of epochs, at least 1. One data set for a whole
            `fit`, which then needs `steps_per_epoch=num_batches(...)`, spares
            Keras two new iterators an epoch, tens of milliseconds.
        drop_remainder: Whether the smaller last batch is left out.
        sample_weight: If given, non-negative weights, shape `(n,)`: a third
            element of every batch, float32.
        num_classes: If given, labels must lie in `[0, num_classes - 1]`.
        with_example_ids: Whether the first element of every batch is
            `{"inputs": images, "example_ids": positions}`. A position, int64,
            is the place of an example in `images`: the same in every epoch.

    Returns:
        A dataset of `(images, labels)` or `(images, labels, sample_weight)`
        with `num_batches(...)` batches an epoch.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.
    """
    arrays = _checked_arrays(images, labels, sample_weight, num_classes)
    num_examples = len(arrays[0])
    epoch_length = num_batches(num_examples, batch_size, drop_remainder)
    if epoch_length == 0:
        raise ValueError(
            "`batch_size` must not exceed the number of examples with "
            f"drop_remainder=True. Received: batch_size={batch_size} for "
            f"{num_examples} examples"
        )
    seed = check_integer(seed, "seed", low=0, high=2**63 - 1)
    epoch = check_integer(epoch, "epoch", low=0)
    num_epochs = check_integer(num_epochs, "num_epochs", low=1)
    gathered = _gatherer(arrays, batch_size, training=True)

    def complete(batch, images, *columns):
        if with_example_ids:
            images = {"inputs": images, "example_ids": batch}
        return (images, *columns)

    def batches_of(number):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_examples, dtype=tf.int64),
            seed=tf.stack([seed, number]),
        )
        positions = _position_batches(order, batch_size, epoch_length)
        return gathered(positions).map(complete)

    epochs = tf.data.Dataset.range(epoch, epoch + num_epochs)
    return _finished(epochs.flat_map(batches_of), num_epochs * epoch_length)


def evaluation_dataset(
    images: np.ndarray | ImageFiles,
    labels: np.ndarray | None = None,
    *,
    batch_size: int,
    num_classes: int | None = None,
) -> tf.data.Dataset:
    """Builds the batches of one pass in the given order.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`;
            or floats of shape `(n, ...)`.
        labels: Shape `(n,)`, integers; without them the batches are images
            alone, for prediction.
        batch_size: Number of examples in a batch; the last may be smaller.
        num_classes: If given, labels must lie in `[0, num_classes - 1]`.

    Returns:
        A dataset of `(images, labels)`, or of `images`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.
    """
    arrays = _checked_arrays(images, labels, None, num_classes)
    num_examples = len(arrays[0])
    epoch_length = num_batches(num_examples, batch_size)
    positions = _position_batches(
        tf.range(num_examples, dtype=tf.int64), batch_size, epoch_length
    )

    def complete(_, images, *columns):
        return (images, *columns) if columns else images

    gathered = _gatherer(arrays, batch_size, training=False)
    return _finished(gathered(positions).map(complete), epoch_length)


def _position_batches(order, batch_size, epoch_length):
    """Cuts an order of positions into batches."""
    return tf.data.Dataset.range(epoch_length).map(
        lambda i: order[i * batch_size : (i + 1) * batch_size]
    )


def _gatherer(arrays, batch_size, training):
    """Makes what adds the arrays' rows to a data set of batches of positions.

    The arrays are eager tensors that the functions capture: inputs of the
    dataset's graph, not constants in it, whose size would be limited to 2 GB.
    """
    images, *columns = arrays
    with tf.device("CPU:0"):
        pixels = tf.constant(getattr(images, "paths", images))
        tensors = [tf.constant(column) for column in columns]

    def rows(batch, images):
        return batch, images, *(tf.gather(column, batch) for column in tensors)

    if not isinstance(images, ImageFiles):
        return lambda positions: positions.map(
            lambda batch: rows(batch, tf.gather(pixels, batch))
        )
    # One call for each file, not for each batch, keeps all cores busy. All
    # batches but the last are full, so that they come out as they went in.
    read = images.reader(training)
    return lambda positions: (
        positions.unbatch()
        .map(
            lambda position: (position, read(pixels[position])),
            num_parallel_calls=NUM_PARALLEL_CALLS,
            deterministic=True,
        )
        .batch(batch_size)
        .map(rows)
    )


def _finished(batches, length):
    batches = batches.prefetch(_NUM_PREFETCHED).apply(
        tf.data.experimental.assert_cardinality(length)
    )
    return with_fixed_parallelism(batches)


def _checked_arrays(images, labels, sample_weight, num_classes):
    """Returns the arrays that are given, in the order of a batch."""
    arrays = {"images": check_images(images)}
    if labels is not None:
        arrays["labels"] = check_labels(labels, num_classes)
    if sample_weight is not None:
        weights = np.asarray(sample_weight, np.float32)
        if weights.ndim != 1 or not np.all(
            np.isfinite(weights) & (weights >= 0)
        ):
            raise ValueError(
                "`sample_weight` must be finite, non-negative numbers of shape "
                f"(n,). Received: shape={weights.shape}, "
                f"min={weights.min(initial=np.inf)}"
            )
        arrays["sample_weight"] = weights
    for name, array in arrays.items():
        if len(array) != len(images):
            raise ValueError(
                f"`{name}` must be as many as the {len(images)} images. "
                f"Received: {len(array)}"
            )
    return tuple(arrays.values())
