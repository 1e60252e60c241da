"""A penalty that needs no search: it is adapted while the networks train.

Two things ask for a stronger penalty: more noise, and a network that memorises
it. With `v` the best accuracy so far on validation labels as noisy as the
training labels (a mean of five consecutive epochs), `1 - v` tells of the noise.
A network that has learned what inputs tell about labels is as often right on
the labels it is trained on as on others; by what its accuracy `t` on them is
ahead of `v`, it has memorised. After each epoch

    allowed = max(0.01, (1 - v) / 10)
    strength *= exp(0.1 * clip((t - v) / allowed - 1, -1, 1))
    penalty = strength * (1 - v)

with a strength between 6 and 60 that starts at 20: it rises while more than a
tenth of the labels that inputs do not tell may be memorised, and falls
otherwise. At half of the labels wrong the penalty lies between 3 and 30.

The validation accuracy cannot tell wrong labels from images that are hard: on
clean labels that are hard to learn the penalty ends stronger than it need be.
The constants were chosen on digits, on other seeds than the results are of; see
results/auto_penalty.md.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np

AUTO = "auto"
# Figures that a model with such a penalty reports.
ACCURACY = "label_accuracy"
WEIGHT = "penalty_weight"
FIRST_STRENGTH = 20.0
_LEAST_STRENGTH, _MOST_STRENGTH = 6.0, 60.0
_RATE = 0.1
_SHARE_MEMORISED = 0.1
_LEAST_ALLOWED = 0.01
_EPOCHS_OF_MEAN = 5


def best_accuracy(valid_accuracies: Sequence[float]) -> float:
    """Best mean of five consecutive epochs, or of all if there are fewer.

    Args:
        valid_accuracies: Accuracies on the validation labels after all epochs
            so far, at least one.

    Returns:
        A mean, in `[0, 1]`.
    """
    width = min(_EPOCHS_OF_MEAN, len(valid_accuracies))
    means = np.convolve(valid_accuracies, np.full(width, 1.0 / width), "valid")
    return float(min(1.0, means.max()))


def adapted_strength(
    strength: float, train_accuracy: float, valid_accuracy: float
) -> float:
    """The strength of the next epoch.

    Args:
        strength: That of the last epoch.
        train_accuracy: Accuracy of the classifier on the training labels in
            the last epoch, in `[0, 1]`.
        valid_accuracy: What `best_accuracy` returns.

    Returns:
        A strength within the module's bounds.
    """
    ahead = train_accuracy - valid_accuracy
    allowed = max(_LEAST_ALLOWED, _SHARE_MEMORISED * (1.0 - valid_accuracy))
    change = min(1.0, max(-1.0, ahead / allowed - 1.0))
    strength *= math.exp(_RATE * change)
    return min(_MOST_STRENGTH, max(_LEAST_STRENGTH, strength))


class AutoPenalty(keras.callbacks.Callback):
    """Adapts the penalty of a `LimitModel` with `gradient_penalty="auto"`.

    `LimitModel.fit` adds it.
    """

    def __init__(self):
        super().__init__()
        self._valid_accuracies = []

    def on_epoch_end(self, epoch, logs=None):
        """Sets the penalty of the next epoch."""
        self._valid_accuracies.append(logs[f"val_{ACCURACY}"])
        self.model.adapt_penalty(logs[ACCURACY], self._valid_accuracies)


def callbacks_for(fit_arguments: dict) -> list[keras.callbacks.Callback]:
    """The callback that a call of `fit` needs.

    Args:
        fit_arguments: Arguments of `keras.Model.fit` by name.

    Returns:
        The callback; none if a callback of the caller's adapts the penalty,
        and says so by a true attribute `adapts_penalty`.

    Raises:
        ValueError: If there is no validation after every epoch.
    """
    given = fit_arguments.get("callbacks") or []
    given = getattr(given, "callbacks", given)
    given = given if isinstance(given, (list, tuple)) else [given]
    if any(getattr(callback, "adapts_penalty", False) for callback in given):
        return []
    if fit_arguments.get("validation_data") is None and not fit_arguments.get(
        "validation_split"
    ):
        raise ValueError(
            "`validation_data` or `validation_split` must be given with "
            "gradient_penalty='auto', which goes by the accuracy on it. "
            "Received: neither"
        )
    frequency = fit_arguments.get("validation_freq", 1)
    if frequency != 1:
        raise ValueError(
            "`validation_freq` must be 1 with gradient_penalty='auto', which "
            f"goes by the accuracy of every epoch. Received: {frequency}"
        )
    return [AutoPenalty()]
