"""What a page about suspicious labels shows, as plain values for JSON."""

import hashlib
import json
import math

import numpy as np

from limit_tf.label_issues.issues import LabelIssues
from limit_tf.label_issues.noise_estimate import NoiseEstimate

_NUM_BINS = 20
_MOST_PAIRS = 100
# A matrix of more classes keeps of every row the diagonal and as many of the
# largest other entries.
_WHOLE_MATRIX_CLASSES = 100
_ENTRIES_PER_ROW = 20


def summary(issues: LabelIssues, noise: NoiseEstimate | None) -> dict:
    """Returns the figures of all labels, those that are not listed included.

    Args:
        issues: All labels.
        noise: What is estimated of the noise, if anything is.

    Returns:
        Plain values by the names that the page's script knows.
    """
    pairs = _pairs(issues)
    return {
        "classNames": [str(name) for name in issues.class_names],
        "rule": issues.rule,
        "threshold": issues.threshold,
        "numLabels": len(issues),
        "numIssues": issues.num_issues,
        "truth": _truth(issues),
        "noise": noise
        and {
            "rate": noise.noise_rate,
            "interval": list(noise.noise_rate_interval),
            "intervalName": noise.interval_name,
            "intervalsHold": noise.intervals_hold,
            "numExamples": noise.num_examples,
        },
        "matrix": _matrix(noise, pairs),
        "classes": _classes(issues, noise),
        "pairs": pairs[:_MOST_PAIRS],
        "histogram": _histogram(issues),
    }


def columns(issues: LabelIssues) -> dict:
    """Returns the listed labels, a list a column.

    Args:
        issues: The labels to list.

    Returns:
        Lists of equal length by the names that the page's script knows, and
        `key`, a hash under which a browser keeps the decisions on them.
    """
    listed = {
        "ids": [text(value) for value in issues.example_ids.tolist()],
        "given": issues.given_labels.tolist(),
        "suggested": issues.suggested_labels.tolist(),
    }
    names = list(map(str, issues.class_names))
    content = json.dumps([names, listed]).encode("ascii")
    clean = issues.clean_labels
    return {
        **listed,
        "scores": np.round(issues.scores.astype(np.float64), 4).tolist(),
        "isIssue": issues.is_issue.astype(int).tolist(),
        "clean": None if clean is None else clean.tolist(),
        "details": [
            [str(name), [_detail(value) for value in column.tolist()]]
            for name, column in issues.details.items()
        ],
        "key": hashlib.sha256(content).hexdigest(),
    }


def text(value) -> str:
    """A value in letters, bytes as UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _detail(value):
    """A value for JSON, which knows no NaN, in few digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value if isinstance(value, bool | int | None) else text(value)


def _truth(issues):
    """How many issues are wrong labels, where the truth is known."""
    if issues.clean_labels is None:
        return None
    wrong = issues.given_labels != issues.clean_labels
    found = wrong & issues.is_issue
    solved = found & (issues.suggested_labels == issues.clean_labels)
    return {
        "wrong": int(np.count_nonzero(wrong)),
        "found": int(np.count_nonzero(found)),
        "solved": int(np.count_nonzero(solved)),
    }


def _histogram(issues):
    """Counts by score of unmarked and of marked labels.

    Marked are wrong labels where the truth is known, else the issues.
    """
    marked = issues.is_issue
    if issues.clean_labels is not None:
        marked = issues.given_labels != issues.clean_labels
    return [
        np.histogram(issues.scores[rows], _NUM_BINS, (0, 1))[0].tolist()
        for rows in (~marked, marked)
    ]


def _pairs(issues):
    """Lists `[given, suggested, number of issues]`, most frequent first."""
    num_classes = len(issues.class_names)
    given = issues.given_labels[issues.is_issue]
    suggested = issues.suggested_labels[issues.is_issue]
    codes, counts = np.unique(
        given * num_classes + suggested, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    codes, counts = codes[order], counts[order]
    table = np.stack([codes // num_classes, codes % num_classes, counts], 1)
    return table.tolist()


def _matrix(noise, pairs):
    """Entries `[true, given, value, low, high]` that are not zero."""
    if noise is None:
        entries = [[true, given, count] for given, true, count in pairs]
        return {"kind": "counts", "entries": entries, "entriesPerRow": None}
    matrix = noise.transition_matrix
    kept = np.round(matrix, 4) > 0
    large = len(matrix) > _WHOLE_MATRIX_CLASSES
    if large:
        others = np.where(np.eye(len(matrix), dtype=bool), np.inf, matrix)
        least = np.sort(others)[:, -_ENTRIES_PER_ROW - 1]
        kept &= others >= least[:, None]
    low, high = noise.transition_matrix_interval
    rows, cols = np.nonzero(kept)
    values = (_rounded(array[kept]) for array in (matrix, low, high))
    entries = zip(rows.tolist(), cols.tolist(), *values, strict=True)
    return {
        "kind": "noise",
        "entries": list(map(list, entries)),
        "entriesPerRow": _ENTRIES_PER_ROW if large else None,
    }


def _classes(issues, noise):
    """Lists `[class, share wrong, low, high, issues, labels]`, worst first."""
    num_classes = len(issues.class_names)
    labels = np.bincount(issues.given_labels, minlength=num_classes)
    found = np.bincount(
        issues.given_labels[issues.is_issue], minlength=num_classes
    )
    if noise is None:
        shares = np.where(labels, found / np.maximum(labels, 1), np.nan)
        low = high = np.full(num_classes, np.nan)
    else:
        shares = noise.label_error_rates
        low, high = noise.label_error_rates_interval
    order = np.argsort(-np.nan_to_num(shares, nan=-1.0), kind="stable")
    rows = zip(
        order.tolist(),
        *(_rounded(array[order]) for array in (shares, low, high)),
        found[order].tolist(),
        labels[order].tolist(),
        strict=True,
    )
    return list(map(list, rows))


def _rounded(array):
    values = np.round(array.astype(np.float64), 4).tolist()
    return [None if math.isnan(value) else value for value in values]
