"""What the hypermodels do with a user's builders and ranges."""

import math
from collections.abc import Callable
from collections.abc import Sequence

import keras
import keras_tuner

# What a builder of networks looks like: from the number of classes to a
# network that ends in logits.
Builder = Callable[..., keras.Model]


def check_num_classes(num_classes: int) -> None:
    """Refuses a number of classes that no classifier has."""
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(
            "`num_classes` must be a whole number >= 2. Received: "
            f"num_classes={num_classes!r}"
        )


def check_builder(builder: Builder, argument: str) -> None:
    """Refuses what cannot be called."""
    if not callable(builder):
        raise TypeError(
            f"`{argument}` must be a function of the number of classes that "
            f"returns a Keras model. Received: {argument}={builder!r}"
        )


def check_range(
    bounds: Sequence[float],
    argument: str,
    *,
    below: float = math.inf,
) -> tuple[float, float]:
    """Refuses bounds that are not two rising positive numbers.

    Args:
        bounds: The least and the largest value.
        argument: Name of the argument that holds them.
        below: What the largest value must be less than.

    Returns:
        The bounds.

    Raises:
        ValueError: If they are something else.
    """
    bounds = tuple(bounds)
    if len(bounds) != 2 or not 0.0 < bounds[0] < bounds[1] < below:
        raise ValueError(
            f"`{argument}` must be two rising numbers in (0, {below:g}). "
            f"Received: {argument}={bounds}"
        )
    return bounds


def build_network(
    builder: Builder, argument: str, num_classes: int, **options
) -> keras.Model:
    """Builds a network and looks at what came.

    Args:
        builder: The user's function.
        argument: Name of the argument that holds it.
        num_classes: Number of classes to ask for.
        **options: Keyword arguments of the builder.

    Returns:
        The network.

    Raises:
        TypeError: If it is not a Keras model.
        ValueError: If it has another number of outputs.
    """
    network = builder(num_classes, **options)
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{argument}` must return a Keras model. Received: {network!r}"
        )
    outputs = network.output_shape[-1] if network.built else num_classes
    if outputs != num_classes:
        raise ValueError(
            f"`{argument}` must return a network with num_classes="
            f"{num_classes} logits. Received: {outputs} outputs"
        )
    return network


def log_float(
    hp: keras_tuner.HyperParameters, name: str, bounds: tuple[float, float]
) -> float:
    """Declares a value on a logarithmic scale.

    Args:
        hp: Hyperparameters of a trial.
        name: Name of the value.
        bounds: Its least and largest value; the default is their geometric
            mean.

    Returns:
        The value of the trial.
    """
    return hp.Float(
        name, *bounds, sampling="log", default=math.sqrt(bounds[0] * bounds[1])
    )
