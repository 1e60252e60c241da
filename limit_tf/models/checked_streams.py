"""Streams of batches, each of which is checked when it arrives."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class BatchChecks:
    """What is done with each batch of a stream.

    Attributes:
        arrays: Function of the arrays `x`, `y` and `sample_weight` that raises
            where they are wrong.
        tensors: Function of the tensors `x`, `y` and `sample_weight` that
            returns a list of assertions.
    """

    arrays: Callable
    tensors: Callable


def is_stream(data) -> bool:
    """Whether `fit` takes the labels out of `data` itself."""
    return (
        isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))
        or hasattr(data, "__next__")
        or not can_check(data)
        or _is_a(data, "torch.utils.data", ("DataLoader",))
    )


def can_check(data) -> bool:
    """Whether batches can be checked before a training step gets them.

    Data sets that are distributed already cannot be, and those of grain are
    not.

    Args:
        data: What `fit` was given.

    Returns:
        False for these.
    """
    return not (
        _is_a(
            data,
            "tensorflow.python.",
            ("DistributedDataset", "DistributedDatasetsFromFunction"),
        )
        or _is_a(data, "grain", ("MapDataset", "IterDataset", "DataLoader"))
    )


def checked_stream(data, checks: BatchChecks):
    """Wraps a stream of batches so that every batch is checked.

    Args:
        data: `tf.data.Dataset`, `keras.utils.PyDataset`, generator or
            `torch.utils.data.DataLoader` of `(x, y)` or
            `(x, y, sample_weight)`.
        checks: What is done with each batch.

    Returns:
        A stream of the same kind and batches, which raises where a batch is
        wrong; anything else as it is.
    """
    if isinstance(data, tf.data.Dataset):
        # Nothing in it is for AutoGraph, which takes tenths of a second.
        return data.map(
            tf.autograph.experimental.do_not_convert(
                lambda *batch: _checked_tensors(batch, checks)
            )
        )
    if isinstance(data, keras.utils.PyDataset):
        return _CheckedPyDataset(data, checks)
    if hasattr(data, "__next__"):
        return _checked_batches(data, checks)
    if _is_a(data, "torch.utils.data", ("DataLoader",)):
        return _CheckedLoader(data, checks)
    return data


def check_elements(spec, input_rank: int | None) -> None:
    """Refuses a data set that is not batched, or whose shapes are unknown.

    Args:
        spec: Specification of its elements.
        input_rank: Number of axes of a batch of inputs, where that is known.

    Raises:
        ValueError: If an element is no batch.
    """
    x, y, sample_weight = _unpack(spec if type(spec) is tuple else (spec,))
    if keras.tree.is_nested(x):  # as inputs beside the ids of their examples
        input_rank = None
    for name, part, rank in (
        ("x", x, input_rank),
        ("y", y, None),
        ("sample_weight", sample_weight, None),
    ):
        for leaf in keras.tree.flatten(part):
            _check_element(name, getattr(leaf, "shape", None), rank)
    _check_equal_sizes(keras.tree.flatten((x, y, sample_weight)))


def _check_element(name, shape, input_rank):
    if shape is None:
        return
    if shape.rank is None:
        raise ValueError(
            "`x` must be a data set whose elements have a known number of "
            "axes: give from_generator an output_signature, or call "
            f"set_shape. Received: {name} of unknown shape"
        )
    if shape.rank == 0 or (
        input_rank is not None and shape.rank == input_rank - 1
    ):
        raise ValueError(
            "`x` must be a data set of batches: call .batch(batch_size) on "
            f"it. Received: elements whose {name} has shape {tuple(shape)}"
        )


def _check_equal_sizes(specs):
    sizes = {
        spec.shape[0]
        for spec in specs
        if getattr(spec, "shape", None) is not None
    } - {None}
    if len(sizes) > 1:
        raise ValueError(
            "`x` must be a data set of batches: call .batch(batch_size) on "
            "it. Received: elements whose parts have different lengths "
            f"{sorted(sizes)}"
        )


def _is_a(data, module, names):
    """Whether a class of the names, whose module need not be installed."""
    return any(
        kind.__name__ in names and kind.__module__.startswith(module)
        for kind in data.__class__.__mro__
    )


def _unpack(batch):
    batch = batch[0] if len(batch) == 1 else batch
    return keras.utils.unpack_x_y_sample_weight(batch)


def _checked_tensors(batch, checks):
    with tf.control_dependencies(checks.tensors(*_unpack(batch))):
        batch = keras.tree.map_structure(tf.identity, batch)
    return batch[0] if len(batch) == 1 else batch


def _checked_batches(batches, checks):
    for batch in batches:
        checks.arrays(*_unpack((batch,)))
        yield batch


class _CheckedPyDataset(keras.utils.PyDataset):
    """Passes the batches of another PyDataset on, each of them checked."""

    def __init__(self, dataset, checks):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset = dataset
        self._checks = checks

    @property
    def num_batches(self):
        return self._dataset.num_batches

    def __getitem__(self, index):
        batch = self._dataset[index]
        self._checks.arrays(*_unpack((batch,)))
        return batch

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()


class _CheckedLoader:
    """Stands for a torch DataLoader, whose batches it checks.

    Keras asks for an instance of the loader's class.
    """

    def __init__(self, loader, checks):
        self._loader = loader
        self._checks = checks

    @property
    def __class__(self):
        return type(self._loader)

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def __len__(self):
        return len(self._loader)

    def __iter__(self):
        return _checked_batches(self._loader, self._checks)
