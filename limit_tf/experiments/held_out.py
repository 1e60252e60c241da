"""Figures on a test part: on checked labels, or on those that nobody checked.

An accuracy on labels that may be wrong is no test accuracy. It goes by another
name in all that a run leaves, with what can be said of the accuracy on true
labels.
"""

import dataclasses

import numpy as np

from limit_tf import data
from limit_tf.label_issues.corrected_accuracy import corrected_accuracy_of

CHECKED, UNCHECKED = "test_accuracy", "held_out_accuracy"
ESTIMATE = "true_accuracy_estimate"
# Of results.json and of the model card.
KEYS = {
    CHECKED: UNCHECKED,
    "test_accuracy_by_class": "held_out_accuracy_by_class",
    "last_test_accuracy": "last_held_out_accuracy",
}
OPTION = "config.data.options.test_labels_are_checked"


def key(source: data.Source) -> str:
    """Name of the accuracy on the test part of a source."""
    return CHECKED if source.test_labels_are_checked else UNCHECKED


def named(figures: dict, source: data.Source) -> dict:
    """Names figures on the test part for what they are.

    Args:
        figures: Figures by the names that they have on checked labels.
        source: The data set.

    Returns:
        The figures; on unchecked labels those of `KEYS` by their other names,
        and None by the names that are not theirs.
    """
    if source.test_labels_are_checked or UNCHECKED in figures:
        return figures
    renamed = {}
    for name, value in figures.items():
        if name in KEYS:
            renamed |= {name: None, KEYS[name]: value}
        else:
            renamed[name] = value
    return renamed


def true_accuracy(
    logits: np.ndarray, labels: np.ndarray
) -> dict[str, float | str | None]:
    """Estimates the accuracy on true labels from unchecked held-out ones.

    Args:
        logits: Logits of the test images, `(n, num_classes)`.
        labels: Their labels, `(n,)`.

    Returns:
        `accuracy`, its `standard_error` and the `reason`: what it was
        estimated from, or why the first two are None, see
        `limit_tf.label_issues.corrected_accuracy`.
    """
    found = corrected_accuracy_of(logits, labels, "the held-out labels")
    return dataclasses.asdict(found)
