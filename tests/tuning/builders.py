"""Builders that the tests of tuning share."""

import numpy as np

from limit_tf.tuning.trials import FinishedTrial


def trial(number, correct, penalty=1.0, stopped=None, epochs=10, memorised=0.0):
    """A trial that predicts these of 100 labels, and memorises a share."""
    hits = np.zeros(100)
    hits[list(correct)] = 1.0
    return FinishedTrial(
        trial_id=str(number),
        values={},
        valid_accuracy=0.0,
        valid_cross_entropy=1.0,
        num_valid_labels=100,
        test_accuracy=None,
        epochs=epochs,
        num_epochs=epochs,
        best_epoch=1,
        stopped_early=stopped,
        seconds=1.0,
        hits=hits,
        train_accuracy=hits.mean() + memorised * (1.0 - hits.mean()),
    )
