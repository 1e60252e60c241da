"""Builders that the tests of label issues share."""

import numpy as np

from limit_tf.label_issues import LabelScores


def scores_of(probs, given_labels, classifier_labels=None):
    """Returns the scores of a predictor with these probabilities `(n, K)`."""
    probs = np.asarray(probs, np.float32)
    given = np.asarray(given_labels, np.int64)
    rows = np.arange(len(given))
    order = np.argsort(-probs, axis=1, kind="stable")[:, :10]
    suggested = order[:, 0].astype(np.int64)
    own = probs[rows, given]
    one_hot = np.eye(probs.shape[1])[given]
    return LabelScores(
        num_classes=probs.shape[1],
        positions=rows,
        example_ids=rows,
        given_labels=given,
        suggested_labels=suggested,
        classifier_labels=suggested
        if classifier_labels is None
        else np.asarray(classifier_labels),
        l1_distance=2.0 - 2.0 * own,
        l2_distance=np.linalg.norm(one_hot - probs, axis=1),
        predictor_prob=own,
        classifier_prob=own,
        suggested_prob=probs[rows, suggested],
        top_labels=order.astype(np.int32),
        top_probs=np.take_along_axis(probs, order, axis=1),
    )


def noisy_scores(transition_matrix, num_examples, seed=0, doubt=0.05):
    """Draws classes, labels and the outputs of a predictor that knows them.

    Returns:
        The scores, and the true labels.
    """
    matrix = np.asarray(transition_matrix)
    num_classes = len(matrix)
    rng = np.random.default_rng(seed)
    clean = rng.integers(num_classes, size=num_examples)
    given = (
        rng.random((num_examples, 1)) > matrix[clean].cumsum(axis=1)[:, :-1]
    ).sum(axis=1)
    logits = rng.normal(size=(num_examples, num_classes)) * doubt
    logits[np.arange(num_examples), clean] += 3.0
    probs = np.exp(logits)
    return scores_of(probs / probs.sum(axis=1, keepdims=True), given), clean
