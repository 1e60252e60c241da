"""How likely a given label is wrong, by an estimate of the noise."""

import numpy as np
from scipy import special

from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.scores import LabelScores

# The predictor is fitted to noisy labels: its outputs are never sharper than
# the probabilities of the true classes. (At high temperatures they would tell
# nothing, and the mean answer be the noise rate as well.)
_TEMPERATURES = np.geomspace(0.1, 1.0, 13)
# So many examples, spread over a row of the transition matrix, soften it:
# what was never counted is not impossible.
_NUM_PRIOR_EXAMPLES = 1.0


def wrong_log_odds(scores: LabelScores, noise: NoiseEstimate) -> np.ndarray:
    """Computes the log odds that each given label is wrong.

    With `p` the predictor's probabilities of an example, taken for those of
    its true class, `T` the estimated transition matrix and `j` the given
    label, Bayes' rule gives the odds `sum_{i != j} p[i] T[i, j] / (p[j] T[j,
    j])`. The predictor's outputs need not be probabilities: they are brought
    to the temperature at which the mean probability of being wrong is the
    estimated noise rate.

    Args:
        scores: Scores of the examples.
        noise: Estimate of their label noise.

    Returns:
        Array `(n,)`, float64, finite. Probabilities near 1 would be equal where
        these are not.
    """
    matrix = _softened(noise)
    given = scores.given_labels
    classes = scores.top_labels
    logs, given_logs = map(_log, (scores.top_probs, scores.predictor_prob))
    with np.errstate(divide="ignore"):
        transitions = np.log(matrix[classes, given[:, None]])
    # The given label is among the classes, or stands beside them.
    transitions[classes == given[:, None]] = -np.inf
    stays = np.log(matrix[given, given])

    def at(temperature):
        others = logs / temperature + transitions
        highest = others.max(axis=1)
        others = np.exp(others - highest[:, None]).sum(axis=1)
        return highest + np.log(others) - given_logs / temperature - stays

    distances = [
        abs(special.expit(at(t)).mean() - noise.noise_rate)
        for t in _TEMPERATURES
    ]
    return at(_TEMPERATURES[np.argmin(distances)])


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
