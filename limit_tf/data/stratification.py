"""Choosing examples class by class, by their identifiers."""

import numpy as np

from limit_tf.noise.example_ids import uniform_draws


def class_ranks(
    labels: np.ndarray, example_ids: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Puts the examples of each class in an order of their own.

    The order follows a hash of the identifiers: where examples vanish or are
    added, the others of a class stay in the order that they had.

    Args:
        labels: Shape `(n,)`, int64.
        example_ids: Identifiers as `check_example_ids` returns them, `(n,)`.
        seed: Integer in `[0, 2**64)`.

    Returns:
        For each example its place in its class, from 0, and the number of
        examples of that class, both `(n,)`, int64.
    """
    order = np.lexsort((uniform_draws(seed, example_ids), labels))
    _, starts, counts = np.unique(
        labels[order], return_index=True, return_counts=True
    )
    ranks, sizes = np.empty((2, len(labels)), np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    sizes[order] = np.repeat(counts, counts)
    return ranks, sizes


def taken_out(
    ranks: np.ndarray, sizes: np.ndarray, fraction: float, num_kept: int
) -> np.ndarray:
    """Chooses a fraction of each class.

    Args:
        ranks: Place of each example in its class, `(n,)`.
        sizes: Number of examples of its class, `(n,)`.
        fraction: Fraction of each class to choose, in `(0, 1)`.
        num_kept: Number of examples that every class keeps; one that has more
            gives at least one.

    Returns:
        Whether an example is chosen, `(n,)`, bool: those of the lowest ranks.
    """
    wanted = np.maximum(np.rint(sizes * fraction), 1)
    return ranks < np.clip(wanted, 0, np.maximum(sizes - num_kept, 0))


def evenly_spread(ranks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Orders examples such that the first ones have the classes of all.

    Args:
        ranks: Place of each example in its class, `(n,)`.
        sizes: Number of examples of its class, `(n,)`.

    Returns:
        The positions in that order, `(n,)`: one example of each class, the
        largest one first, then the classes in turn, as often as each has
        examples.
    """
    return np.lexsort((-sizes, ranks / sizes))
