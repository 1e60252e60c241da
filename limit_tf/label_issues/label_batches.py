"""Inputs and labels of any accepted form as one stream of batches."""

import operator

import keras
import numpy as np
import tensorflow as tf

from limit_tf.data import LabelledImages
from limit_tf.data import evaluation_dataset
from limit_tf.data import with_fixed_parallelism
from limit_tf.models.checked_streams import is_stream
from limit_tf.models.input_checks import check_finite
from limit_tf.models.label_checks import label_array
from limit_tf.noise.arguments import check_integer


def label_batches(
    x, y=None, *, example_ids=None, batch_size: int, finite: bool = True
) -> tf.data.Dataset:
    """Builds the batches of one pass over labelled data.

    Args:
        x: Arrays of inputs; or a `tf.data.Dataset` of batches `(x, y)` or
            `(x, y, sample_weight)`; or `limit_tf.data.LabelledImages`.
        y: Labels, where `x` holds arrays.
        example_ids: Identifiers, where `x` holds arrays: `(n,)`, integers or
            strings.
        batch_size: Number of examples in a batch, where `x` is not batched.
        finite: Whether arrays of inputs must hold finite numbers.

    Returns:
        A data set of dictionaries: `positions` `(batch,)`, int64, the place of
        each example in the data; `inputs`; `labels`; and `ids` `(batch,)`,
        where the data has them.

    Raises:
        TypeError: If `x` is of another kind.
        ValueError: If an argument is missing, does not belong to `x`, or has
            the wrong length, or an identifier occurs twice.
    """
    batch_size = check_integer(batch_size, "batch_size", low=1)
    if isinstance(x, LabelledImages):
        _refuse("y", y, "LabelledImages, which have labels")
        _refuse("example_ids", example_ids, "LabelledImages, which have ids")
        return _of_images(x, batch_size)
    if isinstance(x, tf.data.Dataset):
        _refuse("y", y, "a tf.data.Dataset, which holds the labels")
        _refuse("example_ids", example_ids, "a tf.data.Dataset")
        spec = x.element_spec
        if not isinstance(spec, tuple) or len(spec) not in (2, 3):
            raise ValueError(
                "`x` must be a data set of batches (x, y) or (x, y, "
                f"sample_weight). Received: elements of {type(spec).__name__}"
            )
        return _of_dataset(x)
    _check_arrays(x)
    if y is None:
        raise ValueError(
            "`y` must hold the labels of the arrays in `x`. Received: y=None"
        )
    arrays = {
        "inputs": _finite_inputs(x, finite),
        "labels": _labels(y),
    }
    if example_ids is not None:
        arrays["ids"] = np.asarray(example_ids)
        check_unique(arrays["ids"])
    return _of_arrays(arrays, batch_size)


def input_batches(
    x, *, batch_size: int, finite: bool = True
) -> tf.data.Dataset:
    """Builds the batches of one pass over inputs, whatever labels they have.

    Args:
        x: As in `label_batches`; or a data set of batches of inputs alone.
        batch_size: Number of examples in a batch, where `x` is not batched.
        finite: Whether arrays of inputs must hold finite numbers.

    Returns:
        A data set of dictionaries with `positions` and `inputs`.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If arrays differ in their length.
    """
    batch_size = check_integer(batch_size, "batch_size", low=1)
    if isinstance(x, LabelledImages):
        batches = _of_images(x, batch_size)
    elif isinstance(x, tf.data.Dataset):
        batches = _of_dataset(x)
    else:
        _check_arrays(x)
        inputs = _finite_inputs(x, finite)
        return _of_arrays({"inputs": inputs}, batch_size)
    return batches.map(
        lambda batch: {key: batch[key] for key in ("positions", "inputs")}
    )


def _check_arrays(x):
    if is_stream(x):
        raise TypeError(
            "`x` must be arrays, a tf.data.Dataset or LabelledImages. "
            f"Received: {type(x).__name__}"
        )


def _refuse(name, value, kind):
    if value is not None:
        raise ValueError(f"`{name}` must be left out where `x` is {kind}")


def _of_images(part, batch_size):
    # The images may come in the order of their files; positions come along.
    batches = evaluation_dataset(
        part.images, part.labels, batch_size=batch_size, with_example_ids=True
    )
    return batches.map(
        lambda x, y: {
            "positions": x["example_ids"],
            "inputs": x["inputs"],
            "labels": y,
        }
    )


def _of_dataset(batches):
    spec = batches.element_spec
    is_tuple = isinstance(spec, tuple)

    def numbered(start, element):
        parts = element if is_tuple else (element,)
        size = tf.shape(keras.tree.flatten(parts)[0], tf.int64)[0]
        batch = {
            "positions": start + tf.range(size),
            "inputs": parts[0],
        }
        if len(parts) > 1:
            batch["labels"] = parts[1]
        if isinstance(parts[0], dict) and "example_ids" in parts[0]:
            batch["ids"] = parts[0]["example_ids"]
        return start + size, batch

    return batches.scan(tf.constant(0, tf.int64), numbered)


def _of_arrays(arrays, batch_size):
    leaves = keras.tree.flatten(arrays["inputs"])
    if not leaves or not all(leaf.shape and leaf.shape[0] for leaf in leaves):
        raise ValueError(
            "`x` must hold at least one example. Received: shapes "
            f"{[tuple(leaf.shape) for leaf in leaves]}"
        )
    num_examples = len(leaves[0])
    names = {"inputs": "x", "labels": "y", "ids": "example_ids"}
    for key, name in names.items():
        for array in keras.tree.flatten(arrays.get(key, ())):
            if len(array) != num_examples:
                raise ValueError(
                    f"`{name}` must be as many as the {num_examples} inputs. "
                    f"Received: {len(array)}"
                )
    arrays = {**arrays, "positions": np.arange(num_examples)}

    def batches():  # slices of arrays that may lie in files: nothing is copied
        for start in range(0, num_examples, batch_size):
            part = operator.itemgetter(slice(start, start + batch_size))
            yield keras.tree.map_structure(part, arrays)

    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=keras.tree.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            arrays,
        ),
    )
    return with_fixed_parallelism(dataset.prefetch(2))


def _as_array(leaf):
    return leaf if isinstance(leaf, tf.Tensor) else np.asarray(leaf)


def _finite_inputs(x, finite):
    inputs = keras.tree.map_structure(_as_array, x)
    if finite:
        check_finite(inputs)
    return inputs


def _labels(y):
    return y if isinstance(y, tf.Tensor) else label_array(y)


def check_unique(example_ids: np.ndarray) -> None:
    """Refuses identifiers of which two are equal.

    Args:
        example_ids: Identifiers `(n,)`.

    Raises:
        ValueError: If one occurs twice.
    """
    ids, counts = np.unique(example_ids, return_counts=True)
    if len(ids) < len(example_ids):
        repeated = ids[counts > 1]
        raise ValueError(
            "`example_ids` must be unique. Received: "
            f"{len(repeated)} that occur more than once, the first "
            f"{', '.join(repr(i) for i in repeated[:3].tolist())}"
        )
