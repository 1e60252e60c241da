"""Losses of labels and logits for training on noisy labels.

A Keras model that ends in a softmax or sigmoid is refused where it can be seen:
in the graph of `fit`, or on what Keras's own activations return. One that hides
it in a function of its own, or in a model called through `tf.function`, is not
seen; `limit_tf.ClassifierModel` looks at the network's answers, too.
"""

import keras

from limit_tf.losses.determinant_mutual_information import (
    DeterminantMutualInformation,
)
from limit_tf.losses.forward_corrected_cross_entropy import (
    ForwardCorrectedCrossEntropy,
)
from limit_tf.losses.generalized_cross_entropy import GeneralizedCrossEntropy
from limit_tf.losses.mean_absolute_error import MeanAbsoluteError
from limit_tf.losses.symmetric_cross_entropy import SymmetricCrossEntropy

LOSSES = {
    "mae": MeanAbsoluteError,
    "gce": GeneralizedCrossEntropy,
    "sce": SymmetricCrossEntropy,
    "forward_correction": ForwardCorrectedCrossEntropy,
    "dmi": DeterminantMutualInformation,
}

__all__ = [
    "LOSSES",
    "DeterminantMutualInformation",
    "ForwardCorrectedCrossEntropy",
    "GeneralizedCrossEntropy",
    "MeanAbsoluteError",
    "SymmetricCrossEntropy",
    "get",
]


def get(
    identifier: str | keras.losses.Loss, **arguments: object
) -> keras.losses.Loss:
    """Returns the loss of a name, or the instance itself.

    Args:
        identifier: A key of `LOSSES`: `"mae"`, `"gce"`, `"sce"`,
            `"forward_correction"` or `"dmi"`; or an instance of
            `keras.losses.Loss`.
        **arguments: Arguments of the loss's constructor; only with a name.

    Returns:
        A loss of labels and logits.

    Raises:
        TypeError: If the constructor has no such argument, or it has the
            wrong type.
        ValueError: If there is no such loss, an argument is outside its
            range, or arguments are given with an instance.

    Example:
    ```python
    from limit_tf import losses

    losses.get("gce", q=0.5)
    ```
    """
    if isinstance(identifier, str) and identifier in LOSSES:
        return LOSSES[identifier](**arguments)
    if not isinstance(identifier, keras.losses.Loss):
        raise ValueError(
            f"`identifier` must be one of {sorted(LOSSES)} or an instance of "
            f"keras.losses.Loss. Received: identifier={identifier!r}"
        )
    if arguments:
        raise ValueError(
            "`arguments` belong to the name of a loss, not to an instance. "
            f"Received: arguments={arguments}"
        )
    return identifier
