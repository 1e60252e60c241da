"""Splitting a source, and corrupting the labels of its training images."""

import dataclasses
import numbers

import numpy as np

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.noise import check_transition_matrix
from limit_tf.noise import corrupt_labels
from limit_tf.noise import identity_transition_matrix
from limit_tf.noise.arguments import check_integer


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with the labels that were given to them, right or wrong.

    Args:
        images: Shape `(n, height, width, channels)`, uint8.
        labels: The given labels, which may be wrong, shape `(n,)`, int64.
        clean_labels: The true labels, shape `(n,)`, int64.
        is_corrupted: Where the two differ, shape `(n,)`, bool.
        example_ids: Identifiers of the examples, shape `(n,)`.
    """

    images: np.ndarray
    labels: np.ndarray
    clean_labels: np.ndarray
    is_corrupted: np.ndarray
    example_ids: np.ndarray

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class NoisySplits:
    """The three parts of an experiment's data.

    Args:
        train: Noisy labels.
        validation: Noisy labels, or clean ones if so asked for.
        test: Clean labels.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages


def noisy_splits(
    source: Source,
    transition_matrix: np.ndarray,
    *,
    split_seed: int,
    noise_seed: int,
    train_fraction: float = 0.8,
    num_train_examples: int | None = None,
    clean_validation: bool = False,
) -> NoisySplits:
    """Splits off a validation part and corrupts labels.

    The training images of the source are permuted; the first
    `train_fraction` of them train, the rest validates. Noise goes by the
    identity of an example: within a part, its label does not depend on
    `split_seed` or on `num_train_examples`. The two parts draw their noise
    independently.

    Args:
        source: The clean data set.
        transition_matrix: Shape `(K, K)`; row `i` is the distribution of the
            noisy label given the clean label `i`.
        split_seed: Non-negative integer, for the permutation.
        noise_seed: Non-negative integer, for the noise.
        train_fraction: Fraction of the images to train on, in `(0, 1)`.
        num_train_examples: If given, only that many images of the training
            part are used. Those of a smaller number are the first ones of a
            larger number; the validation part keeps its size.
        clean_validation: Whether the validation labels stay clean.

    Returns:
        The `NoisySplits`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """
    matrix = check_transition_matrix(transition_matrix, source.num_classes)
    split_seed = check_integer(split_seed, "split_seed", low=0)
    noise_seed = check_integer(noise_seed, "noise_seed", low=0)
    num_train = _num_train(len(source.train), train_fraction)

    order = np.random.default_rng(split_seed).permutation(len(source.train))
    train_order, validation_order = order[:num_train], order[num_train:]
    if num_train_examples is not None:
        num_train_examples = check_integer(
            num_train_examples, "num_train_examples", low=1, high=num_train
        )
        train_order = train_order[:num_train_examples]

    identity = identity_transition_matrix(source.num_classes)
    train_seed, validation_seed = (
        int(seed)
        for seed in np.random.SeedSequence(noise_seed).generate_state(
            2, np.uint64
        )
    )
    return NoisySplits(
        train=_corrupted(source.train.take(train_order), matrix, train_seed),
        validation=_corrupted(
            source.train.take(validation_order),
            identity if clean_validation else matrix,
            validation_seed,
        ),
        test=_corrupted(source.test, identity, seed=0),
    )


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


def _corrupted(data: ImageData, matrix, seed):
    noisy = corrupt_labels(
        data.labels, matrix, seed=seed, example_ids=data.example_ids
    )
    return LabelledImages(
        images=data.images,
        labels=noisy.noisy_labels,
        clean_labels=noisy.clean_labels,
        is_corrupted=noisy.is_corrupted,
        example_ids=data.example_ids,
    )
