"""Labels that a classifier cannot be given, in arrays and in batches."""

import numpy as np
import tensorflow as tf

from limit_tf.models import array_rows
from limit_tf.models import row_assertions
from limit_tf.ops.labels import SUM_TOLERANCE
from limit_tf.ops.labels import check_distinct
from limit_tf.ops.labels import flatten_sparse
from limit_tf.ops.labels import invalid_labels
from limit_tf.ops.labels import widened

_TEXTS = (str, bytes)


def label_array(y, argument: str = "y") -> np.ndarray:
    """Returns labels of any kind as an array of numbers.

    Args:
        y: Array, tensor, pandas object or list of labels.
        argument: Name of the labels in error messages.

    Returns:
        Array of integers, booleans or floats.

    Raises:
        TypeError: If the labels are no numbers.
        ValueError: If a label is missing, or lists are no array.
    """
    if y is None:
        raise ValueError(
            f"`{argument}` must hold labels. Received: {argument}=None"
        )
    try:
        labels = array_rows.as_array(y)
    except ValueError as error:  # lists of different lengths
        raise ValueError(
            f"`{argument}` must be an array of labels. Received: rows of "
            "different lengths"
        ) from error
    if labels.dtype.kind == "O":
        labels = _of_objects(labels, argument)
    if labels.dtype.kind in "SU":
        _refuse_texts(labels, argument)
    if labels.dtype.kind not in "biuf" and labels.dtype.name != "bfloat16":
        raise TypeError(
            f"`{argument}` must hold class indices or distributions. "
            f"Received: dtype {labels.dtype}"
        )
    return labels


def check_labels(y, num_classes: int, argument: str = "y") -> None:
    """Refuses an array of labels that a classifier cannot be given.

    Args:
        y: Array or tensor of labels, or None.
        num_classes: Number of classes.
        argument: Name of the labels in the error message.

    Raises:
        TypeError: If the labels are no numbers, as names of classes.
        ValueError: If the labels are missing, have a wrong shape, or one of
            them is NaN, out of range or no distribution.
    """
    labels = _flat(label_array(y, argument), num_classes, argument)
    wide = labels
    if labels.dtype.kind in "biu":  # a small type would wrap classes around
        wide = labels.astype(np.int64)
    elif labels.dtype.itemsize < 4:
        wide = labels.astype(np.float32)
    array_rows.refuse_rows(
        _invalid(wide, num_classes),
        f"`{argument}` {_rule(labels.ndim, num_classes)}",
        argument,
        labels,
    )


def label_assertion(y, num_classes: int) -> tf.Operation:
    """Refuses a batch of labels of a data set when it arrives.

    Args:
        y: Tensor of labels, or None.
        num_classes: Number of classes.

    Returns:
        An assertion.

    Raises:
        TypeError: If the labels are strings.
        ValueError: If the labels are missing or have a wrong shape.
    """
    if y is None:
        raise ValueError(
            "`x` must be a data set of (x, y) or (x, y, sample_weight). "
            "Received: elements without labels"
        )
    labels = widened(flatten_sparse(y, num_classes))
    return row_assertions.refuse_rows(
        invalid_labels(labels, num_classes),
        f"`y` {_rule(labels.shape.rank, num_classes)}",
        "y",
        labels,
    )


def _flat(labels, num_classes, argument):
    """Drops the last axis of sparse labels, and checks the form."""
    shape = labels.shape
    if len(shape) == 2 and shape[1] == 1:
        labels = labels[:, 0]
    elif len(shape) != 1 and shape[1:] != (num_classes,):
        raise ValueError(
            f"`{argument}` must hold class indices of shape (n,) or (n, 1), or "
            f"distributions of shape (n, {num_classes}). Received: "
            f"{argument}.shape={shape}"
        )
    if labels.ndim == 1:
        check_distinct(labels.dtype, num_classes)
    return labels


def _invalid(labels, num_classes):
    """Marks invalid labels as `limit_tf.ops.labels.invalid_labels` does."""
    if labels.ndim == 1:
        outside = (labels < 0) | (labels >= num_classes)
        return outside | (labels != np.floor(labels))
    with np.errstate(invalid="ignore"):  # infinities
        bad_entry = ((labels < 0) | ~np.isfinite(labels)).any(-1)
        bad_sum = np.abs(labels.sum(-1) - 1.0) > SUM_TOLERANCE
    return bad_entry | bad_sum


def _rule(rank, num_classes):
    if rank == 1:
        return f"must hold class indices in [0, {num_classes})"
    return "must hold distributions: rows of numbers >= 0 that sum to one"


def _of_objects(labels, argument):
    """Numbers out of Python objects, of which none may be missing."""
    flat = labels.reshape(-1)
    is_missing = np.array([_is_missing(label) for label in flat], bool)
    if is_missing.any():
        first = int(is_missing.argmax())
        raise ValueError(
            f"`{argument}` must hold a label of every example. Received: "
            f"{np.count_nonzero(is_missing)} missing of {flat.size}, the first "
            f"{argument}[{first}]={flat[first]!r}"
        )
    if any(isinstance(label, _TEXTS) for label in flat):
        _refuse_texts(flat, argument)
    try:
        return np.array(labels.tolist())
    except ValueError as error:
        raise ValueError(
            f"`{argument}` must be an array of numbers. Received: objects of "
            f"type {type(flat[0]).__name__}"
        ) from error


def _is_missing(label):
    if label is None:
        return True
    try:
        return bool(label != label)  # NaN
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return type(label).__name__ == "NAType"


def _refuse_texts(labels, argument):
    flat = labels.reshape(-1)
    first = next((i for i, y in enumerate(flat) if isinstance(y, _TEXTS)), 0)
    raise TypeError(
        f"`{argument}` must hold class indices or distributions: turn names "
        "into indices by class_names, labels = numpy.unique(names, "
        f"return_inverse=True). Received: texts, {argument}[{first}]="
        f"{flat.tolist()[first] if flat.size else None!r}"
    )
