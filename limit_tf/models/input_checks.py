"""NaN and infinity in inputs are refused, whatever the inputs come in."""

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import array_rows
from limit_tf.models import row_assertions

_PIECE = 2**20  # numbers looked at in one go: no copy of a large array
_RULE = "`{}` must hold finite numbers"


def check_finite(x, argument: str = "x") -> None:
    """Refuses arrays of inputs with a number that is not finite.

    Integers cannot hold such a number and are passed over, as are texts and
    ragged and sparse tensors.

    Args:
        x: Array or structure of arrays, `(n, ...)`.
        argument: Name of the inputs in the error message.

    Raises:
        ValueError: If a number is NaN or infinite.
    """
    for path, leaf in keras.tree.flatten_with_path(x):
        if not _is_dense(leaf):
            continue
        values = array_rows.as_array(leaf)
        if values.ndim and array_rows.is_floating(values.dtype):
            array_rows.refuse_rows(
                _not_finite(values),
                _RULE.format(argument),
                f"{argument}{_place(path)}",
            )


def finite_assertions(x, argument: str = "x") -> list:
    """Assertions on the tensors of a data set, as `check_finite`.

    Args:
        x: Tensor or structure of tensors.
        argument: Name of the inputs in the error message.

    Returns:
        Assertions.
    """
    return [
        row_assertions.refuse_rows(
            not_finite_rows(leaf),
            _RULE.format(argument),
            f"{argument}{_place(path)}",
        )
        for path, leaf in keras.tree.flatten_with_path(x)
        if isinstance(leaf, tf.Tensor)
        and leaf.dtype.is_floating
        and leaf.shape.rank != 0
    ]


def not_finite_rows(values: tf.Tensor) -> tf.Tensor:
    """Marks the rows of a tensor that hold NaN or infinity.

    Args:
        values: Floats `(batch, ...)`.

    Returns:
        Booleans `(batch,)`.
    """
    is_wrong = ~tf.math.is_finite(values)
    return tf.reduce_any(is_wrong, tf.range(1, tf.rank(values)))


def _is_dense(leaf):
    if isinstance(leaf, (tf.RaggedTensor, tf.SparseTensor)):
        return False
    if not hasattr(leaf, "__array__") or not hasattr(leaf, "shape"):
        return False
    kind = getattr(getattr(leaf, "dtype", None), "kind", "f")
    return kind not in "biuSU"  # nothing to look at: not even converted


def _not_finite(values):
    """Marks the rows of an array that hold NaN or infinity."""
    rows = np.zeros(len(values), bool)
    step = max(1, _PIECE * len(values) // max(1, values.size))
    axes = tuple(range(1, values.ndim))
    for start in range(0, len(values), step):
        is_finite = np.isfinite(values[start : start + step])
        if not is_finite.all():
            rows[start : start + step] = ~is_finite.all(axis=axes)
    return rows


def _place(path):
    return "".join(f"[{key!r}]" for key in path)
