"""Corruption of label arrays by a transition matrix."""

import dataclasses

import numpy as np

from limit_tf.noise.arguments import check_integer
from limit_tf.noise.example_ids import check_example_ids
from limit_tf.noise.example_ids import uniform_draws
from limit_tf.noise.labels import check_labels
from limit_tf.noise.transition import check_transition_matrix


@dataclasses.dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Labels before and after their corruption.

    Args:
        noisy_labels: The labels to train on, shape `(n,)`, int64.
        clean_labels: The true labels, shape `(n,)`, int64.
        is_corrupted: Where the two differ, shape `(n,)`, bool.

    Example:
        >>> matrix = np.array([[0.0, 1.0], [0.0, 1.0]])
        >>> noisy = corrupt_labels([0, 1, 0], matrix, seed=1)
        >>> noisy.noisy_labels.tolist(), noisy.is_corrupted.tolist()
        ([1, 1, 1], [True, False, True])
    """

    noisy_labels: np.ndarray
    clean_labels: np.ndarray
    is_corrupted: np.ndarray

    @property
    def noise_rate(self) -> float:
        """The measured fraction of wrong labels; 0 if there are none."""
        return float(self.is_corrupted.sum() / max(1, self.is_corrupted.size))


def corrupt_labels(
    clean_labels: np.ndarray,
    transition_matrix: np.ndarray,
    *,
    seed: int,
    example_ids: np.ndarray | None = None,
) -> NoisyLabels:
    """Draws a noisy label for each example.

    The noisy label of an example depends only on `seed`, on the example's
    identifier, on its clean label and on the matrix. It stays the same when
    examples are reordered, left out, or corrupted in several calls.

    Args:
        clean_labels: True labels in `[0, K - 1]`, shape `(n,)`, integers.
        transition_matrix: Array of shape `(K, K)`; row `i` is the
            distribution of the noisy label given the clean label `i`.
        seed: Integer in `[0, 2**64)`.
        example_ids: Distinct integers or strings, shape `(n,)`; by default
            the positions `0, ..., n - 1`.

    Returns:
        The `NoisyLabels`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.
    """
    matrix = check_transition_matrix(transition_matrix)
    clean_labels = check_labels(clean_labels, len(matrix), "clean_labels")
    seed = check_integer(seed, "seed", low=0, high=2**64 - 1)
    if example_ids is None:
        example_ids = np.arange(len(clean_labels))
    example_ids = check_example_ids(example_ids, len(clean_labels))

    draws = uniform_draws(seed, example_ids)
    noisy_labels = np.empty_like(clean_labels)
    for label in np.unique(clean_labels):
        rows = clean_labels == label
        noisy_labels[rows] = _inverse_cdf(matrix[label], draws[rows])
    return NoisyLabels(noisy_labels, clean_labels, noisy_labels != clean_labels)


def _inverse_cdf(probs, draws):
    """Maps numbers in [0, 1) to classes with the given probabilities.

    Dividing by the last sum makes the end of the cumulative sum exactly one,
    so no draw falls behind the last class. A class of probability zero leaves
    the sum exactly as it was, so no draw falls on it.
    """
    cumulative = np.cumsum(probs)
    return np.searchsorted(cumulative / cumulative[-1], draws, side="right")
