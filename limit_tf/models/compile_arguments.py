"""Checks of the arguments of `compile`."""

import numbers

import keras
from absl import logging


def weights_and_metrics(loss_weights, metrics):
    """Tells metrics in the place of the loss weights from weights.

    tf.keras took the metrics third, where Keras takes the loss weights: a
    list of metrics there can mean nothing else.

    Args:
        loss_weights: Third argument of `compile`.
        metrics: Fourth argument of `compile`.

    Returns:
        The loss weights and the metrics.

    Raises:
        TypeError: If the loss weights are neither numbers nor metrics.
        ValueError: If there are metrics in both places.
    """
    leaves = keras.tree.flatten(loss_weights)
    if all(isinstance(leaf, numbers.Real | None) for leaf in leaves):
        return loss_weights, metrics
    if not all(isinstance(leaf, str | keras.metrics.Metric) for leaf in leaves):
        raise TypeError(
            "`loss_weights` must be numbers. Received: "
            f"loss_weights={loss_weights!r}"
        )
    if metrics is not None:
        raise ValueError(
            "`loss_weights` must be numbers: `metrics` come after them. "
            f"Received: loss_weights={loss_weights!r}, metrics={metrics!r}"
        )
    logging.warning(
        "`loss_weights` %r are taken for `metrics`: pass them as metrics=...",
        loss_weights,
    )
    return None, loss_weights


def check_no_loss_weights(loss_weights, model_class: str) -> None:
    """Refuses weights of a loss that a method does not train on as it is.

    Args:
        loss_weights: Argument of `compile`, numbers or None.
        model_class: Name of the model's class, for the error message.

    Raises:
        ValueError: If a weight is given that is not 1.
    """
    if any(
        weight not in (None, 1) for weight in keras.tree.flatten(loss_weights)
    ):
        raise ValueError(
            f"`loss_weights` must be left out: {model_class} has one output "
            f"and weighs its terms itself. Received: loss_weights="
            f"{loss_weights!r}"
        )
