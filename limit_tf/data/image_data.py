"""Labelled images, or other inputs, in memory or in files."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from limit_tf.data.given_labels import GivenLabels
from limit_tf.data.labels import check_labels
from limit_tf.data.skipped import Skipped
from limit_tf.data.stored_images import StoredImages
from limit_tf.noise import check_example_ids

Images = np.ndarray | StoredImages


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """Images with their labels.

    Args:
        images: Images of shape `(n, height, width, channels)`, uint8; or
            `ImageFiles` or `RecordImages`; or floats of shape `(n, ...)`, kept
            as float32, such as rows of a table or embeddings.
        labels: Shape `(n,)`, integers from 0; kept as int64. The true ones if
            there are `given_labels`.
        example_ids: Distinct integers or strings that identify the examples,
            shape `(n,)`.
        given_labels: Labels that people or a process gave, right or wrong,
            shape `(n,)`, integers from 0; `None` if there are none beside
            `labels`.
        sample_weight: Weights of the examples in training, shape `(n,)`,
            finite and at least 0; kept as float32; `None` for ones.

    Raises:
        TypeError: If an array has the wrong dtype.
        ValueError: If an array has the wrong shape or a wrong value.

    Example:
        >>> images = np.zeros((2, 8, 8, 1), np.uint8)
        >>> data = ImageData(images, [7, 3], ["a", "b"])
        >>> data.take([1]).labels.tolist()
        [3]
    """

    images: Images
    labels: np.ndarray
    example_ids: np.ndarray
    given_labels: np.ndarray | None = None
    sample_weight: np.ndarray | None = None

    def __post_init__(self):
        """Checks the arrays."""
        images = check_images(self.images)
        object.__setattr__(self, "images", images)
        for name in ("labels", "given_labels"):
            labels = getattr(self, name)
            if labels is None and name == "given_labels":
                continue
            labels = check_labels(labels, name=name)
            if len(labels) != len(images):
                raise ValueError(
                    f"`{name}` must be as many as the {len(images)} images. "
                    f"Received: {len(labels)} labels"
                )
            object.__setattr__(self, name, labels)
        object.__setattr__(
            self,
            "example_ids",
            check_example_ids(self.example_ids, len(images)),
        )
        if self.sample_weight is not None:
            object.__setattr__(
                self,
                "sample_weight",
                check_sample_weight(self.sample_weight, len(images)),
            )

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageData":
        """Returns the examples at some positions, in that order."""
        given, weights = self.given_labels, self.sample_weight
        return ImageData(
            self.images[indices],
            self.labels[indices],
            self.example_ids[indices],
            None if given is None else given[indices],
            None if weights is None else weights[indices],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A data set: its parts, and how a network is to see the pixels.

    A network sees `(pixel / pixel_max - pixel_mean) / pixel_std`, or the
    inputs as they are if these three are `None`.

    Args:
        name: The name it was loaded by.
        train: The training images, `ImageData`.
        test: The test images, `ImageData`, of the same shape.
        class_names: The `K` names; labels are positions in it.
        pixel_mean: One number per channel; `None` for floats only.
        pixel_std: One positive number per channel; `None` for floats only.
        pixel_max: The value of the brightest pixel; `None` for floats only.
        validation: Images to validate on, `ImageData`; `None` if they are to
            be split off from `train`.
        labels_are_clean: Whether the labels of `train` and of `validation`
            are true; `False` where nobody knows.
        unreadable: Files that were left out, and why.
        labels_file: Labels that images of `train`, and of a held-out `test`,
            are to be given once they are split, see `noisy_splits`; `None` for
            those that they have.
        left_out: Identifiers, as text, of examples that are in no part, by
            the reason.
        test_is_held_out: Whether `test` was held out of the images that train:
            its labels are of one origin with theirs.
        test_labels_are_checked: Whether somebody vouches for the labels of
            `test`: who made the data set, who set a test part aside, or the
            user who says so.
        skipped: What was left out without being read: files of other kinds,
            folders without images.

    Raises:
        ValueError: If the parts do not fit together.
    """

    name: str
    train: ImageData
    test: ImageData
    class_names: tuple[str, ...]
    pixel_mean: tuple[float, ...] | None = None
    pixel_std: tuple[float, ...] | None = None
    pixel_max: float | None = None
    validation: ImageData | None = None
    labels_are_clean: bool = True
    unreadable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    labels_file: GivenLabels | None = None
    left_out: Mapping[str, Sequence[str]] = dataclasses.field(
        default_factory=dict
    )
    test_is_held_out: bool = False
    test_labels_are_checked: bool = True
    skipped: Skipped = Skipped()

    def __post_init__(self):
        """Checks that the parts fit together."""
        for name in ("train", "validation", "test"):
            part = getattr(self, name)
            if part is not None:
                self._check_part(part, name)
        if self.test.given_labels is not None:
            raise ValueError(
                "`test` must have no `given_labels`: its labels are the true "
                f"ones. Received: {len(self.test)} of them"
            )
        if self.labels_file is not None:
            highest = self.labels_file.labels.max(initial=-1)
            if highest >= self.num_classes:
                raise ValueError(
                    "`labels_file` must hold indices of the "
                    f"{self.num_classes} classes. Received: {highest} in "
                    f"{self.labels_file.path}"
                )
        self._check_scaling()

    def _check_part(self, part, name):
        images, expected = part.images, self.train.images
        if images.shape[1:] != expected.shape[1:]:
            raise ValueError(
                f"`{name}` must have images of shape {expected.shape[1:]}, as "
                f"`train` has. Received: {images.shape[1:]}"
            )
        if images.dtype != expected.dtype:
            raise ValueError(
                f"`{name}` must have images of {expected.dtype}, as `train` "
                f"has. Received: {images.dtype}"
            )
        check_labels(part.labels, self.num_classes, f"{name}.labels")
        if part.given_labels is None:
            return
        check_labels(
            part.given_labels, self.num_classes, f"{name}.given_labels"
        )
        if not self.labels_are_clean:
            raise ValueError(
                "`labels_are_clean` must be True where there are "
                "`given_labels` beside the true ones. Received: "
                f"labels_are_clean=False and {name}.given_labels"
            )

    def _check_scaling(self):
        given = {
            name: getattr(self, name)
            for name in ("pixel_mean", "pixel_std", "pixel_max")
        }
        missing = [name for name, value in given.items() if value is None]
        if missing:
            is_float = self.train.images.dtype.kind == "f"
            if len(missing) < len(given) or not is_float:
                raise ValueError(
                    f"`{missing[0]}` must be given, unless the images are "
                    "floats and pixel_mean, pixel_std and pixel_max all are "
                    f"None. Received: {missing[0]}=None"
                )
            return
        num_channels = self.train.images.shape[-1]
        for name in ("pixel_mean", "pixel_std"):
            if len(given[name]) != num_channels:
                raise ValueError(
                    f"`{name}` must have one number for each of the "
                    f"{num_channels} channels. Received: {name}={given[name]}"
                )
        if min(self.pixel_std) <= 0 or self.pixel_max <= 0:
            raise ValueError(
                "`pixel_std` and `pixel_max` must be positive. Received: "
                f"pixel_std={self.pixel_std}, pixel_max={self.pixel_max}"
            )

    @property
    def num_classes(self) -> int:
        """The number of classes `K`."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, as a network sees it."""
        return tuple(self.train.images.shape[1:])

    @property
    def pixel_scaling(self) -> dict | None:
        """`pixel_max`, `mean` and `std` as networks take them, or `None`."""
        if self.pixel_max is None:
            return None
        return {
            "pixel_max": self.pixel_max,
            "mean": self.pixel_mean,
            "std": self.pixel_std,
        }


def is_stored(images: Images) -> bool:
    """Whether images are in files, which are read when they are needed."""
    return isinstance(images, StoredImages)


def check_sample_weight(
    sample_weight: np.ndarray, num_examples: int
) -> np.ndarray:
    """Checks the weights of examples.

    Args:
        sample_weight: Shape `(n,)`, finite numbers of at least 0.
        num_examples: The number `n`.

    Returns:
        The same weights, float32.

    Raises:
        TypeError: If they are not numbers.
        ValueError: If there are not `n`, or one is negative or not finite.
    """
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "fiub":
        raise TypeError(
            f"`sample_weight` must be numbers. Received: dtype={weights.dtype}"
        )
    with np.errstate(over="ignore"):  # Infinities are refused below.
        weights = weights.astype(np.float32)
    if weights.shape != (num_examples,):
        raise ValueError(
            f"`sample_weight` must have shape ({num_examples},). Received: "
            f"shape={weights.shape}"
        )
    is_wrong = ~(np.isfinite(weights) & (weights >= 0))
    if is_wrong.any():
        raise ValueError(
            "`sample_weight` must be finite and at least 0. Received: "
            f"{weights[is_wrong][0]} at index {int(np.argmax(is_wrong))}"
        )
    return weights


def check_images(images: Images) -> Images:
    """Checks images, or other inputs of a network.

    Args:
        images: Shape `(n, height, width, channels)`, uint8; or `ImageFiles`
            or `RecordImages`; or finite floats of shape `(n, ...)`.

    Returns:
        The same images; floats as float32.

    Raises:
        TypeError: If the dtype is neither uint8 nor floating.
        ValueError: If the array has another rank, no image, or a number that
            is not finite.
    """
    if is_stored(images):
        return images
    images = np.asarray(images)
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(
            f"`images` must be uint8, or floats. Received: dtype={images.dtype}"
        )
    if images.dtype == np.uint8 and images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "`images` must have shape (n, height, width, channels), none of "
            f"them 0. Received: shape={images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if images.ndim < 2:
        raise ValueError(
            "`images` must have shape (n, ...) of at least two axes if they "
            f"are floats. Received: shape={images.shape}"
        )
    with np.errstate(over="ignore"):  # Infinities are refused below.
        images = images.astype(np.float32, copy=False)
    is_finite = np.isfinite(images.reshape(len(images), -1)).all(axis=1)
    if not is_finite.all():
        raise ValueError(
            "`images` must hold finite numbers. Received: "
            f"{np.count_nonzero(~is_finite)} of {len(images)} rows that do "
            f"not, the first at index {int(np.argmin(is_finite))}"
        )
    return images
