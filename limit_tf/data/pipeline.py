"""Batches of images in memory or in files, as `tf.data`.

Images stay uint8 here; a network normalises them after their copy to its
device.
"""

import numpy as np
import tensorflow as tf

from limit_tf.data import decoding
from limit_tf.data.host_tensors import captured
from limit_tf.data.image_data import Images
from limit_tf.data.image_data import check_images
from limit_tf.data.image_data import is_stored
from limit_tf.data.image_files import ImageFiles
from limit_tf.data.labels import check_labels
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.record_images import RecordImages
from limit_tf.data.service import check_service
from limit_tf.data.service import distributed
from limit_tf.noise.arguments import check_integer

_NUM_PREFETCHED = 2  # batches
_MOST_STEPS_A_CALL = 32
# AutoGraph would look through the source, a tenth of a second before training.
_as_it_is = tf.autograph.experimental.do_not_convert


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


def steps_per_execution(requested: int | None, steps_per_epoch: int) -> int:
    """Number of steps that Keras should run by one call.

    A call must not reach into the next epoch, so the number divides that of
    an epoch's steps.

    Args:
        requested: Most steps a call, or None for as many as pay.
        steps_per_epoch: Number of steps of an epoch, at least 1.

    Returns:
        The largest divisor of `steps_per_epoch` that is not above `requested`.
    """
    most = _MOST_STEPS_A_CALL if requested is None else requested
    return max(
        number
        for number in range(1, min(most, steps_per_epoch) + 1)
        if steps_per_epoch % number == 0
    )


def training_dataset(
    images: Images,
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
    with_inputs: bool = True,
    deterministic: bool = True,
    service: str | None = None,
) -> tf.data.Dataset:
    """Builds the batches of an epoch, or of several in a row.

    Every epoch is a shuffle that depends only on `seed` and on the number of
    the epoch, so a run resumed at some epoch sees precisely the batches that
    an uninterrupted run sees. `RecordImages` are mixed as their method
    `shuffled` says, all others are a random permutation.

    The arrays are held once, in host memory; they may share it with the
    arguments, which must not be changed afterwards. Of `ImageFiles` only the
    paths are held, of `RecordImages` the places of the records; the images
    come in the size for training.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`
            or `RecordImages`; or floats of shape `(n, ...)`.
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
        with_inputs: If False, the first element is `{"example_ids": positions}`
            alone, for a model that holds the images itself, see
            `limit_tf.models.NetworkModel.hold_inputs`.
        deterministic: Whether the order is the same each time. If not, images
            in files come as they are ready: a slow one keeps none waiting.
        service: Address of a `tf.data` service, `"grpc://host:port"`, whose
            workers read and decode images in files, under the same paths. The
            data set is then endless, for `fit` with `steps_per_epoch`; epochs
            of `RecordImages` flow into each other, and no order is promised.

    Returns:
        A dataset of `(images, labels)` or `(images, labels, sample_weight)`
        with `num_batches(...)` batches an epoch.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.
    """
    images, *columns = _checked_arrays(
        images, labels, sample_weight, num_classes
    )
    num_examples = len(images)
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
    if not with_inputs:
        images = np.zeros((num_examples, 1), np.uint8)
    columns = [captured(column) for column in columns]

    @_as_it_is
    def complete(positions, inputs):
        if not with_inputs:
            inputs = {"example_ids": positions}
        elif with_example_ids:
            inputs = {"inputs": inputs, "example_ids": positions}
        return (inputs, *(tf.gather(column, positions) for column in columns))

    if service is not None:
        _check_is_stored(images)
        check_service(service)
        with decoding.for_other_processes():
            batches = _endless(images, batch_size, epoch_length, seed, epoch)
        batches = distributed(with_fixed_parallelism(batches), service)
        return _finished(batches.map(complete))
    batches_at = _gatherer(images, batch_size, True, deterministic)

    @_as_it_is
    def batches_of(number):
        if isinstance(images, RecordImages):
            batches = images.shuffled(
                batch_size, seed, number, deterministic
            ).take(epoch_length)
        else:
            order = tf.random.experimental.stateless_shuffle(
                tf.range(num_examples, dtype=tf.int64),
                seed=tf.stack([seed, number]),
            )
            batches = batches_at(
                _position_batches(order, batch_size, epoch_length)
            )
        return batches.map(complete)

    epochs = tf.data.Dataset.range(epoch, epoch + num_epochs)
    return _finished(epochs.flat_map(batches_of), num_epochs * epoch_length)


def evaluation_dataset(
    images: Images,
    labels: np.ndarray | None = None,
    *,
    batch_size: int,
    num_classes: int | None = None,
    with_example_ids: bool = False,
) -> tf.data.Dataset:
    """Builds the batches of one pass in the given order.

    `RecordImages` come in the order of the files.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`
            or `RecordImages`; or floats of shape `(n, ...)`.
        labels: Shape `(n,)`, integers; without them the batches are images
            alone, for prediction.
        batch_size: Number of examples in a batch; the last may be smaller.
        num_classes: If given, labels must lie in `[0, num_classes - 1]`.
        with_example_ids: Whether `{"inputs": images, "example_ids":
            positions}` stands in the place of the images. A position, int64,
            is the place of an example in `images`.

    Returns:
        A dataset of `(images, labels)`, or of `images`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.
    """
    images, *columns = _checked_arrays(images, labels, None, num_classes)
    num_examples = len(images)
    epoch_length = num_batches(num_examples, batch_size)
    columns = [captured(column) for column in columns]
    if isinstance(images, RecordImages):
        batches = images.in_order(batch_size)
    else:
        positions = _position_batches(
            tf.range(num_examples, dtype=tf.int64), batch_size, epoch_length
        )
        batches = _gatherer(images, batch_size, False, True)(positions)

    def complete(positions, inputs):
        if with_example_ids:
            inputs = {"inputs": inputs, "example_ids": positions}
        if not columns:
            return inputs
        return (inputs, *(tf.gather(column, positions) for column in columns))

    return _finished(batches.map(complete), epoch_length)


def _position_batches(order, batch_size, epoch_length):
    """Cuts an order of positions into batches."""
    return tf.data.Dataset.range(epoch_length).map(
        _as_it_is(lambda i: order[i * batch_size : (i + 1) * batch_size])
    )


def _gatherer(images, batch_size, training, deterministic):
    """Makes what adds the images to a data set of batches of positions."""
    if isinstance(images, RecordImages):
        return None  # They are not read by their positions.
    if not isinstance(images, ImageFiles):
        pixels = captured(images)
        gather = _as_it_is(lambda batch: (batch, tf.gather(pixels, batch)))
        return lambda positions: positions.map(gather)
    # One call for each file, not for each batch, keeps all cores busy. All
    # batches but the last are full, so that they come out as they went in.
    paths = captured(images.paths)
    read = images.reader(training)
    return lambda positions: (
        positions.unbatch()
        .map(
            lambda position: (position, read(paths[position])),
            num_parallel_calls=NUM_PARALLEL_CALLS,
            deterministic=deterministic,
        )
        .batch(batch_size)
    )


def _endless(images, batch_size, epoch_length, seed, epoch):
    """Batches of an epoch and all that follow, for a `tf.data` service.

    It starts from one range, whose elements the service deals out.
    """
    if isinstance(images, RecordImages):
        return images.endless(batch_size, seed, epoch)
    num_examples = len(images)

    def positions(step):
        start = step % epoch_length * batch_size
        places = tf.range(
            start, tf.minimum(start + batch_size, num_examples), dtype=tf.int64
        )
        return tf.random.experimental.index_shuffle(
            places,
            seed=tf.stack([seed, step // epoch_length]),
            max_index=tf.constant(num_examples - 1, tf.int64),
        )

    # Every batch by itself, so that no worker mixes two of them.
    steps = tf.data.Dataset.range(epoch * epoch_length, np.iinfo(np.int64).max)
    gathered = _gatherer(images, batch_size, True, True)
    return steps.flat_map(
        lambda step: gathered(tf.data.Dataset.from_tensors(positions(step)))
    )


def _check_is_stored(images):
    if not is_stored(images):
        raise ValueError(
            "`service` must be left out for images in memory: it is for those "
            f"that are read from files. Received: {type(images).__name__}"
        )


def _finished(batches, length=None):
    batches = batches.prefetch(_NUM_PREFETCHED)
    if length is not None:
        batches = batches.apply(tf.data.experimental.assert_cardinality(length))
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
