"""What is estimated of a data set's label noise."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from limit_tf.label_issues.arguments import check_probability
from limit_tf.label_issues.confident_joint import calibrated_joint
from limit_tf.label_issues.confident_joint import confident_counts
from limit_tf.label_issues.scores import LabelScores
from limit_tf.noise.arguments import check_integer

# A resample has a number for each pair of classes; so many are drawn at once.
_MOST_NUMBERS = 10_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """Label noise of a data set, as a trained model sees it.

    Args:
        noise_rate: Share of the labels that are wrong.
        noise_rate_interval: Its confidence interval, low and high.
        transition_matrix: Array `(K, K)`, float64: row `i` is the distribution
            of given labels among examples of the true class `i`.
        transition_matrix_interval: Lower and upper ends of the intervals of
            its entries, `(2, K, K)`.
        class_noise_rates: Share of wrong labels among examples of each true
            class, `(K,)`: one less the diagonal of the matrix.
        label_error_rates: Share of wrong labels among those that read each
            class, `(K,)`; NaN where no label does.
        label_error_rates_interval: Ends of their intervals, `(2, K)`.
        confidence: Probability of the intervals, such as 0.95.
        num_examples: Number of examples that it was estimated from.
    """

    noise_rate: float
    noise_rate_interval: tuple[float, float]
    transition_matrix: np.ndarray
    transition_matrix_interval: np.ndarray
    class_noise_rates: np.ndarray
    label_error_rates: np.ndarray
    label_error_rates_interval: np.ndarray
    confidence: float
    num_examples: int

    def to_json(self, class_names: Sequence[str]) -> dict:
        """Returns plain values, as `noise.json` holds them.

        Args:
            class_names: The `K` names of the classes.

        Returns:
            Lists and numbers by the names of the attributes; by class a
            mapping from names. NaN becomes None.
        """
        low, high = self.transition_matrix_interval
        return {
            "noise_rate": self.noise_rate,
            "noise_rate_interval": list(self.noise_rate_interval),
            "class_names": list(class_names),
            "transition_matrix": _plain(self.transition_matrix),
            "transition_matrix_low": _plain(low),
            "transition_matrix_high": _plain(high),
            "class_noise_rates": dict(
                zip(class_names, _plain(self.class_noise_rates), strict=True)
            ),
            "label_error_rates": dict(
                zip(class_names, _plain(self.label_error_rates), strict=True)
            ),
            "label_error_rates_interval": {
                name: list(ends)
                for name, *ends in zip(
                    class_names,
                    *_plain(self.label_error_rates_interval),
                    strict=True,
                )
            },
            "confidence": self.confidence,
            "num_examples": self.num_examples,
        }


def _plain(array):
    """Nested lists of rounded numbers, None for NaN."""
    if np.ndim(array):
        return [_plain(row) for row in array]
    return None if np.isnan(array) else round(float(array), 6)


def estimate_noise(
    scores: LabelScores,
    *,
    confidence: float = 0.95,
    num_resamples: int = 1000,
    seed: int = 0,
) -> NoiseEstimate:
    """Estimates how many labels are wrong, and which classes they confuse.

    The joint distribution of true classes and given labels is that of the
    examples that the gradient predictor is confident of, see
    `limit_tf.label_issues.confident_joint`. The intervals are percentiles of
    bootstrap resamples of the examples: what the network mistakes is not in
    them. Scores of a network that has memorised labels show too little noise,
    those of one that knows too little too much.

    Args:
        scores: Scores of the examples.
        confidence: Probability of the intervals, in `(0, 1)`.
        num_resamples: Number of bootstrap resamples, at least 100.
        seed: Seed of the resamples.

    Returns:
        The `NoiseEstimate`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range.

    References:
        - [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068)
    """
    check_probability(confidence, "confidence")
    num_resamples = check_integer(num_resamples, "num_resamples", low=100)
    seed = check_integer(seed, "seed", low=0)
    counts, unconfident = confident_counts(scores)
    joint = calibrated_joint(counts, unconfident)
    matrix, errors = _conditionals(joint)
    ends = _bootstrap(counts, unconfident, confidence, num_resamples, seed)
    return NoiseEstimate(
        noise_rate=max(0.0, float(1.0 - np.trace(joint))),
        noise_rate_interval=tuple(float(end) for end in ends["rate"]),
        transition_matrix=matrix,
        transition_matrix_interval=ends["matrix"],
        class_noise_rates=1.0 - np.diagonal(matrix),
        label_error_rates=errors,
        label_error_rates_interval=ends["errors"],
        confidence=float(confidence),
        num_examples=len(scores),
    )


def _conditionals(joint):
    """Transition matrices, and rates of errors by given label."""
    given = joint.sum(axis=-2)
    true = joint.sum(axis=-1, keepdims=True)
    right = np.diagonal(joint, axis1=-2, axis2=-1)
    identity = np.eye(joint.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        # Of a class that no example has, nothing is known: no noise is shown.
        matrices = np.where(true > 0.0, joint / true, identity)
        errors = np.where(given > 0.0, 1.0 - right / given, np.nan)
    return matrices, errors


def _bootstrap(counts, unconfident, confidence, num_resamples, seed):
    """Ends of the intervals of the rate, the matrix and the errors.

    To draw examples anew is to draw the numbers in the cells that they fall
    into; so it takes no longer for many examples than for few.
    """
    num_classes = len(counts)
    cells = np.concatenate([counts.ravel(), unconfident])
    used = np.flatnonzero(cells)
    in_matrix = used[used < num_classes**2]  # the others stay as they are
    rng = np.random.default_rng(seed)
    most = max(1, _MOST_NUMBERS // len(cells))
    rates, entries, errors = [], [], []
    for start in range(0, num_resamples, most):
        size = min(most, num_resamples - start)
        drawn = np.zeros((size, len(cells)), np.int64)
        drawn[:, used] = rng.multinomial(
            cells.sum(), cells[used] / cells.sum(), size=size
        )
        joint = calibrated_joint(
            drawn[:, : num_classes**2].reshape(-1, num_classes, num_classes),
            drawn[:, num_classes**2 :],
        )
        matrices, of_labels = _conditionals(joint)
        rates.append(np.maximum(1.0 - np.trace(joint, axis1=-2, axis2=-1), 0.0))
        entries.append(matrices.reshape(size, -1)[:, in_matrix])
        errors.append(of_labels)
    tail = 50.0 * (1.0 - confidence)
    ends = (tail, 100.0 - tail)
    matrix, _ = _conditionals(calibrated_joint(counts, unconfident))
    matrix = np.repeat(matrix.reshape(1, -1), 2, axis=0)
    matrix[:, in_matrix] = np.percentile(np.concatenate(entries), ends, axis=0)
    errors = np.concatenate(errors)
    is_known = ~np.isnan(errors).all(axis=0)
    of_labels = np.full((2, num_classes), np.nan)
    of_labels[:, is_known] = np.nanpercentile(errors[:, is_known], ends, axis=0)
    return {
        "rate": np.percentile(np.concatenate(rates), ends),
        "matrix": matrix.reshape(2, num_classes, num_classes),
        "errors": of_labels,
    }
