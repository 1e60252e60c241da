"""What noisy validation labels say of a search's trials, beside the noise.

By a transition matrix that is estimated from one trial, two figures of any
trial follow: its corrected accuracy, see
`limit_tf.label_issues.corrected_accuracy`, and the forward-corrected
cross-entropy, `-log (T' softmax(logits))[j]` (Patrini et al., 2017): the least
where the outputs are the probabilities of the true classes, while the plain one
asks for those of the noisy labels. Both are as good as the matrix is.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from scipy import special

from limit_tf.label_issues import corrected_accuracy as accuracy
from limit_tf.tuning.trials import FinishedTrial
from limit_tf.tuning.trials import read_predictions


@dataclasses.dataclass(frozen=True)
class Corrected:
    """Figures of a trial that an estimated transition matrix gives.

    Attributes:
        accuracy: Estimated accuracy on true labels, None where it tells
            nothing.
        standard_error: Its standard error, None likewise.
        cross_entropy: Forward-corrected cross-entropy, nats an example; None
            without a matrix.
        reason: What the accuracy was estimated from, or why there is none.
    """

    accuracy: float | None
    standard_error: float | None
    cross_entropy: float | None
    reason: str


def correct(
    folder: pathlib.Path, trials: Sequence[FinishedTrial]
) -> dict[str, Corrected]:
    """Corrects the figures of a search's trials.

    The transition matrix is estimated from the trial whose outputs, at the
    best temperature, have the least cross-entropy on the noisy labels: they
    are nearest to their probabilities. An estimate by which a trial is better
    than perfect, by more than two standard errors, is given up.

    Args:
        folder: Folder of the search.
        trials: Its finished trials, at least one.

    Returns:
        The figures by the trials' names.
    """
    outputs = {
        trial.trial_id: read_predictions(folder, trial.trial_id)
        for trial in trials
    }
    scaled = {name: accuracy.calibrated(*own) for name, own in outputs.items()}
    best = min(scaled, key=lambda name: scaled[name][1])
    transitions = accuracy.estimate_transitions(
        scaled[best][0], f"trial {best}"
    )
    matrix, reason = transitions.transition_matrix, transitions.reason
    if matrix is None:
        return {name: Corrected(None, None, None, reason) for name in outputs}
    estimates = {
        name: accuracy.unchecked_accuracy(
            logits.argmax(axis=-1), labels, transitions
        )
        for name, (logits, labels) in outputs.items()
    }
    if any(value - 2.0 * error > 1.0 for value, error in estimates.values()):
        reason = f"trial {best} tells too little of the noise"
        return {name: Corrected(None, None, None, reason) for name in outputs}
    return {
        name: Corrected(
            **dataclasses.asdict(accuracy.judged(*estimates[name], reason)),
            cross_entropy=forward_cross_entropy(*own, matrix),
        )
        for name, own in outputs.items()
    }


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
    probs = special.softmax(logits.astype(np.float64), axis=-1)
    own = (probs @ transition_matrix)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())
