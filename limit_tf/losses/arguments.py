"""Checks that the losses share."""

import numbers
from collections.abc import Callable

import tensorflow as tf

from limit_tf.ops import label_distribution

_ACTIVATIONS = ("Softmax", "Sigmoid")


def check_number(
    value: float, name: str, is_valid: Callable[[float], bool], rule: str
) -> float:
    """Checks an argument that must be a number.

    Args:
        value: The argument.
        name: Its name, for error messages.
        is_valid: Says whether a number obeys the rule.
        rule: The rule in words, as in "be positive".

    Returns:
        The argument as a `float`.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If it breaks the rule.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(
            f"`{name}` must be a number. Received: {name}={value!r}"
        )
    if not is_valid(value):
        raise ValueError(f"`{name}` must {rule}. Received: {name}={value}")
    return float(value)


def labels_and_logits(
    y_true: tf.Tensor, y_pred: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Brings what a loss is called with into one form.

    Args:
        y_true: Labels of any form that `label_distribution` takes.
        y_pred: Logits `(batch, num_classes)`, any float dtype.

    Returns:
        Label distributions and logits, both `(batch, num_classes)`, float32.
        The row of an invalid label is NaN.

    Raises:
        ValueError: If the labels or the logits have another shape, or the
            logits are seen to come out of a softmax or sigmoid.
    """
    _refuse_probabilities(y_pred)
    logits = tf.cast(tf.convert_to_tensor(y_pred), tf.float32)
    shape = logits.shape
    if shape.rank != 2 or shape[-1] is None:
        raise ValueError(
            "`y_pred` must hold logits of shape (batch, num_classes). "
            "Received: "
            f"y_pred.shape={tuple(shape) if shape.rank is not None else None}"
        )
    return label_distribution(y_true, shape[-1]), logits


def _refuse_probabilities(y_pred):
    """Refuses the output of a softmax or sigmoid, where that can be seen.

    Keras notes the logits on what its own activations return, and in a graph
    the operation is there. A value alone does not tell: logits may lie between
    0 and 1.
    """
    if hasattr(y_pred, "_keras_logits") or _operation(y_pred) in _ACTIVATIONS:
        raise ValueError(
            "`y_pred` must hold logits: remove the softmax or sigmoid that "
            "the model ends in, the loss applies softmax itself. Received: "
            "the output of such an activation"
        )


def _operation(tensor):
    """Type of the operation of a graph that a tensor comes from."""
    if not tf.is_symbolic_tensor(tensor):
        return None
    operation = tensor.op
    while operation.type in ("Identity", "Cast") and operation.inputs:
        operation = operation.inputs[0].op
    return operation.type
