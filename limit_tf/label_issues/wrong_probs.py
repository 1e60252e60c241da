"""Probability that a given label is wrong, by an estimate of the noise."""

import numpy as np

from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.scores import LabelScores

# The predictor is fitted to noisy labels: its outputs are never sharper than
# the probabilities of the true classes. (At high temperatures they would tell
# nothing, and the mean answer be the noise rate as well.)
_TEMPERATURES = np.geomspace(0.1, 1.0, 13)
# So many examples, spread over a row of the transition matrix, soften it:
# what was never counted is not impossible.
_NUM_PRIOR_EXAMPLES = 1.0


def wrong_probs(scores: LabelScores, noise: NoiseEstimate) -> np.ndarray:
    """Computes the probability that each given label is wrong.

    With `p` the predictor's probabilities of an example, taken for those of
    its true class, `T` the estimated transition matrix and `j` the given
    label, Bayes' rule gives `1 - p[j] T[j, j] / sum_i p[i] T[i, j]`. The
    predictor's outputs need not be probabilities: they are brought to the
    temperature at which the mean of the answer is the estimated noise rate.

    Args:
        scores: Scores of the examples.
        noise: Estimate of their label noise.

    Returns:
        Array `(n,)`, float64, in `[0, 1]`.
    """
    matrix = _softened(noise)
    given = scores.given_labels
    classes = scores.top_labels
    is_given = classes == given[:, None]
    # The given label is among the classes, or stands beside them.
    beside = ~is_given.any(axis=1)
    logs = np.log(
        np.maximum(scores.top_probs, np.finfo(np.float32).tiny), dtype=float
    )
    given_logs = np.log(
        np.maximum(scores.predictor_prob, np.finfo(np.float32).tiny),
        dtype=float,
    )
    transitions = matrix[classes, given[:, None]]
    stays = matrix[given, given]

    highest = logs[:, 0]

    def at(temperature):
        weights = np.exp((logs - highest[:, None]) / temperature) * transitions
        own = np.exp((given_logs - highest) / temperature) * stays
        total = weights.sum(axis=1) + np.where(beside, own, 0.0)
        return np.clip(1.0 - own / total, 0.0, 1.0)

    distances = [abs(at(t).mean() - noise.noise_rate) for t in _TEMPERATURES]
    return at(_TEMPERATURES[np.argmin(distances)])


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
