"""What an accuracy on noisy labels says of the one on true labels."""

import math

import numpy as np

# The inverse of such a matrix multiplies the errors of its estimate.
_MOST_CONDITION = 100.0
_MOST_STANDARD_ERROR = 0.05  # 10 points to either side, at 95 %


def corrected_accuracy(
    classes: np.ndarray,
    labels: np.ndarray,
    transition_matrix: np.ndarray,
    matrix_errors: np.ndarray | None = None,
) -> tuple[float, float]:
    """Estimates an accuracy on true labels from noisy ones.

    Of an example whose predicted class is `p` and whose noisy label is `j`,
    the mean of `inverse(T)[j, p]` over the noise is the accuracy on true labels
    (Natarajan et al., 2013, with the error as the loss).

    Args:
        classes: Predicted classes, `(n,)`.
        labels: Noisy labels, `(n,)`.
        transition_matrix: Invertible matrix `(num_classes, num_classes)`.
        matrix_errors: Standard errors of its entries, of the same shape, taken
            for independent; None for a matrix that is known.

    Returns:
        The estimate, which may lie outside `[0, 1]`, and its standard error.

    References:
        - [Natarajan et al., 2013](https://papers.nips.cc/paper/5073)
    """
    inverse = np.linalg.inv(transition_matrix)
    shares = inverse[labels, classes]
    variance = shares.var() / len(shares)
    if matrix_errors is not None:
        # The estimate is the sum of inverse(T) times the joint distribution C
        # of labels and classes; its derivative by T is -inverse' C inverse'.
        joint = np.zeros_like(inverse)
        np.add.at(joint, (labels, classes), 1.0 / len(labels))
        slopes = inverse.T @ joint @ inverse.T
        variance += float(((slopes * matrix_errors) ** 2).sum())
    return float(shares.mean()), math.sqrt(variance)


def is_invertible(transition_matrix: np.ndarray) -> bool:
    """Whether a matrix is far enough from singular ones to be inverted."""
    return bool(np.linalg.cond(transition_matrix) <= _MOST_CONDITION)


def is_useful(accuracy: float, standard_error: float) -> bool:
    """Whether an estimated accuracy says something.

    Args:
        accuracy: The estimate.
        standard_error: Its standard error.

    Returns:
        Whether it lies in `[0, 1]` and its 95 % interval reaches at most 10
        points to either side.
    """
    return 0.0 <= accuracy <= 1.0 and standard_error <= _MOST_STANDARD_ERROR
