"""Labelled images in memory."""

import dataclasses

import numpy as np

from limit_tf.data.labels import check_labels
from limit_tf.noise import check_example_ids


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """Images with clean labels.

    Args:
        images: Shape `(n, height, width, channels)`, uint8.
        labels: Shape `(n,)`, integers from 0; kept as int64.
        example_ids: Distinct integers or strings that identify the examples,
            shape `(n,)`.

    Raises:
        TypeError: If an array has the wrong dtype.
        ValueError: If an array has the wrong shape or a wrong value.

    Example:
        >>> images = np.zeros((2, 8, 8, 1), np.uint8)
        >>> data = ImageData(images, [7, 3], ["a", "b"])
        >>> data.take([1]).labels.tolist()
        [3]
    """

    images: np.ndarray
    labels: np.ndarray
    example_ids: np.ndarray

    def __post_init__(self):
        """Checks the arrays."""
        images = check_images(self.images)
        labels = check_labels(self.labels)
        if len(labels) != len(images):
            raise ValueError(
                f"`labels` must be as many as the {len(images)} images. "
                f"Received: {len(labels)} labels"
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(
            self,
            "example_ids",
            check_example_ids(self.example_ids, len(images)),
        )

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageData":
        """Returns the examples at some positions, in that order."""
        return ImageData(
            self.images[indices],
            self.labels[indices],
            self.example_ids[indices],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A clean data set: two splits, and how a network is to see the pixels.

    A network sees `(pixel / pixel_max - pixel_mean) / pixel_std`.

    Args:
        name: The name it was loaded by.
        train: The training images, `ImageData`.
        test: The test images, `ImageData`, of the same shape.
        class_names: The `K` names; labels are positions in it.
        pixel_mean: One number per channel.
        pixel_std: One positive number per channel.
        pixel_max: The value of the brightest pixel.

    Raises:
        ValueError: If the parts do not fit together.
    """

    name: str
    train: ImageData
    test: ImageData
    class_names: tuple[str, ...]
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    pixel_max: float

    def __post_init__(self):
        """Checks that the parts fit together."""
        image_shape = self.train.images.shape[1:]
        if self.test.images.shape[1:] != image_shape:
            raise ValueError(
                f"`test` must have images of shape {image_shape}, as `train` "
                f"has. Received: {self.test.images.shape[1:]}"
            )
        check_labels(self.train.labels, self.num_classes, "train.labels")
        check_labels(self.test.labels, self.num_classes, "test.labels")
        for name in ("pixel_mean", "pixel_std"):
            if len(getattr(self, name)) != image_shape[-1]:
                raise ValueError(
                    f"`{name}` must have one number for each of the "
                    f"{image_shape[-1]} channels. "
                    f"Received: {name}={getattr(self, name)}"
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


def check_images(images: np.ndarray) -> np.ndarray:
    """Checks an array of images.

    Args:
        images: Shape `(n, height, width, channels)`, uint8.

    Returns:
        The same array.

    Raises:
        TypeError: If the dtype is not uint8.
        ValueError: If the array has another rank or no image.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(
            f"`images` must be uint8. Received: dtype={images.dtype}"
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "`images` must have shape (n, height, width, channels), none of "
            f"them 0. Received: shape={images.shape}"
        )
    return images
