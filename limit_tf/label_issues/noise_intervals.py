"""Intervals of what is estimated of label noise."""

from collections.abc import Sequence

import numpy as np

from limit_tf.label_issues.confident_joint import calibrated_joint

# A resample has a number for each pair of classes; so many are drawn at once.
_MOST_NUMBERS = 10_000_000


def figures(joint: np.ndarray) -> dict[str, np.ndarray]:
    """Computes what a joint distribution says of the noise.

    Args:
        joint: Joint distributions `(..., K, K)` of true classes and labels.

    Returns:
        `rate`, the share of wrong labels, `(...)`; `matrix`, the transition
        matrices, `(..., K, K)`; `errors`, the share of wrong labels by given
        label, `(..., K)`, NaN where there is none.
    """
    given = joint.sum(axis=-2)
    true = joint.sum(axis=-1, keepdims=True)
    right = np.diagonal(joint, axis1=-2, axis2=-1)
    identity = np.eye(joint.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        # Of a class that no example has, nothing is known: no noise is shown.
        matrix = np.where(true > 0.0, joint / true, identity)
        errors = np.where(given > 0.0, 1.0 - right / given, np.nan)
    # Sums of rounded numbers may lie an ulp outside.
    return {
        "rate": np.maximum(1.0 - right.sum(axis=-1), 0.0),
        "matrix": np.minimum(matrix, 1.0),
        "errors": np.maximum(errors, 0.0),
    }


def widened(
    ends: dict[str, np.ndarray],
    whole: dict[str, np.ndarray],
    parts: Sequence[dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Lets intervals reach further by what parts differ from the whole.

    Args:
        ends: Low and high ends by name, as `bootstrap` gives them.
        whole: The estimates of all examples, as `figures` gives them.
        parts: Those of parts of the examples.

    Returns:
        Ends as before, in `[0, 1]`.
    """
    found = {}
    for name, (low, high) in ends.items():
        differences = [part[name] - whole[name] for part in parts]
        # What no label of a part tells differs from nothing.
        differences = np.nan_to_num(np.stack([*differences, 0.0 * low]))
        low = np.maximum(low + differences.min(axis=0), 0.0)
        high = np.minimum(high + differences.max(axis=0), 1.0)
        found[name] = np.stack([low, high])
    return found


def bootstrap(
    counts: np.ndarray,
    unconfident: np.ndarray,
    confidence: float,
    num_resamples: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Computes percentiles over bootstrap resamples of the examples.

    To draw examples anew is to draw the numbers in the cells that they fall
    into; so it takes no longer for many examples than for few.

    Args:
        counts: As in `calibrated_joint`, `(K, K)`.
        unconfident: As there, `(K,)`.
        confidence: Probability of the intervals.
        num_resamples: Number of resamples.
        seed: Their seed.

    Returns:
        Low and high ends of each of the `figures`, stacked.
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
        found = figures(joint)
        rates.append(found["rate"])
        entries.append(found["matrix"].reshape(size, -1)[:, in_matrix])
        errors.append(found["errors"])
    tail = 50.0 * (1.0 - confidence)
    ends = (tail, 100.0 - tail)
    matrix = figures(calibrated_joint(counts, unconfident))["matrix"]
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
