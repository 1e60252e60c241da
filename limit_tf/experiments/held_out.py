"""Figures on a test part: on checked labels, or on those that nobody checked.

An accuracy on labels that may be wrong is no test accuracy. It goes by another
name in all that a run leaves, with what can be said of the accuracy on true
labels.
"""

import statistics

import keras
import numpy as np

from limit_tf import data
from limit_tf.label_issues import concatenated
from limit_tf.label_issues import estimate_noise
from limit_tf.label_issues import label_scores
from limit_tf.noise import corrected_accuracy

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
    model: keras.Model, splits: data.NoisySplits, classes: np.ndarray
) -> dict[str, float] | None:
    """Estimates the accuracy on true labels from unchecked held-out ones.

    The noise is estimated from the labels that nothing was trained on, those
    of the validation and of the test part, which are of one origin.

    Args:
        model: The model, its best weights restored.
        splits: The data, its test part held out.
        classes: Predicted classes of the test images, `(n,)`.

    Returns:
        `accuracy`, its `standard_error`, the `noise_rate` of the labels and
        their number `num_labels`; None where the estimate says nothing, see
        `limit_tf.noise.corrected_accuracy.is_useful`.
    """
    parts = (splits.validation, splits.test)
    noise = estimate_noise(
        concatenated([label_scores(model, part) for part in parts])
    )
    matrix = noise.transition_matrix
    if not corrected_accuracy.is_invertible(matrix):
        return None
    low, high = noise.transition_matrix_interval
    width = 2.0 * statistics.NormalDist().inv_cdf(0.5 + noise.confidence / 2.0)
    accuracy, error = corrected_accuracy.corrected_accuracy(
        classes, splits.test.labels, matrix, (high - low) / width
    )
    error = max(error, 1.0 / len(classes))  # no mistake is no certainty
    if not corrected_accuracy.is_useful(accuracy, error):
        return None
    return {
        "accuracy": accuracy,
        "standard_error": error,
        "noise_rate": noise.noise_rate,
        "num_labels": noise.num_examples,
    }
