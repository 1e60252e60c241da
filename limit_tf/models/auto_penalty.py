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
# Variables that remember accuracies, and their value where there is none.
MEMORY = ("recent_accuracies", "best_accuracy")
_NONE = -1.0
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


class AccuracyMemory:
    """What a model remembers of its validation accuracies.

    Two variables of the model, so that they are saved with it: the accuracies
    of the last five epochs and the best mean of five, -1 where there is none.

    Args:
        add_weight: `add_weight` of the model.
    """

    def __init__(self, add_weight):
        options = {"dtype": "float64", "trainable": False}
        options["initializer"] = keras.initializers.Constant(_NONE)
        self._recent = add_weight(
            name=MEMORY[0], shape=(_EPOCHS_OF_MEAN,), **options
        )
        self._best = add_weight(name=MEMORY[1], shape=(), **options)

    def best_with(self, valid_accuracies: Sequence[float]) -> float:
        """Remembers further epochs.

        Args:
            valid_accuracies: Accuracies after the epochs since the last call.

        Returns:
            What `best_accuracy` returns for all epochs so far.
        """
        recent, best = self._recent.numpy(), float(self._best.numpy())
        recent = recent[recent != _NONE].tolist()
        for accuracy in valid_accuracies:
            recent = [*recent, float(accuracy)][-_EPOCHS_OF_MEAN:]
            mean = best_accuracy(recent)
            if len(recent) == _EPOCHS_OF_MEAN:
                best = max(best, mean)
        padding = [_NONE] * (_EPOCHS_OF_MEAN - len(recent))
        self._recent.assign(np.array([*padding, *recent]))
        self._best.assign(best)
        return max(best, mean)

    def forget(self) -> None:
        """Forgets all epochs."""
        self._recent.assign(np.full(_EPOCHS_OF_MEAN, _NONE))
        self._best.assign(_NONE)


def memory_of_old_file(strength: float, penalty: float) -> tuple:
    """What a file tells that was saved before models remembered accuracies.

    Args:
        strength: Strength of the penalty in the file.
        penalty: The penalty in the file, the strength times `1 - v`.

    Returns:
        Values of the two variables of an `AccuracyMemory`: no epoch, and `v`
        as the best mean.
    """
    best = 1.0 - float(penalty) / float(strength)
    return np.full(_EPOCHS_OF_MEAN, _NONE), np.float64(best)


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

    `LimitModel.fit` adds it, before all other callbacks: those that save the
    model then save the penalty of the next epoch. It keeps nothing itself.
    """

    # That a callback has this, `fit` takes for its adapting the penalty.
    adapts_penalty = True

    def on_epoch_end(self, epoch, logs=None):
        """Sets the penalty of the next epoch."""
        self.model.adapt_penalty(logs[ACCURACY], logs[f"val_{ACCURACY}"])


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
    given = keras.tree.flatten(getattr(given, "callbacks", given))
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
