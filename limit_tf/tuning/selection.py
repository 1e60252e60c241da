"""Which trial is chosen, and how sure that is.

Noisy validation labels see a trial through a haze: `n` of them give an accuracy
`a` with a standard error of `sqrt(a (1 - a) / n)`. Two things make a choice
surer. A trial is judged by its mean accuracy over consecutive epochs, see
`limit_tf.tuning.smoothing`. And all trials predict the same labels, most of
them alike, so that the *difference* of two of them is surer than either. Where
it is not larger than its own standard error, a trial is as good as the best for
all one knows.

Of these, those are kept that memorise least, see `FinishedTrial.memorised`, or
up to a twentieth more; of them the best is chosen. (The strongest penalty of
all that may be as good, whatever they memorise, is too strong where labels tell
little: results/tuning.md.) LIMIT's penalty weighs against a matching loss,
which is another one for every family `q_dist`: only trials of the best one's
family are compared.

What the noisy accuracy can tell: where labels are wrong at random (symmetric
noise), or where in each class more are right than confused with any other, the
classifier that agrees best with noisy labels is the one that agrees best with
true ones; the differences shrink by the noise (at 50 % wrong of ten classes to
4/9), the standard error does not. What it cannot tell: which of two is better
where noise depends on the image itself, or where most labels of a class are
wrong in the same way.
"""

import dataclasses
import math
from collections.abc import Sequence

from limit_tf.tuning.trials import FinishedTrial
from limit_tf.tuning.trials import error_of_mean

_MEMORISED_MORE = 0.05


def standard_error(accuracy: float, num_labels: int) -> float:
    """Standard error of an accuracy on independent labels.

    Args:
        accuracy: Share of labels that are predicted, in `[0, 1]`.
        num_labels: Number of labels, at least 1.

    Returns:
        `sqrt(a (1 - a) / n)`.

    Raises:
        ValueError: If an argument is outside its range.
    """
    if not 0.0 <= accuracy <= 1.0:
        raise ValueError(
            f"`accuracy` must lie in [0, 1]. Received: accuracy={accuracy}"
        )
    if num_labels < 1:
        raise ValueError(
            f"`num_labels` must be at least 1. Received: {num_labels}"
        )
    return math.sqrt(accuracy * (1.0 - accuracy) / num_labels)


@dataclasses.dataclass(frozen=True)
class Distance:
    """How far a trial is behind another one.

    Attributes:
        accuracy: Difference of their accuracies on the same labels.
        standard_error: Standard error of that difference.
    """

    accuracy: float
    standard_error: float

    @property
    def is_a_tie(self) -> bool:
        """Whether the difference may well be chance."""
        return self.accuracy <= self.standard_error * (1 + 1e-9)


def distance(best: FinishedTrial, other: FinishedTrial) -> Distance:
    """Compares two trials label by label.

    Args:
        best: The better trial.
        other: The one that is compared with it.

    Returns:
        The mean of the labels' differences, and its standard error.
    """
    differences = best.hits - other.hits
    return Distance(float(differences.mean()), error_of_mean(differences))


@dataclasses.dataclass(frozen=True)
class Selection:
    """The chosen trial.

    Attributes:
        chosen: The trial.
        best: The one with the best mean accuracy.
        reason: Why it was chosen, in words.
    """

    chosen: FinishedTrial
    best: FinishedTrial
    reason: str


def select(
    trials: Sequence[FinishedTrial], family: str | None = None
) -> Selection:
    """Chooses a trial, as the module says.

    Trials that were trained in full are preferred: one that was stopped, or
    that got fewer epochs, is chosen only where there is no other.

    Args:
        trials: Finished trials, at least one.
        family: Name of a value; only trials that share the best one's are
            compared with it.

    Returns:
        The choice.

    Raises:
        ValueError: If there is no trial.
    """
    if not trials:
        raise ValueError("`trials` must hold a finished trial. Received: none")
    candidates = _trained_in_full(trials)
    best = max(candidates, key=lambda trial: trial.mean_accuracy)
    tied = [
        trial
        for trial in candidates
        if distance(best, trial).is_a_tie
        and (
            family is None
            or trial.values.get(family) == best.values.get(family)
        )
    ]
    least = min(trial.memorised for trial in tied)
    chosen = max(
        (t for t in tied if t.memorised <= least + _MEMORISED_MORE),
        key=lambda trial: trial.mean_accuracy,
    )
    return Selection(chosen, best, _reason(chosen, best))


def _reason(chosen, best):
    if chosen is best:
        return (
            "the best on the validation labels, and none that may be as good "
            "memorises clearly less"
        )
    behind = distance(best, chosen)
    return (
        f"{behind.accuracy:.1%} ± {behind.standard_error:.1%} behind trial "
        f"{best.trial_id} on the same validation labels, which may be chance, "
        f"and memorises less: {_share(chosen)} in place of {_share(best)} of "
        "what inputs do not tell"
    )


def _share(trial):
    return f"{max(0.0, trial.memorised):.0%}"


def _trained_in_full(trials):
    whole = [trial for trial in trials if trial.stopped_early is None]
    whole = whole or list(trials)
    most = max(trial.epochs for trial in whole)
    return [trial for trial in whole if trial.epochs == most]
