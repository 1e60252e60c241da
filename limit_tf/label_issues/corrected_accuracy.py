"""What noisy labels say of the accuracy on true ones, by a transition matrix.

The matrix `T`, `T[i, j]` the probability that a label of class `i` reads `j`,
is estimated from a network's outputs, as forward correction does
(`limit_tf.noise.estimate_transition_matrix`). These have to be probabilities of
the noisy labels, which methods against noise do not give; so they are first
brought nearer to them by a temperature (Guo et al., 2017).

Of an example whose predicted class is `p` and whose noisy label is `j`,
`inverse(T)[j, p]` has, over the noise, the accuracy on true labels for its mean
(Natarajan et al., 2013, with the error as the loss). Its standard error grows
with the noise: at 80 % of ten classes to 9 times that of the noisy accuracy. It
tells how good a classifier may be, not more about which of two is better.

Whose outputs are not probabilities of noisy labels, even so, gets a wrong
matrix, and which examples stand for the classes then matters much. How far two
such choices differ is therefore part of the standard error.

An estimate outside `[0, 1]`, or with a standard error above five per cent, is
none: it says less than the range that any accuracy lies in.
"""

import dataclasses
import functools
import math

import numpy as np
from scipy import optimize

from limit_tf import noise

# Rows of so few labels say nothing of ten classes.
_LEAST_LABELS_A_CLASS = 10
# The inverse of such a matrix multiplies the errors of its estimate.
_MOST_CONDITION = 100.0
# Two of them on either side are a fifth of the range.
MOST_STANDARD_ERROR = 0.05
_NUM_RESAMPLES = 100
# The examples that stand for the classes are a choice, 97 the usual one.
_OTHER_PERCENTILE = 99.0


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionEstimate:
    """An estimated transition matrix, or why there is none.

    Attributes:
        transition_matrix: Array `(num_classes, num_classes)`; None without an
            estimate.
        reason: What it was estimated from, or what forbids it.
        probs: The outputs that it was estimated from, `(n, num_classes)`.
    """

    transition_matrix: np.ndarray | None
    reason: str
    probs: np.ndarray | None = None

    @functools.cached_property
    def other_matrix(self) -> np.ndarray | None:
        """The matrix by more typical examples; None without an inverse."""
        try:
            matrix = noise.estimate_transition_matrix(
                self.probs, filter_percentile=_OTHER_PERCENTILE
            )
        except ValueError:
            return None
        return None if np.linalg.cond(matrix) > _MOST_CONDITION else matrix

    @functools.cached_property
    def _resamples(self):
        """Rows of bootstrap resamples, and the inverses by them."""
        rng = np.random.default_rng(0)
        found = []
        for _ in range(_NUM_RESAMPLES):
            rows = rng.integers(len(self.probs), size=len(self.probs))
            try:
                matrix = noise.estimate_transition_matrix(self.probs[rows])
                found.append((rows, np.linalg.inv(matrix)))
            except (ValueError, np.linalg.LinAlgError):
                continue  # nothing in it is typical of some class
        return found

    def estimates(self, classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Estimates an accuracy in bootstrap resamples, the matrix anew.

        Args:
            classes: Predicted classes of the examples of `probs`, `(n,)`.
            labels: Their noisy labels, `(n,)`.

        Returns:
            An estimate for each resample that has a matrix.
        """
        return np.array(
            [
                inverse[labels[rows], classes[rows]].mean()
                for rows, inverse in self._resamples
            ]
        )


@dataclasses.dataclass(frozen=True)
class CorrectedAccuracy:
    """An estimated accuracy on true labels, or why there is none.

    Attributes:
        accuracy: The estimate, in `[0, 1]`; None where it tells nothing.
        standard_error: Its standard error; None likewise.
        reason: What it was estimated from, or why there is none.
    """

    accuracy: float | None
    standard_error: float | None
    reason: str


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


def estimate_transitions(
    logits: np.ndarray, subject: str = "the network"
) -> TransitionEstimate:
    """Estimates the transition matrix from calibrated outputs.

    Args:
        logits: Logits of examples with noisy labels, `(n, num_classes)`, as
            `calibrated` gives them.
        subject: Whose they are, for the reason.

    Returns:
        The estimate. There is none where examples are few, or where the
        estimate says that most labels of a class read as another one, which
        no estimate from noisy labels can tell from a mistaken network.
    """
    num_classes = logits.shape[1]
    if len(logits) < _LEAST_LABELS_A_CLASS * num_classes:
        return TransitionEstimate(
            None, f"{len(logits)} labels are too few for {num_classes} classes"
        )
    probs = _softmax(logits)
    try:
        matrix = noise.estimate_transition_matrix(probs)
    except ValueError:  # the outputs for some class are all alike
        return TransitionEstimate(
            None, f"by {subject}, no example is typical of some class"
        )
    classes = np.arange(num_classes)
    wrong = classes[matrix.argmax(axis=1) != classes]
    if len(wrong):
        return TransitionEstimate(
            None,
            f"by {subject}, labels of class {wrong[0]} mostly read "
            f"{matrix[wrong[0]].argmax()}",
        )
    if np.linalg.cond(matrix) > _MOST_CONDITION:
        return TransitionEstimate(
            None, f"by {subject}, labels hardly depend on the true classes"
        )
    return TransitionEstimate(matrix, f"estimated from {subject}", probs)


def corrected_accuracy(
    classes: np.ndarray,
    labels: np.ndarray,
    transitions: TransitionEstimate | np.ndarray,
) -> CorrectedAccuracy:
    """Estimates an accuracy on true labels from noisy ones.

    Args:
        classes: Predicted classes, `(n,)`.
        labels: Noisy labels, `(n,)`.
        transitions: What `estimate_transitions` gave for outputs of the same
            examples: its own error is part of the standard error. Or an
            invertible matrix `(num_classes, num_classes)`, taken for the true
            one.

    Returns:
        The estimate, or why there is none.

    References:
        - [Natarajan et al., 2013](https://papers.nips.cc/paper/5073)
    """
    if not isinstance(transitions, TransitionEstimate):
        transitions = TransitionEstimate(transitions, "by a given matrix")
    if transitions.transition_matrix is None:
        return CorrectedAccuracy(None, None, transitions.reason)
    return judged(
        *unchecked_accuracy(classes, labels, transitions), transitions.reason
    )


def judged(estimate: float, error: float, reason: str) -> CorrectedAccuracy:
    """Keeps an estimate that tells something.

    Args:
        estimate: Estimated accuracy, as `unchecked_accuracy` gives it.
        error: Its standard error.
        reason: What it was estimated from.

    Returns:
        The estimate, or why there is none.
    """
    if not 0.0 <= estimate <= 1.0:
        words = f"the estimate, {estimate:.1%}, is no accuracy"
        return CorrectedAccuracy(None, None, words)
    if error > MOST_STANDARD_ERROR:
        words = f"its standard error, {error:.1%}, is too large"
        return CorrectedAccuracy(None, None, words)
    return CorrectedAccuracy(estimate, error, reason)


def unchecked_accuracy(
    classes: np.ndarray, labels: np.ndarray, transitions: TransitionEstimate
) -> tuple[float, float]:
    """Estimates an accuracy, whether or not it tells anything.

    Args:
        classes: As in `corrected_accuracy`.
        labels: As there.
        transitions: As there, with a matrix.

    Returns:
        The estimate, which may lie outside `[0, 1]`, and its standard error.
    """
    shares = np.linalg.inv(transitions.transition_matrix)[labels, classes]
    error = shares.std() / math.sqrt(len(shares))
    if transitions.probs is not None:
        estimates = transitions.estimates(classes, labels)
        if not len(estimates):
            return float(shares.mean()), math.inf
        low, high = np.percentile(estimates, (15.87, 84.13))
        error = max(error, (high - low) / 2.0)
        other = transitions.other_matrix
        if other is None:
            return float(shares.mean()), math.inf
        difference = np.linalg.inv(other)[labels, classes].mean()
        error = math.hypot(error, difference - shares.mean())
    return float(shares.mean()), float(error)


def corrected_accuracy_of(
    logits: np.ndarray, labels: np.ndarray, subject: str = "the network"
) -> CorrectedAccuracy:
    """Estimates a network's accuracy on true labels, by itself alone.

    Args:
        logits: Its logits of examples that it was not trained on,
            `(n, num_classes)`.
        labels: Their noisy labels, `(n,)`.
        subject: What to call it in the reason.

    Returns:
        The estimate, or why there is none.
    """
    transitions = estimate_transitions(calibrated(logits, labels)[0], subject)
    return corrected_accuracy(logits.argmax(axis=-1), labels, transitions)


def _softmax(logits):
    shifted = np.exp(
        logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    )
    return shifted / shifted.sum(axis=-1, keepdims=True)
