"""Validation accuracy over several epochs, which says more than one epoch's.

From epoch to epoch a network's accuracy on noisy labels moves by more than the
networks of two penalties differ, and the best of a hundred epochs is the
luckiest. The mean of consecutive epochs keeps what lasts.
"""

from collections.abc import Sequence

import numpy as np

_MOST_EPOCHS = 20
_SHARE_OF_EPOCHS = 5


def window_of(epochs: int) -> int:
    """Number of epochs to average over.

    Args:
        epochs: Most epochs of a training, at least 1.

    Returns:
        A fifth of them, at least 1 and at most 20.
    """
    return min(_MOST_EPOCHS, max(1, epochs // _SHARE_OF_EPOCHS))


def best_window(accuracies: Sequence[float], window: int) -> slice:
    """The consecutive epochs of the best mean accuracy.

    Args:
        accuracies: Accuracy after each epoch, at least one.
        window: Number of epochs; all where there are no more.

    Returns:
        A slice of the epochs, the first of several that are equally good.
    """
    window = min(window, len(accuracies))
    sums = np.cumsum([0.0, *accuracies])
    # Rounded, so that equal windows are equal.
    start = int(np.argmax(np.round(sums[window:] - sums[:-window], 9)))
    return slice(start, start + window)


def best_mean(accuracies: Sequence[float], window: int) -> float:
    """Mean accuracy in `best_window`."""
    return float(np.mean(accuracies[best_window(accuracies, window)]))
