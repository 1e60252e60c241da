"""Splitting a source, and corrupting the labels of its training images."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from absl import logging

from limit_tf.data import labels_file
from limit_tf.data import membership
from limit_tf.data.class_labels import some
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Images
from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import WITHOUT_LABEL
from limit_tf.noise import check_transition_matrix
from limit_tf.noise import corrupt_labels
from limit_tf.noise import identity_transition_matrix
from limit_tf.noise.arguments import check_integer

# Why examples of the source are in no part, beside the source's own reasons.
NOT_USED = "beyond num_train_examples"


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
        test: The labels of the source, taken as they are; of a held-out part
            those of the labels file, where it has one.
        left_out: Number of examples of the source that are in none of the
            parts, by the reason.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)


def noisy_splits(
    source: Source,
    transition_matrix: np.ndarray,
    *,
    split_seed: int,
    noise_seed: int,
    train_fraction: float = 0.8,
    num_train_examples: int | None = None,
    clean_validation: bool = False,
    stratify: bool = True,
) -> NoisySplits:
    """Splits off a validation part and corrupts labels.

    Of each class of the source, `train_fraction` of the training images train
    and the rest validates; a class of two images or more does both. Which ones
    goes by a hash of their identifiers, so that few images change the part
    where others vanish. Classes without an image of a part are warned of. Noise
    goes by the identity of an example: within a part, its label does not depend
    on `split_seed` or on `num_train_examples`. The two parts draw their noise
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
    noise; where they are not, they replace the labels. A test part that was
    held out takes the labels that the file has for it; a validation or test
    part that the source has of itself keeps its own. Identifiers that no
    example has are refused.

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
        stratify: Whether to split class by class. If not, the images are
            permuted and the first ones train, as in the LIMIT paper.

    Returns:
        The `NoisySplits`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or does not fit the source.
    """
    matrix = check_transition_matrix(transition_matrix, source.num_classes)
    split_seed = check_integer(split_seed, "split_seed", low=0)
    noise_seed = check_integer(noise_seed, "noise_seed", low=0)
    identity = identity_transition_matrix(source.num_classes)
    is_noisy = not np.array_equal(matrix, identity)
    truth_known = source.labels_are_clean or is_noisy
    _check_noise(source, is_noisy)
    if clean_validation and not truth_known:
        raise ValueError(
            "`clean_validation` must be False for data whose true labels are "
            f"not known. Received: clean_validation=True for {source.name}"
        )

    split = membership.stratified if stratify else membership.permuted
    train_order, validation_order = split(source, split_seed, train_fraction)
    num_train, left_out = len(train_order), _left_out(source)
    if num_train_examples is not None:
        num_train_examples = check_integer(
            num_train_examples, "num_train_examples", low=1, high=num_train
        )
        train_order = train_order[:num_train_examples]
        if num_train_examples < num_train:
            left_out[NOT_USED] = num_train - num_train_examples

    train_seed, validation_seed = (
        int(seed)
        for seed in np.random.SeedSequence(noise_seed).generate_state(
            2, np.uint64
        )
    )
    if source.labels_file is not None:
        used = np.concatenate([train_order, validation_order])
        source.labels_file.check_cover(source.train.example_ids[used])
        labels_file.check_ids(source)
    train = _taken(source, train_order, "training part")
    validation, validation_matrix = source.validation, identity
    if validation is None:
        validation = _taken(source, validation_order, "validation part")
        validation_matrix = identity if clean_validation else matrix
    if clean_validation:
        validation = dataclasses.replace(validation, given_labels=None)
    test = labels_file.test_part(source)
    if source.labels_file is not None:
        whole = len(train_order) + len(source.test)
        whole += len(validation_order)
        num_left = len(train) + len(test)
        num_left += 0 if source.validation is not None else len(validation)
        if num_left < whole:
            left_out[WITHOUT_LABEL] = (
                left_out.get(WITHOUT_LABEL, 0) + whole - num_left
            )
    splits = NoisySplits(
        train=_labelled(train, matrix, train_seed, truth_known),
        validation=_labelled(
            validation, validation_matrix, validation_seed, truth_known
        ),
        test=_labelled(test, identity, 0, source.labels_are_clean),
        left_out=left_out,
    )
    _warn_of_empty_classes(source, splits)
    return splits


def _left_out(source):
    return {reason: len(ids) for reason, ids in source.left_out.items()}


def _warn_of_empty_classes(source, splits):
    """Names, in one line, classes that have no image of a part."""
    parts = []
    for name, words in (("train", "training"), ("validation", "validation")):
        labels = getattr(splits, name).labels
        counts = np.bincount(labels, minlength=source.num_classes)
        empty = [source.class_names[i] for i in np.flatnonzero(counts == 0)]
        if empty:
            parts.append(f"{len(empty)} without a {words} image: {some(empty)}")
    if parts:
        logging.warning(
            "Of the %d classes, %s", source.num_classes, "; ".join(parts)
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


def _taken(source, order, part):
    """Training images of a source, with the labels of its file."""
    if source.labels_file is None:
        return source.train.take(order)
    return source.labels_file.apply(
        source.train, order, truth_known=source.labels_are_clean, part=part
    )


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
