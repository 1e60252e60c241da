"""Which training images of a source train, and which validate."""

import numbers

import numpy as np

from limit_tf.data.image_data import Source
from limit_tf.data.stratification import class_ranks
from limit_tf.data.stratification import evenly_spread
from limit_tf.data.stratification import taken_out


def permuted(
    source: Source, seed: int, train_fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """Permutes the images; the first ones train, as in the LIMIT paper.

    Args:
        source: The data set.
        seed: Non-negative integer.
        train_fraction: Fraction of the images to train on, in `(0, 1)`; means
            nothing where the source has a validation part.

    Returns:
        Positions of the images that train and of those that validate; the
        first ones of the former are those of a smaller training set.

    Raises:
        TypeError: If `train_fraction` is not a number.
        ValueError: If it is out of range.
    """
    num_train = len(source.train)
    order = np.random.default_rng(seed).permutation(num_train)
    if source.validation is None:
        num_train = _num_train(num_train, train_fraction)
    return order[:num_train], order[num_train:]


def stratified(
    source: Source, seed: int, train_fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """Splits the training images of each class, by hashes of identifiers.

    Args:
        source: The data set.
        seed: As in `permuted`.
        train_fraction: As there, of each class.

    Returns:
        As `permuted`.

    Raises:
        TypeError: If `train_fraction` is not a number.
        ValueError: If it is out of range, or no class has two images.
    """
    part = source.train
    labels = part.labels if part.given_labels is None else part.given_labels
    ids = part.example_ids
    seed = int(
        np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
    )
    is_taken = np.zeros(len(part), bool)
    if source.validation is None:
        _num_train(len(part), train_fraction)
        ranks, sizes = class_ranks(labels, ids, seed)
        is_taken = taken_out(ranks, sizes, 1.0 - train_fraction, num_kept=1)
        if not is_taken.any():
            raise ValueError(
                "`source` must have two training images of a class, one of "
                "them to validate on. Received: one of each"
            )

    def ordered(positions):
        ranks = class_ranks(labels[positions], ids[positions], seed)
        return positions[evenly_spread(*ranks)]

    return ordered(np.flatnonzero(~is_taken)), ordered(np.flatnonzero(is_taken))


def _num_train(num_examples, train_fraction):
    if not isinstance(train_fraction, numbers.Real) or isinstance(
        train_fraction, bool
    ):
        raise TypeError(
            "`train_fraction` must be a number. "
            f"Received: train_fraction={train_fraction!r}"
        )
    if not 0.0 < train_fraction < 1.0:
        raise ValueError(
            "`train_fraction` must lie in (0, 1). "
            f"Received: train_fraction={train_fraction}"
        )
    num_train = round(num_examples * train_fraction)
    if num_train in (0, num_examples):
        raise ValueError(
            "`train_fraction` must leave at least one image to each part. "
            f"Received: train_fraction={train_fraction} of {num_examples}"
        )
    return num_train
