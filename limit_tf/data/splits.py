"""Splitting a source, and corrupting the labels of its training images."""

import dataclasses
import numbers

import numpy as np
from absl import logging

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Images
from limit_tf.data.image_data import Source
from limit_tf.noise import check_transition_matrix
from limit_tf.noise import corrupt_labels
from limit_tf.noise import identity_transition_matrix
from limit_tf.noise.arguments import check_integer


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with the labels that were given to them, right or wrong.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`
            or `RecordImages`; or floats of shape `(n, ...)`.
        labels: The given labels, which may be wrong, shape `(n,)`, int64.
        clean_labels: The true labels, shape `(n,)`, int64; `None` if they are
            not known.
        is_corrupted: Where the two differ, shape `(n,)`, bool; `None` if that
            is not known.
        example_ids: Identifiers of the examples, shape `(n,)`.
        sample_weight: Weights in training, shape `(n,)`, float32; `None` for
            ones. Accuracies do not weigh.
    """

    images: Images
    labels: np.ndarray
    clean_labels: np.ndarray | None
    is_corrupted: np.ndarray | None
    example_ids: np.ndarray
    sample_weight: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class NoisySplits:
    """The three parts of an experiment's data.

    Args:
        train: Noisy labels.
        validation: Noisy labels, or clean ones if so asked for; those of the
            source if it has a validation part.
        test: The labels of the source, taken as they are.
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

    If the source has a validation part, that part validates, its labels left
    as they were given, and all training images train: `train_fraction` means
    nothing then.

    Labels that are given beside the true ones are the noise: they are taken
    as they are, and no other noise may be asked for. Where the source does
    not know the true labels, they stay unknown; but if noise is asked for,
    the labels of its training images count as the true ones.

    The source's `labels_file` comes after the split, which so does not depend
    on it: it must name the training images that are used, and leaves out
    those without a label. Where the true labels are known, its labels are the
    noise; where they are not, they replace the labels. A validation part that
    the source has keeps its own.

    Args:
        source: The data set.
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
        ValueError: If an argument is out of range or does not fit the source.
    """
    matrix = check_transition_matrix(transition_matrix, source.num_classes)
    split_seed = check_integer(split_seed, "split_seed", low=0)
    noise_seed = check_integer(noise_seed, "noise_seed", low=0)
    num_train = len(source.train)
    if source.validation is None:
        num_train = _num_train(num_train, train_fraction)
    identity = identity_transition_matrix(source.num_classes)
    is_noisy = not np.array_equal(matrix, identity)
    truth_known = source.labels_are_clean or is_noisy
    _check_noise(source, is_noisy)
    if clean_validation and not truth_known:
        raise ValueError(
            "`clean_validation` must be False for data whose true labels are "
            f"not known. Received: clean_validation=True for {source.name}"
        )

    order = np.random.default_rng(split_seed).permutation(len(source.train))
    train_order, validation_order = order[:num_train], order[num_train:]
    if num_train_examples is not None:
        num_train_examples = check_integer(
            num_train_examples, "num_train_examples", low=1, high=num_train
        )
        train_order = train_order[:num_train_examples]

    train_seed, validation_seed = (
        int(seed)
        for seed in np.random.SeedSequence(noise_seed).generate_state(
            2, np.uint64
        )
    )
    if source.labels_file is not None:
        used = np.concatenate([train_order, validation_order])
        _check_cover(source, used)
    train = _taken(source, train_order, "training part")
    validation, validation_matrix = source.validation, identity
    if validation is None:
        validation = _taken(source, validation_order, "validation part")
        validation_matrix = identity if clean_validation else matrix
    if clean_validation:
        validation = dataclasses.replace(validation, given_labels=None)
    return NoisySplits(
        train=_labelled(train, matrix, train_seed, truth_known),
        validation=_labelled(
            validation, validation_matrix, validation_seed, truth_known
        ),
        test=_labelled(source.test, identity, 0, source.labels_are_clean),
    )


def _check_noise(source, is_noisy):
    """Refuses noise on top of labels that are given beside the true ones."""
    for name in ("train", "validation"):
        part = getattr(source, name)
        if is_noisy and part is not None and part.given_labels is not None:
            raise ValueError(
                "`transition_matrix` must be the identity for data that has "
                "given labels beside the true ones. Received: another matrix "
                f"for {source.name} with {name}.given_labels"
            )
    if is_noisy and source.labels_file is not None and source.labels_are_clean:
        raise ValueError(
            "`transition_matrix` must be the identity where a labels file "
            "gives labels beside the true ones. Received: another matrix for "
            f"{source.name} with {source.labels_file.path}"
        )


def _check_cover(source, used):
    file = source.labels_file
    file.check_cover(source.train.example_ids[used])
    num_ignored = len(file) - len(used)
    if num_ignored:
        logging.info(
            "%s: %d ids that are not used in training or validation are "
            "ignored",
            file.path,
            num_ignored,
        )


def _taken(source, order, part):
    """Training images of a source, with the labels of its file."""
    if source.labels_file is None:
        return source.train.take(order)
    return source.labels_file.apply(
        source.train, order, truth_known=source.labels_are_clean, part=part
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


def _labelled(data: ImageData, matrix, seed, truth_known):
    labels, clean_labels = data.given_labels, data.labels
    if labels is None:
        labels = corrupt_labels(
            data.labels, matrix, seed=seed, example_ids=data.example_ids
        ).noisy_labels
    return LabelledImages(
        images=data.images,
        labels=labels,
        clean_labels=clean_labels if truth_known else None,
        is_corrupted=labels != clean_labels if truth_known else None,
        example_ids=data.example_ids,
        sample_weight=data.sample_weight,
    )
