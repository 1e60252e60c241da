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
            f"`{argument}` must hold labels: the gradient predictor is fitted "
            f"to them. Received: {argument}=None"
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


def checked_stream(data, num_classes: int):
    """Wraps a stream of batches so that every batch's labels are checked.

    Args:
        data: `tf.data.Dataset`, `keras.utils.PyDataset` or generator of
            `(x, y)` or `(x, y, sample_weight)`.
        num_classes: Number of classes.

    Returns:
        A stream of the same kind and batches, which raises where a label is
        invalid; anything else as it is.
    """
    if isinstance(data, tf.data.Dataset):
        return data.map(lambda *batch: _checked_tensors(batch, num_classes))
    if isinstance(data, keras.utils.PyDataset):
        return _CheckedPyDataset(data, num_classes)
    if hasattr(data, "__next__"):
        return _checked_generator(data, num_classes)
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


def _checked_tensors(batch, num_classes):
    _, y, _ = _unpack(batch)
    if y is None:
        raise ValueError(
            "`x` must be a data set of (x, y) or (x, y, sample_weight): the "
            "gradient predictor is fitted to the labels. Received: elements "
            "without labels"
        )
    labels = flatten_sparse(y, num_classes)
    invalid = invalid_labels(labels, num_classes)
    message = f"`y` {_rule(labels, num_classes)}. Received:"
    check = tf.debugging.Assert(
        ~tf.reduce_any(invalid), [message, tf.boolean_mask(labels, invalid)]
    )
    with tf.control_dependencies([check]):
        batch = keras.tree.map_structure(tf.identity, batch)
    return batch[0] if len(batch) == 1 else batch


def _checked_generator(generator, num_classes):
    for batch in generator:
        check_labels(_unpack((batch,))[1], num_classes)
        yield batch


class _CheckedPyDataset(keras.utils.PyDataset):
    """Passes the batches of another PyDataset on, their labels checked."""

    def __init__(self, dataset, num_classes):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset = dataset
        self._num_classes = num_classes

    @property
    def num_batches(self):
        return self._dataset.num_batches

    def __getitem__(self, index):
        batch = self._dataset[index]
        check_labels(_unpack((batch,))[1], self._num_classes)
        return batch

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()
