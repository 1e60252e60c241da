"""What noisy validation labels say of the true ones, by a transition matrix.

The matrix `T`, `T[i, j]` the probability that a label of class `i` reads `j`,
is estimated from the outputs of one trial, as forward correction does
(`limit_tf.noise.estimate_transition_matrix`). These have to be probabilities of
the noisy labels, which methods against noise do not give; so they are first
brought nearer to them by a temperature (Guo et al., 2017). Two figures of any
trial follow:

- The corrected accuracy: of a validation image whose predicted class is `p` and
  whose noisy label is `j`, `inverse(T)[j, p]`. Over the noise, its mean is the
  accuracy on true labels (Natarajan et al., 2013, with the error as the loss).
  Its standard error grows with the noise: at 80 % of ten classes to 9 times
  that of the noisy accuracy. It tells how good a classifier may be, not more
  about which of two is better.
- The forward-corrected cross-entropy, `-log (T' softmax(logits))[j]` (Patrini
  et al., 2017): the least where the outputs are the probabilities of the true
  classes, while the plain one asks for those of the noisy labels.

Both are as good as the estimate of `T` is, whose own error is not in the
standard error.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from limit_tf import noise
from limit_tf.tuning.trials import FinishedTrial
from limit_tf.tuning.trials import read_predictions

# Rows of so few labels say nothing of ten classes.
_LEAST_LABELS_A_CLASS = 10
# The inverse of such a matrix multiplies the errors of its estimate.
_MOST_CONDITION = 100.0


@dataclasses.dataclass(frozen=True)
class Correction:
    """An estimated transition matrix, or why there is none.

    Attributes:
        transition_matrix: Array `(num_classes, num_classes)`; None without an
            estimate.
        reason: Which trial it was estimated from, or what forbids it.
    """

    transition_matrix: np.ndarray | None
    reason: str


@dataclasses.dataclass(frozen=True)
class Corrected:
    """Figures of a trial that an estimated transition matrix gives.

    Attributes:
        accuracy: Estimated accuracy on true labels.
        standard_error: Its standard error, the matrix taken for true.
        cross_entropy: Forward-corrected cross-entropy, nats an example.
    """

    accuracy: float
    standard_error: float
    cross_entropy: float


def correct(
    folder: pathlib.Path, trials: Sequence[FinishedTrial]
) -> tuple[Correction, dict[str, Corrected]]:
    """Corrects the figures of a search's trials.

    The transition matrix is estimated from the trial whose outputs, at the
    best temperature, have the least cross-entropy on the noisy labels: they
    are nearest to their probabilities. An estimate by which a trial is better
    than perfect, by more than two standard errors, is given up.

    Args:
        folder: Folder of the search.
        trials: Its finished trials, at least one.

    Returns:
        The estimate, and the figures by the trials' names: none without an
        estimate.
    """
    best = min(
        trials,
        key=lambda trial: calibrated(*read_predictions(folder, trial.trial_id))[
            1
        ],
    )
    logits, _ = calibrated(*read_predictions(folder, best.trial_id))
    correction = estimate(best.trial_id, logits)
    matrix = correction.transition_matrix
    if matrix is None:
        return correction, {}
    figures = {}
    for trial in trials:
        logits, labels = read_predictions(folder, trial.trial_id)
        classes = logits.argmax(axis=-1)
        figures[trial.trial_id] = Corrected(
            *corrected_accuracy(classes, labels, matrix),
            forward_cross_entropy(logits, labels, matrix),
        )
    if any(f.accuracy - 2.0 * f.standard_error > 1.0 for f in figures.values()):
        reason = f"trial {best.trial_id} tells too little of the noise"
        return Correction(None, reason), {}
    return correction, figures


def calibrated(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, float]:
    """Divides logits by the temperature that fits labels best.

    Args:
        logits: Array `(n, num_classes)`.
        labels: Labels, `(n,)`.

    Returns:
        The logits divided by the temperature, between 1/20 and 50, and their
        mean cross-entropy, nats an example.

    References:
        - [Guo et al., 2017](https://arxiv.org/abs/1706.04599)
    """
    logits = logits.astype(np.float64)

    def cross_entropy(log_temperature):
        scaled = logits / math.exp(log_temperature)
        own = scaled[np.arange(len(labels)), labels]
        return float((np.logaddexp.reduce(scaled, axis=-1) - own).mean())

    found = optimize.minimize_scalar(
        cross_entropy,
        bounds=(-math.log(20.0), math.log(50.0)),
        method="bounded",
    )
    return logits / math.exp(found.x), float(found.fun)


def estimate(trial_id: str, logits: np.ndarray) -> Correction:
    """Estimates the transition matrix from a trial's outputs.

    Args:
        trial_id: Name of the trial, for the reason.
        logits: Its logits of the validation images, `(n, num_classes)`.

    Returns:
        The estimate. There is none where images are few, or where the
        estimate says that most labels of a class read as another one, which
        no estimate from noisy labels can tell from a mistaken network.
    """
    num_classes = logits.shape[1]
    if len(logits) < _LEAST_LABELS_A_CLASS * num_classes:
        return Correction(
            None,
            f"{len(logits)} validation labels are too few for "
            f"{num_classes} classes",
        )
    try:
        matrix = noise.estimate_transition_matrix(_softmax(logits))
    except ValueError:  # the outputs for some class are all alike
        return Correction(
            None, f"by trial {trial_id}, no image is typical of some class"
        )
    classes = np.arange(num_classes)
    wrong = classes[matrix.argmax(axis=1) != classes]
    if len(wrong):
        return Correction(
            None,
            f"by trial {trial_id}, labels of class {wrong[0]} mostly read "
            f"{matrix[wrong[0]].argmax()}",
        )
    if np.linalg.cond(matrix) > _MOST_CONDITION:
        return Correction(
            None,
            f"by trial {trial_id}, labels hardly depend on the true classes",
        )
    return Correction(matrix, f"estimated from trial {trial_id}")


def corrected_accuracy(
    classes: np.ndarray, labels: np.ndarray, transition_matrix: np.ndarray
) -> tuple[float, float]:
    """Estimates an accuracy on true labels from noisy ones.

    Args:
        classes: Predicted classes, `(n,)`.
        labels: Noisy labels, `(n,)`.
        transition_matrix: Invertible matrix `(num_classes, num_classes)`.

    Returns:
        The estimate, which may lie outside `[0, 1]`, and its standard error.

    References:
        - [Natarajan et al., 2013](https://papers.nips.cc/paper/5073)
    """
    inverse = np.linalg.inv(transition_matrix)
    shares = inverse[labels, classes]
    return float(shares.mean()), float(shares.std() / math.sqrt(len(shares)))


def forward_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, transition_matrix: np.ndarray
) -> float:
    """Mean forward-corrected cross-entropy.

    Args:
        logits: Array `(n, num_classes)`.
        labels: Noisy labels, `(n,)`.
        transition_matrix: Matrix `(num_classes, num_classes)`.

    Returns:
        Nats an example.

    References:
        - [Patrini et al., 2017](https://arxiv.org/abs/1609.03683)
    """
    noisy = _softmax(logits) @ transition_matrix
    own = noisy[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def _softmax(logits):
    shifted = np.exp(
        logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    )
    return shifted / shifted.sum(axis=-1, keepdims=True)
