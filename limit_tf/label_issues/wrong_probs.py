"""How likely a given label is wrong, by an estimate of the noise."""

import numpy as np
from scipy import special

from limit_tf.label_issues.class_offsets import Outputs
from limit_tf.label_issues.class_offsets import fitted
from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.scores import LabelScores

# So many examples, spread over a row of the transition matrix, soften it:
# what was never counted is not impossible.
_NUM_PRIOR_EXAMPLES = 1.0


def wrong_log_odds(scores: LabelScores, noise: NoiseEstimate) -> np.ndarray:
    """Computes the log odds that each given label is wrong.

    With `p` the probabilities of an example's true class, `T` the estimated
    transition matrix and `j` the given label, Bayes' rule gives the odds
    `sum_{i != j} p[i] T[i, j] / (p[j] T[j, j])`. The predictor's outputs need
    not be such probabilities: they are brought to a temperature, and those of
    each class multiplied by a factor, by which the given labels are most
    likely, see `limit_tf.label_issues.class_offsets`. Without the factors, a
    small class that the penalty keeps the predictor from expecting would lose
    its right labels.

    Args:
        scores: Scores of the examples.
        noise: Estimate of their label noise.

    Returns:
        Array `(n,)`, float64, finite. Probabilities near 1 would be equal where
        these are not.
    """
    matrix = _softened(noise)
    given = scores.given_labels
    is_given = scores.top_labels == given[:, None]
    # The given label is among the classes, or stands beside them.
    classes = np.column_stack([scores.top_labels, given]).astype(np.intp)
    logs = np.column_stack(
        [_log(scores.top_probs), _log(scores.predictor_prob)]
    )
    logs[is_given.any(axis=1), -1] = -np.inf
    outputs = Outputs(logs, classes, np.log(matrix[classes, given[:, None]]))
    joint = fitted(outputs, scores.num_classes)
    is_own = classes == given[:, None]
    others = special.logsumexp(np.where(is_own, -np.inf, joint), axis=1)
    return others - special.logsumexp(np.where(is_own, joint, -np.inf), axis=1)


def _log(probs):
    return np.log(np.maximum(probs, np.finfo(np.float32).tiny), dtype=float)


def _softened(noise):
    """The transition matrix, nothing impossible and no class mostly wrong.

    A row whose labels mostly read as another class says of an example that
    the predictor and its label agree on that it is wrong: no estimate from
    noisy labels can tell that from a mistaken network.
    """
    num_classes = len(noise.transition_matrix)
    num_examples = noise.num_examples / num_classes
    matrix = noise.transition_matrix * num_examples
    matrix = matrix + _NUM_PRIOR_EXAMPLES / num_classes
    np.fill_diagonal(matrix, matrix.max(axis=1))
    return matrix / matrix.sum(axis=1, keepdims=True)
