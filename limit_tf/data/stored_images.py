"""What images in files have in common."""

import abc

import numpy as np


class StoredImages(abc.ABC):
    """Images in files, which are read when they are needed.

    They stand where an array of images may stand: they have a length, a
    `shape`, an `ndim` and a `dtype`, and indexing them gives images again.

    Attributes:
        image_size: `(height, width)` that a network sees.
        num_channels: 1 for grey images, 3 for RGB.
    """

    image_size: tuple[int, int]
    num_channels: int

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of images."""

    @abc.abstractmethod
    def __getitem__(self, indices: np.ndarray | slice) -> "StoredImages":
        """Returns the images at some positions, in that order."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape that all images have together for evaluation."""
        return (len(self), *self.image_size, self.num_channels)

    @property
    def ndim(self) -> int:
        """The number of axes of `shape`."""
        return 4

    @property
    def dtype(self) -> np.dtype:
        """The dtype of decoded images."""
        return np.dtype(np.uint8)
