"""The rules that every array of labels obeys."""

import numpy as np


def check_labels(
    labels: np.ndarray, num_classes: int | None = None, name: str = "labels"
) -> np.ndarray:
    """Checks an array of labels.

    Args:
        labels: Array-like of shape `(n,)` of integers, or of floats that are
            whole numbers.
        num_classes: Number of classes `K`: labels must lie in `[0, K - 1]`.
            Without it they must only be non-negative int64.
        name: Name of the argument, for error messages.

    Returns:
        The labels, shape `(n,)`, int64.

    Raises:
        TypeError: If the labels are not numbers.
        ValueError: If the array has another rank, or a label is not a whole
            number or is out of range.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        raise TypeError(
            f"`{name}` must be an array of integers. "
            f"Received: dtype={labels.dtype}"
        )
    if labels.ndim != 1:
        raise ValueError(
            f"`{name}` must have shape (n,). Received: shape={labels.shape}"
        )
    if labels.dtype.kind == "f":  # which may be too small for `highest`
        labels = labels.astype(np.float64)
    _refuse(labels, labels != np.floor(labels), name, "be whole numbers")
    highest = 2**63 - 1 if num_classes is None else num_classes - 1
    is_outside = (labels < 0) | (labels > highest)
    _refuse(labels, is_outside, name, f"lie in [0, {highest}]")
    return labels.astype(np.int64)


def _refuse(labels, is_wrong, name, rule):
    """Raises if any label is wrong, and names the first of them."""
    if is_wrong.any():
        first = int(np.argmax(is_wrong))
        raise ValueError(
            f"`{name}` must {rule}. Received: {np.count_nonzero(is_wrong)} of "
            f"{len(labels)} that do not, the first {labels[first]} at index "
            f"{first}"
        )
