"""What is estimated of a data set's label noise."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from limit_tf.label_issues import noise_intervals
from limit_tf.label_issues.arguments import check_probability
from limit_tf.label_issues.confident_joint import calibrated_joint
from limit_tf.label_issues.confident_joint import confident_counts
from limit_tf.label_issues.scores import LabelScores
from limit_tf.label_issues.scores import take
from limit_tf.noise.arguments import check_integer

# What the intervals hold, and so what people may take them for.
SAMPLING = "sampling error"
SAMPLING_AND_MODEL = "sampling error and differences between parts"
# Parts of fewer labels a class say little of what a network has memorised.
_LEAST_LABELS_A_CLASS = 10


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
        intervals_hold: `SAMPLING`, where the network's own mistakes are not in
            the intervals, or `SAMPLING_AND_MODEL`.
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
    intervals_hold: str = SAMPLING

    @property
    def interval_name(self) -> str:
        """What to call the intervals: "95% sampling interval" or so."""
        kind = "sampling " if self.intervals_hold == SAMPLING else ""
        return f"{100.0 * self.confidence:.4g}% {kind}interval"

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
            "intervals_hold": self.intervals_hold,
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
    parts: np.ndarray | None = None,
    confidence: float = 0.95,
    num_resamples: int = 1000,
    seed: int = 0,
) -> NoiseEstimate:
    """Estimates how many labels are wrong, and which classes they confuse.

    The joint distribution of true classes and given labels is that of the
    examples that the gradient predictor is confident of, see
    `limit_tf.label_issues.confident_joint`. A network that has memorised labels
    shows too little noise in them, and what it does not know of others looks
    like noise. So where parts of the data are told apart, those that it was
    trained on and those held out, the noise in each is estimated too: intervals
    reach as far beyond the bootstrap's as the estimates differ. Without parts
    they are percentiles of bootstrap resamples of the examples alone.

    Args:
        scores: Scores of the examples.
        parts: Which part of the data each example belongs to, `(n,)`, integers:
            such as 0 for training examples and 1 for held-out ones. Parts of
            fewer than ten labels a class are not looked at by themselves.
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
    parts = _large_parts(parts, scores)
    counts, unconfident = confident_counts(scores)
    joint = calibrated_joint(counts, unconfident)
    figures = noise_intervals.figures(joint)
    ends = noise_intervals.bootstrap(
        counts, unconfident, confidence, num_resamples, seed
    )
    if len(parts) > 1:
        joints = [calibrated_joint(*confident_counts(part)) for part in parts]
        ends = noise_intervals.widened(
            ends, figures, list(map(noise_intervals.figures, joints))
        )
    return NoiseEstimate(
        noise_rate=float(figures["rate"]),
        noise_rate_interval=tuple(float(end) for end in ends["rate"]),
        transition_matrix=figures["matrix"],
        transition_matrix_interval=ends["matrix"],
        class_noise_rates=1.0 - np.diagonal(figures["matrix"]),
        label_error_rates=figures["errors"],
        label_error_rates_interval=ends["errors"],
        confidence=float(confidence),
        num_examples=len(scores),
        intervals_hold=SAMPLING_AND_MODEL if len(parts) > 1 else SAMPLING,
    )


def _large_parts(parts, scores):
    """The scores of each part that has labels enough."""
    if parts is None:
        return []
    parts = np.asarray(parts)
    if parts.shape != (len(scores),) or parts.dtype.kind not in "iu":
        raise ValueError(
            f"`parts` must be integers of shape ({len(scores)},), one for each "
            f"of the scores. Received: {parts.dtype} of shape {parts.shape}"
        )
    values, sizes = np.unique(parts, return_counts=True)
    least = _LEAST_LABELS_A_CLASS * scores.num_classes
    return [
        take(scores, np.flatnonzero(parts == value))
        for value in values[sizes >= least]
    ]
