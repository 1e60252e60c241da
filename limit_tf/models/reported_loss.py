"""The compiled loss, which is reported and not trained on."""

import keras

# Losses of Keras that take probabilities and have no `from_logits`.
_OF_PROBABILITIES = (
    "CategoricalGeneralizedCrossEntropy",
    "KLDivergence",
    "categorical_generalized_cross_entropy",
    "kl_divergence",
)


def logit_loss(loss) -> keras.losses.Loss | None:
    """Returns the loss to report, as an object.

    Args:
        loss: What `compile` takes as the loss of one output, or None.

    Returns:
        A loss of labels and logits, or None.

    Raises:
        ValueError: If it is a cross-entropy that would take the logits for
            probabilities.
    """
    if loss is None:
        return None
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", type(loss).__name__)
    from_logits = (
        loss.get_config().get("from_logits")
        if isinstance(loss, keras.losses.Loss)
        else False
    )
    wants_probabilities = name in _OF_PROBABILITIES or (
        "crossentropy" in name.lower() and from_logits is False
    )
    if wants_probabilities:
        raise ValueError(
            "`loss` must take logits: pass keras.losses."
            "SparseCategoricalCrossentropy(from_logits=True), or leave it out "
            f"for the cross-entropy. Received: loss={name}"
        )
    if isinstance(loss, keras.losses.Loss):
        return loss
    return _FunctionLoss(loss)


class _FunctionLoss(keras.losses.Loss):
    """Gives a loss function weights and a mean over the batch."""

    def __init__(self, function):
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred)
