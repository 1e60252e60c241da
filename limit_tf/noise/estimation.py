"""Estimate of the transition matrix from a trained classifier's outputs."""

import numbers

import numpy as np

# How far a row of float16 probabilities may be from summing to one.
SUM_TOLERANCE = 1e-2


def estimate_transition_matrix(
    probs: np.ndarray, *, filter_percentile: float | None = 97.0
) -> np.ndarray:
    """Estimates the transition matrix as forward correction does.

    For every class `i` one example stands for the class: the one with the
    largest probability of class `i`, once the entries at or above a high
    percentile of that column, taken as outliers, are left out. Its outputs,
    normalised, are row `i` (Patrini et al., 2017). The authors
    filter in place, so that rows can hold zeros left by the filter of earlier
    columns; here every column is filtered afresh.

    Where a class is predicted for fewer examples than the filter leaves out,
    as with 100 balanced classes and the default of 3%, the filter removes
    the very examples that should stand for it. The authors switch it off for
    CIFAR-100.

    Args:
        probs: Softmax outputs `(n, K)` of a classifier trained on the noisy
            labels, for examples of its training set.
        filter_percentile: Percentile in `(0, 100]` of a column from which on
            its entries are left out, rounded up to the next entry, or None to
            take the largest entry.

    Returns:
        Array of shape `(K, K)`, float64, whose rows sum to one.

    Raises:
        TypeError: If an argument does not hold numbers.
        ValueError: If an argument is outside its range, or if the filter
            leaves no example for a class.

    References:
        - [Patrini et al., 2017](https://arxiv.org/abs/1609.03683)
    """
    probs = _checked_probs(probs)
    _check_percentile(filter_percentile)
    num_classes = probs.shape[1]
    rows = [
        probs[_typical_example(probs[:, i], i, filter_percentile)]
        for i in range(num_classes)
    ]
    return np.stack([row / row.sum() for row in rows])


def _typical_example(column, class_index, filter_percentile):
    """Index of the example that stands for a class."""
    if filter_percentile is None:
        return np.argmax(column)
    threshold = np.percentile(column, filter_percentile, method="higher")
    is_kept = column < threshold
    if not is_kept.any():
        raise ValueError(
            "`probs` must have entries below the percentile in every column: "
            "give more examples, or filter_percentile=None. Received: "
            f"{len(column)} examples, none below {threshold} in column "
            f"{class_index}, filter_percentile={filter_percentile}"
        )
    return np.argmax(np.where(is_kept, column, -1.0))


def _checked_probs(probs):
    """Returns the probabilities in float64."""
    probs = np.asarray(probs)
    if not np.issubdtype(probs.dtype, np.floating):
        raise TypeError(
            f"`probs` must be an array of floats. Received: dtype={probs.dtype}"
        )
    if probs.ndim != 2 or probs.shape[0] < 1 or probs.shape[1] < 2:
        raise ValueError(
            "`probs` must have shape (n, K), with an example and 2 classes at "
            f"least. Received: shape={probs.shape}"
        )
    probs = probs.astype(np.float64)
    is_wrong = ~(np.isfinite(probs) & (probs >= 0.0))
    if is_wrong.any():
        row, column = (int(i) for i in np.argwhere(is_wrong)[0])
        raise ValueError(
            "`probs` must hold finite, non-negative numbers. "
            f"Received: {probs[row, column]} at [{row}, {column}]"
        )
    sums = probs.sum(axis=1)
    row = int(np.argmax(np.abs(sums - 1.0)))
    if abs(sums[row] - 1.0) > SUM_TOLERANCE:
        raise ValueError(
            "`probs` must have rows that sum to 1. "
            f"Received: row {row} sums to {sums[row]}"
        )
    return probs


def _check_percentile(percentile):
    if percentile is None:
        return
    if not isinstance(percentile, numbers.Real) or isinstance(percentile, bool):
        raise TypeError(
            "`filter_percentile` must be a number or None. "
            f"Received: filter_percentile={percentile!r}"
        )
    if not 0.0 < percentile <= 100.0:
        raise ValueError(
            "`filter_percentile` must lie in (0, 100]. "
            f"Received: filter_percentile={percentile}"
        )
