"""Labels out of range stop `fit`, whatever they come in."""

import keras
import numpy as np
import tensorflow as tf

from limit_tf.ops.labels import flatten_sparse
from limit_tf.ops.labels import invalid_labels


def check_labels(y, num_classes: int, argument: str = "y") -> None:
    """Refuses an array of labels that a classifier cannot be given.

    Args:
        y: Array or tensor of labels, or None.
        num_classes: Number of classes.
        argument: Name of the labels in the error message.

    Raises:
        ValueError: If the labels are missing, have a wrong shape, or one of
            them is NaN, out of range or no distribution.
    """
    if y is None:
        raise ValueError(
            f"`{argument}` must hold labels. Received: {argument}=None"
        )
    labels = flatten_sparse(tf.convert_to_tensor(y), num_classes)
    invalid = np.flatnonzero(invalid_labels(labels, num_classes))
    if invalid.size:
        first = int(invalid[0])
        raise ValueError(
            f"`{argument}` {_rule(labels, num_classes)}. Received: "
            f"{invalid.size} invalid of {labels.shape[0]}, the first "
            f"{argument}[{first}]={labels[first].numpy().tolist()}"
        )


def label_assertion(y, num_classes: int) -> tf.Operation:
    """Refuses a batch of labels of a data set when it arrives.

    Args:
        y: Tensor of labels, or None.
        num_classes: Number of classes.

    Returns:
        An assertion.

    Raises:
        ValueError: If the labels are missing or have a wrong shape.
    """
    if y is None:
        raise ValueError(
            "`x` must be a data set of (x, y) or (x, y, sample_weight). "
            "Received: elements without labels"
        )
    labels = flatten_sparse(y, num_classes)
    invalid = invalid_labels(labels, num_classes)
    message = f"`y` {_rule(labels, num_classes)}. Received:"
    return tf.debugging.Assert(
        ~tf.reduce_any(invalid), [message, tf.boolean_mask(labels, invalid)]
    )


def checked_stream(data, check_batch, assertions):
    """Wraps a stream of batches so that every batch is checked.

    Args:
        data: `tf.data.Dataset`, `keras.utils.PyDataset` or generator of
            `(x, y)` or `(x, y, sample_weight)`.
        check_batch: Function of the arrays `x` and `y` that raises where they
            are wrong.
        assertions: Function of the tensors `x` and `y` that returns a list of
            assertions.

    Returns:
        A stream of the same kind and batches, which raises where a batch is
        wrong; anything else as it is.
    """
    if isinstance(data, tf.data.Dataset):
        # Nothing in it is for AutoGraph, which takes tenths of a second.
        return data.map(
            tf.autograph.experimental.do_not_convert(
                lambda *batch: _checked_tensors(batch, assertions)
            )
        )
    if isinstance(data, keras.utils.PyDataset):
        return _CheckedPyDataset(data, check_batch)
    if hasattr(data, "__next__"):
        return _checked_generator(data, check_batch)
    return data


def is_stream(data) -> bool:
    """Whether `fit` takes the labels out of `data` itself."""
    return (
        isinstance(
            data,
            (
                tf.data.Dataset,
                tf.distribute.DistributedDataset,
                keras.utils.PyDataset,
            ),
        )
        or hasattr(data, "__next__")
        or type(data).__module__.startswith("torch.utils.data")
    )


def _rule(labels, num_classes):
    if labels.shape.rank == 1:
        return f"must hold class indices in [0, {num_classes})"
    return "must hold distributions: rows of numbers >= 0 that sum to one"


def _unpack(batch):
    batch = batch[0] if len(batch) == 1 else batch
    return keras.utils.unpack_x_y_sample_weight(batch)


def _checked_tensors(batch, assertions):
    x, y, _ = _unpack(batch)
    with tf.control_dependencies(assertions(x, y)):
        batch = keras.tree.map_structure(tf.identity, batch)
    return batch[0] if len(batch) == 1 else batch


def _checked_generator(generator, check_batch):
    for batch in generator:
        check_batch(*_unpack((batch,))[:2])
        yield batch


class _CheckedPyDataset(keras.utils.PyDataset):
    """Passes the batches of another PyDataset on, each of them checked."""

    def __init__(self, dataset, check_batch):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset = dataset
        self._check_batch = check_batch

    @property
    def num_batches(self):
        return self._dataset.num_batches

    def __getitem__(self, index):
        batch = self._dataset[index]
        self._check_batch(*_unpack((batch,))[:2])
        return batch

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()
