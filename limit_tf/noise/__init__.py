"""Label noise in NumPy: transition matrices, and corruption by them."""

import inspect

import numpy as np

from limit_tf.noise.corruption import NoisyLabels
from limit_tf.noise.corruption import corrupt_labels
from limit_tf.noise.estimation import estimate_transition_matrix
from limit_tf.noise.example_ids import check_example_ids
from limit_tf.noise.labels import check_labels
from limit_tf.noise.transition import CIFAR10_ASYMMETRIC
from limit_tf.noise.transition import CIFAR10_PAIRS
from limit_tf.noise.transition import block_cycle_class_map
from limit_tf.noise.transition import check_transition_matrix
from limit_tf.noise.transition import class_map_transition_matrix
from limit_tf.noise.transition import identity_transition_matrix
from limit_tf.noise.transition import pair_transition_matrix
from limit_tf.noise.transition import symmetric_transition_matrix
from limit_tf.noise.transition import uniform_transition_matrix

__all__ = [
    "CIFAR10_ASYMMETRIC",
    "CIFAR10_PAIRS",
    "KINDS",
    "NoisyLabels",
    "block_cycle_class_map",
    "check_belonging",
    "check_example_ids",
    "check_labels",
    "check_transition_matrix",
    "class_map_transition_matrix",
    "corrupt_labels",
    "estimate_transition_matrix",
    "get",
    "identity_transition_matrix",
    "pair_transition_matrix",
    "symmetric_transition_matrix",
    "uniform_transition_matrix",
]

# A kind takes those arguments of `get` that its function has.
KINDS = {
    "none": identity_transition_matrix,
    "symmetric": symmetric_transition_matrix,
    "uniform": uniform_transition_matrix,
    "pair": pair_transition_matrix,
    "matrix": check_transition_matrix,
}


def get(
    kind: str,
    *,
    num_classes: int,
    noise_rate: float | None,
    class_map: dict[int, int] | None = None,
    transition_matrix: np.ndarray | None = None,
) -> np.ndarray:
    """Builds the transition matrix of a kind of label noise.

    Args:
        kind: A key of `KINDS`: `"none"`, `"symmetric"`, `"uniform"`,
            `"pair"`, or `"matrix"` for a matrix of one's own.
        num_classes: Number of classes `K`, at least 2.
        noise_rate: The rate in `[0, 1]` that `"symmetric"`, `"uniform"` and
            `"pair"` need; 0 or `None` with the other kinds.
        class_map: For `"pair"` only: source class to target class.
        transition_matrix: For `"matrix"` only: array of shape `(K, K)`.

    Returns:
        Array of shape `(K, K)`, float64, whose rows sum to one.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the kind is unknown, or if an argument is missing, is
            outside its range or does not belong to the kind.
    """
    arguments = check_belonging(
        kind,
        noise_rate=noise_rate,
        class_map=class_map,
        transition_matrix=transition_matrix,
    )
    return KINDS[kind](num_classes=num_classes, **arguments)


def check_belonging(
    kind: str,
    *,
    noise_rate: float | None,
    class_map: dict[int, int] | None,
    transition_matrix: np.ndarray | None,
) -> dict[str, object]:
    """Checks that a kind of noise has the arguments that it needs, no others.

    Args:
        kind: As in `get`.
        noise_rate: As there.
        class_map: As there.
        transition_matrix: As there.

    Returns:
        Those of the arguments that the kind takes.

    Raises:
        ValueError: If the kind is unknown, or an argument is missing or does
            not belong to it.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(
            f"`kind` must be one of {', '.join(KINDS)}. Received: kind={kind!r}"
        )
    given = {
        "noise_rate": noise_rate,
        "class_map": class_map,
        "transition_matrix": transition_matrix,
    }
    parameters = inspect.signature(KINDS[kind]).parameters
    arguments = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in parameters:
            arguments[name] = value
        elif name != "noise_rate" or value != 0:
            raise ValueError(
                f"`{name}` does not belong to the noise kind {kind!r}. "
                f"Received: {name}={_on_one_line(value)}"
            )
    for name, parameter in parameters.items():
        is_needed = parameter.default is parameter.empty
        if is_needed and name not in arguments and name != "num_classes":
            raise ValueError(
                f"`{name}` is needed by the noise kind {kind!r}. "
                f"Received: {name}=None"
            )
    return arguments


def _on_one_line(value):
    return " ".join(repr(value).split())
