"""Suspicious labels and noise that are made up."""

import numpy as np

from limit_tf.label_issues.issues import LabelIssues
from limit_tf.label_issues.noise_estimate import NoiseEstimate

CLASS_NAMES = ("cat", "dog", "bird")


def issues(num_rows=150, class_names=CLASS_NAMES, ids=None, **others):
    """Rows whose upper half are issues; a label fits the next class."""
    rng = np.random.default_rng(0)
    num_classes = len(class_names)
    given = rng.integers(num_classes, size=num_rows)
    step = rng.integers(1, num_classes, size=num_rows)
    scores = np.linspace(0.99, 0.01, num_rows, dtype=np.float32)
    values = {
        "class_names": tuple(class_names),
        "positions": rng.permutation(num_rows),
        "example_ids": np.arange(1000, 1000 + num_rows) if ids is None else ids,
        "given_labels": given,
        "suggested_labels": (given + step) % num_classes,
        "scores": scores,
        "is_issue": scores >= 0.5,
        "rule": "the score is at least 0.5",
        "threshold": 0.5,
    }
    return LabelIssues(**{**values, **others})


def noise(num_classes=3, rate=0.2):
    """Symmetric noise with intervals of a tenth."""
    matrix = np.full((num_classes, num_classes), rate / (num_classes - 1))
    np.fill_diagonal(matrix, 1.0 - rate)
    rates = np.full(num_classes, rate)
    return NoiseEstimate(
        noise_rate=rate,
        noise_rate_interval=(rate - 0.05, rate + 0.05),
        transition_matrix=matrix,
        transition_matrix_interval=np.stack([matrix * 0.9, matrix * 1.1]),
        class_noise_rates=rates,
        label_error_rates=rates,
        label_error_rates_interval=np.stack([rates - 0.05, rates + 0.05]),
        confidence=0.95,
        num_examples=1000,
    )
