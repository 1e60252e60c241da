"""Counts of true and given labels, by what a network is confident of.

Confident learning (Northcutt et al., 2021): an example counts for the class of
which the network is as sure as it is, on average, of the examples that read
that class; an example that reaches no class's average counts for none. Here
the network is LIMIT's gradient predictor.
"""

import numpy as np

from limit_tf.label_issues.scores import LabelScores


def confident_counts(scores: LabelScores) -> tuple[np.ndarray, np.ndarray]:
    """Counts examples by their confident class and by their given label.

    Of more than ten classes the ten most probable ones of each example, and
    its given one, are looked at.

    Args:
        scores: Scores of the examples.

    Returns:
        Integers `(K, K)`, by confident class and given label, and `(K,)`, by
        given label the examples that no class is confident of.

    References:
        - [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068)
    """
    num_classes = scores.num_classes
    given = scores.given_labels
    label_counts = np.bincount(given, minlength=num_classes)
    sums = np.bincount(
        given, weights=scores.predictor_prob, minlength=num_classes
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        thresholds = np.where(label_counts > 0, sums / label_counts, np.inf)
    # Averages of equal probabilities may lie an ulp above them.
    thresholds = thresholds * (1.0 - 1e-6)
    labels = np.column_stack([scores.top_labels, given])
    probs = np.column_stack([scores.top_probs, scores.predictor_prob])
    confident = np.where(probs >= thresholds[labels], probs, -1.0)
    best = confident.argmax(axis=1)
    rows = np.arange(len(given))
    is_confident = confident[rows, best] >= 0.0
    classes = labels[rows, best]
    counts = np.bincount(
        classes[is_confident] * num_classes + given[is_confident],
        minlength=num_classes**2,
    ).reshape(num_classes, num_classes)
    return counts, label_counts - counts.sum(axis=0)


def calibrated_joint(counts: np.ndarray, unconfident: np.ndarray) -> np.ndarray:
    """Estimates the joint distribution of true classes and given labels.

    Each column is scaled to the number of labels that read its class. Where
    none of them is confident, they are taken for right.

    Args:
        counts: Numbers `(..., K, K)`, by true class and given label.
        unconfident: Numbers `(..., K)` of further examples, by given label.

    Returns:
        Array `(..., K, K)`, float64, that sums to one.
    """
    num_classes = counts.shape[-1]
    column_sums = counts.sum(axis=-2)
    is_empty = (column_sums == 0)[..., None, :] & np.eye(
        num_classes, dtype=bool
    )
    filled = np.where(is_empty, 1.0, counts)
    joint = (
        filled
        / filled.sum(axis=-2, keepdims=True)
        * (column_sums + unconfident)[..., None, :]
    )
    return joint / joint.sum(axis=(-2, -1), keepdims=True)
