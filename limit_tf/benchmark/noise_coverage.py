"""Whether intervals hold the truth, and what issues do to rare classes."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from scipy import special

from limit_tf.benchmark.score_files import VALIDATION
from limit_tf.benchmark.score_files import KnownScores
from limit_tf.label_issues import LabelScores
from limit_tf.label_issues import corrected_accuracy
from limit_tf.label_issues import estimate_noise
from limit_tf.label_issues import find_label_issues
from limit_tf.label_issues.scores import take


def interval_figures(known: KnownScores) -> dict[str, tuple[float, float]]:
    """Compares estimates of one run with the truth.

    Args:
        known: Scores of the run's labels.

    Returns:
        By name of a figure, the share of its intervals that hold the truth
        and their mean width. `accuracy` is the classifier's corrected accuracy
        on the validation labels, two standard errors to each side; it is left
        out where there is no estimate.
    """
    truth = _truth(known)
    found = {}
    for name, parts in (("sampling", None), ("parts", known.parts)):
        noise = estimate_noise(known.scores, parts=parts, num_resamples=300)
        for figure, ends in (
            ("rate", noise.noise_rate_interval),
            ("matrix", noise.transition_matrix_interval),
            ("errors", noise.label_error_rates_interval),
        ):
            found[f"{figure}, {name}"] = _covered(ends, truth[figure])
    accuracy = _accuracy(known)
    if accuracy is not None:
        found["accuracy"] = accuracy
    return found


def choice_figures(known: KnownScores) -> dict[str, float]:
    """Measures the issues of one run, small classes beside the others.

    Args:
        known: Scores of the run's labels.

    Returns:
        `precision` and `recall` of the issues; `rare_flagged`, how many right
        labels of classes with less than half of the mean number of examples
        are issues, of `rare_right` such labels; `rare_left`, how many labels
        of these classes the suggestions leave, of `rare_true` in truth.
    """
    scores, clean = known.scores, known.clean_labels
    issues = find_label_issues(scores)
    flagged = np.zeros(len(scores), bool)
    flagged[np.searchsorted(scores.positions, issues.positions)] = (
        issues.is_issue
    )
    return choice_of(flagged, scores, clean)


def choice_of(
    flagged: np.ndarray, scores: LabelScores, clean_labels: np.ndarray
) -> dict[str, float]:
    """Measures a choice of labels, whoever made it.

    Args:
        flagged: Which labels are taken for wrong, `(n,)`, bool.
        scores: Scores of the labels.
        clean_labels: The true labels, `(n,)`.

    Returns:
        As `choice_figures`.
    """
    sizes = np.bincount(clean_labels, minlength=scores.num_classes)
    is_rare = (sizes < sizes.mean() / 2.0)[clean_labels]
    wrong = scores.given_labels != clean_labels
    left = np.where(flagged, scores.suggested_labels, scores.given_labels)
    rare = np.unique(clean_labels[is_rare])
    return {
        "precision": float(wrong[flagged].mean()) if flagged.any() else None,
        "recall": float(flagged[wrong].mean()) if wrong.any() else None,
        "rare_flagged": int((flagged & is_rare & ~wrong).sum()),
        "rare_right": int((is_rare & ~wrong).sum()),
        "rare_left": int(np.isin(left, rare).sum()),
        "rare_true": int(is_rare.sum()),
    }


def means(rows: Sequence[Mapping]) -> dict:
    """Averages figures of several runs, each over the runs that have it.

    Args:
        rows: Numbers or tuples of numbers by name; None is left out.

    Returns:
        By name, the mean and the number of runs.
    """
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if row.get(name) is not None]
        if values:
            found[name] = (np.mean(values, axis=0), len(values))
    return found


def _truth(known):
    num_classes = known.scores.num_classes
    counts = np.zeros((num_classes, num_classes))
    given, clean = known.scores.given_labels, known.clean_labels
    np.add.at(counts, (clean, given), 1)
    with np.errstate(invalid="ignore"):
        return {
            "rate": np.mean(given != clean),
            "matrix": counts / counts.sum(axis=1, keepdims=True),
            "errors": 1.0 - np.diagonal(counts) / counts.sum(axis=0),
        }


def _covered(ends, truth):
    """Of what is known and was ever seen, the share that intervals hold."""
    low, high = map(np.asarray, ends)
    counts = ~np.isnan(truth) & ~np.isnan(low) & (truth > 0.0)
    holds = (low - 1e-9 <= truth) & (truth <= high + 1e-9)
    return float(holds[counts].mean()), float((high - low)[counts].mean())


def _accuracy(known):
    rows = np.flatnonzero(known.parts == VALIDATION)
    if not len(rows):
        return None
    scores, clean = take(known.scores, rows), known.clean_labels[rows]
    logits = np.full((len(rows), scores.num_classes), -np.inf)
    np.put_along_axis(
        logits,
        scores.top_labels.astype(np.intp),
        np.log(np.maximum(scores.top_probs.astype(float), 1e-30)),
        axis=1,
    )
    logits = special.log_softmax(np.maximum(logits, -69.0), axis=1)
    scaled, _ = corrected_accuracy.calibrated(logits, scores.given_labels)
    found = corrected_accuracy.corrected_accuracy(
        scores.classifier_labels,
        scores.given_labels,
        corrected_accuracy.estimate_transitions(scaled),
    )
    if found.accuracy is None:
        return None
    true = np.mean(scores.classifier_labels == clean)
    reach = 2.0 * found.standard_error
    return float(abs(found.accuracy - true) <= reach), 2.0 * reach
