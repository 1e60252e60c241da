"""Weights of examples and of classes that would spoil a training."""

import math
import numbers
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from limit_tf.models import array_rows
from limit_tf.models import row_assertions

_LARGEST = float(np.finfo(np.float32).max)  # Larger ones become infinite.
_RULE = "`{}` must hold finite numbers >= 0"


def check_weights(
    weights, num_examples: int, argument: str = "sample_weight"
) -> None:
    """Refuses weights of examples that are no weights.

    Args:
        weights: Array or tensor of weights `(n,)` or `(n, 1)`, or None.
        num_examples: Number of examples `n`.
        argument: Name of the weights in error messages.

    Raises:
        TypeError: If they are no numbers.
        ValueError: If they have another shape, or one of them is NaN,
            infinite or negative.
    """
    if weights is None:
        return
    values = array_rows.as_array(weights)
    if values.dtype.kind not in "biuf" and values.dtype.name != "bfloat16":
        raise TypeError(
            f"`{argument}` must be an array of numbers. Received: dtype "
            f"{values.dtype}"
        )
    if values.shape not in ((num_examples,), (num_examples, 1)):
        raise ValueError(
            f"`{argument}` must have shape ({num_examples},), a weight an "
            f"example. Received: shape {values.shape}"
        )
    values = values.reshape(-1)
    floats = values.astype(np.float64)
    array_rows.refuse_rows(
        ~((floats >= 0) & (floats <= _LARGEST)),
        _RULE.format(argument),
        argument,
        values,
    )


def weight_assertions(weights, argument: str = "sample_weight") -> list:
    """Assertions on the weights of a data set, as `check_weights`.

    Args:
        weights: Tensor of weights, or None.
        argument: Name of the weights in error messages.

    Returns:
        Assertions.

    Raises:
        TypeError: If the weights are no numbers.
        ValueError: If they have a shape that is known and wrong.
    """
    if weights is None:
        return []
    shape = weights.shape
    if weights.dtype == tf.string:
        raise TypeError(
            f"`{argument}` must hold numbers. Received: dtype string"
        )
    if shape.rank not in (None, 1) and not (
        shape.rank == 2 and shape[-1] in (None, 1)
    ):
        raise ValueError(
            f"`{argument}` must have shape (batch,), a weight an example. "
            f"Received: shape {tuple(shape)}"
        )
    values = tf.reshape(weights, [-1])
    floats = tf.cast(values, tf.float32)
    return [
        row_assertions.refuse_rows(
            ~((floats >= 0) & tf.math.is_finite(floats)),
            _RULE.format(argument),
            argument,
            values,
        )
    ]


def complete_class_weight(
    class_weight, num_classes: int | None
) -> dict[int, float]:
    """Checks the weights of classes and gives the others the weight one.

    Keras gives classes without a weight one in arrays, and fails on them in
    data sets.

    Args:
        class_weight: Weights by class.
        num_classes: Number of classes; None where it is not known yet.

    Returns:
        Weights of all classes, or of those that are named where their number
        is not known.

    Raises:
        TypeError: If it is no dictionary of numbers.
        ValueError: If a class does not exist, or a weight is NaN, infinite or
            negative.
    """
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "`class_weight` must be a dictionary of weights by class index. "
            f"Received: class_weight of type {type(class_weight).__name__}"
        )
    for index, weight in class_weight.items():
        _check_class(index, num_classes)
        _check_class_weight(index, weight)
    given = {int(index): float(w) for index, w in class_weight.items()}
    if num_classes is None:
        return given
    return {index: given.get(index, 1.0) for index in range(num_classes)}


def _check_class(index, num_classes):
    is_index = isinstance(index, numbers.Real) and float(index).is_integer()
    end = math.inf if num_classes is None else num_classes
    if not is_index or not 0 <= index < end:
        wanted = "" if num_classes is None else f" in [0, {num_classes})"
        raise ValueError(
            f"`class_weight` must name classes by their indices{wanted}. "
            f"Received: the class {index!r}"
        )


def _check_class_weight(index, weight):
    if not isinstance(weight, numbers.Real) or not 0 <= weight <= _LARGEST:
        raise ValueError(
            f"`class_weight` must hold finite numbers >= 0. Received: "
            f"{index}: {weight!r}"
        )
