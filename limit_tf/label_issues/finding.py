"""Which labels are wrong, and in which order people should look at them."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from limit_tf.label_issues.arguments import check_probability
from limit_tf.label_issues.issues import LabelIssues
from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.noise_estimate import estimate_noise
from limit_tf.label_issues.scores import LabelScores
from limit_tf.label_issues.wrong_probs import wrong_log_odds

# By name, the scores in [0, 1] that examples can be sorted by.
RANKINGS = {
    "wrong_prob": "probability of being wrong",
    "l1_distance": "half the L1 distance of the gradients",
    "l2_distance": "L2 distance of the gradients over the square root of 2",
}


def find_label_issues(
    scores: LabelScores,
    *,
    noise: NoiseEstimate | None = None,
    threshold: float | None = None,
    fraction: float | None = None,
    rank_by: str = "wrong_prob",
    class_names: Sequence[str] | None = None,
    clean_labels: np.ndarray | None = None,
) -> LabelIssues:
    """Finds the labels that are likely wrong.

    Unless a threshold or a fraction is given, these are the labels that are
    more likely wrong than right by the estimated noise, see
    `limit_tf.label_issues.wrong_probs`; no rate has to be known.

    Args:
        scores: Scores of the examples.
        noise: Estimate of their label noise; by default `estimate_noise`.
        threshold: Score in `[0, 1]` from which on a label is taken for wrong.
        fraction: Share of the labels in `[0, 1]` that is taken for wrong,
            instead of a threshold.
        rank_by: What the score is: `"wrong_prob"`, the probability that the
            label is wrong; `"l1_distance"`, half the L1 distance of predicted
            and actual gradient, which is one less the predictor's probability
            of the label; or `"l2_distance"`, over the square root of 2.
        class_names: The `K` names of the classes; by default their indices.
        clean_labels: The true labels `(n,)`, where they are known: nothing is
            decided by them.

    Returns:
        All examples, the most suspicious first, as `LabelIssues`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range, or does not go with
            the others.

    Example:
    ```python
    scores = limit_tf.label_issues.label_scores(model, x, y)
    issues = limit_tf.label_issues.find_label_issues(scores)
    wrong = issues.positions[issues.is_issue]
    ```
    """
    check_rule(threshold, fraction, rank_by)
    class_names = _checked_names(class_names, scores.num_classes)
    clean_labels = _checked_labels(clean_labels, scores)
    if noise is None:
        noise = estimate_noise(scores)
    log_odds = wrong_log_odds(scores, noise)
    probs = special.expit(log_odds)
    score, ranks = {
        "wrong_prob": (probs, log_odds),
        "l1_distance": _rounded(scores.l1_distance / 2.0),
        "l2_distance": _rounded(scores.l2_distance / np.sqrt(2.0)),
    }[rank_by]
    score = score.astype(np.float32)
    if threshold is not None:
        is_issue = score >= threshold
        rule = f"{RANKINGS[rank_by]} at least {threshold:g}"
    elif fraction is not None:
        is_issue = np.zeros(len(score), bool)
    else:
        is_issue = probs > 0.5
        rule = "more likely wrong than right, by the estimated noise"
        threshold = 0.5 if rank_by == "wrong_prob" else None
    # Of equal ones, those come first that the predictor expects least.
    order = np.lexsort((scores.positions, scores.predictor_prob, -ranks))
    if fraction is not None:
        is_issue[order[: round(fraction * len(score))]] = True
        rule = f"the {fraction:.3g} of all labels with the highest scores"
    return LabelIssues(
        class_names=class_names,
        positions=scores.positions,
        example_ids=scores.example_ids,
        given_labels=scores.given_labels,
        suggested_labels=scores.suggested_labels,
        scores=score,
        is_issue=is_issue,
        rule=rule,
        threshold=threshold,
        clean_labels=clean_labels,
        details={
            "wrong_prob": probs.astype(np.float32),
            "wrong_log_odds": log_odds.astype(np.float32),
            "l1_distance": scores.l1_distance,
            "l2_distance": scores.l2_distance,
            "predictor_prob": scores.predictor_prob,
            "classifier_prob": scores.classifier_prob,
            "suggested_prob": scores.suggested_prob,
            "networks_agree": scores.networks_agree,
        },
    ).take(order)


def _rounded(distances):
    """Distances without digits that are rounding alone, twice."""
    distances = np.clip(np.round(distances.astype(np.float64), 6), 0.0, 1.0)
    return distances, distances


def check_rule(
    threshold: float | None, fraction: float | None, rank_by: str
) -> None:
    """Checks the rule by which issues are found.

    Args:
        threshold: As in `find_label_issues`.
        fraction: As there.
        rank_by: As there.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range, or does not go with
            the others.
    """
    if rank_by not in RANKINGS:
        raise ValueError(
            f"`rank_by` must be one of {', '.join(RANKINGS)}. Received: "
            f"rank_by={rank_by!r}"
        )
    if threshold is not None and fraction is not None:
        raise ValueError(
            "`fraction` must be left out where there is a threshold. Received: "
            f"threshold={threshold} and fraction={fraction}"
        )
    for name, value in (("threshold", threshold), ("fraction", fraction)):
        if value is not None:
            check_probability(value, name, with_ends=True)


def _checked_names(class_names, num_classes):
    if class_names is None:
        return tuple(str(i) for i in range(num_classes))
    class_names = tuple(str(name) for name in class_names)
    if len(class_names) != num_classes:
        raise ValueError(
            f"`class_names` must be as many as the {num_classes} classes. "
            f"Received: {len(class_names)}"
        )
    return class_names


def _checked_labels(clean_labels, scores):
    if clean_labels is None:
        return None
    clean_labels = np.asarray(clean_labels)
    if clean_labels.shape != (len(scores),):
        raise ValueError(
            f"`clean_labels` must have shape ({len(scores)},), as many as the "
            f"scores. Received: {clean_labels.shape}"
        )
    return clean_labels
