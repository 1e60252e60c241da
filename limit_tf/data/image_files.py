"""Images in files, which are read and decoded when they are needed."""

import dataclasses
import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from limit_tf import progress
from limit_tf import tensorflow_errors
from limit_tf.data.decoding import decoded
from limit_tf.data.decoding import decoded_here
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.stored_images import StoredImages
from limit_tf.noise.arguments import check_integer

_CHECK_BATCH_SIZE = 64
# From this number of files on, their check shows a progress bar.
_MANY_FILES = 5000


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFiles(StoredImages):
    """Images in files; only their paths are held in memory.

    Args:
        paths: Paths of JPEG, PNG, GIF, BMP or WebP files, shape `(n,)`,
            strings. A file is not touched before it is needed: see
            `find_unreadable`.
        image_size: `(height, width)` that a network sees, and to which images
            are resized for evaluation.
        train_size: `(height, width)` to which images are resized for
            training, at least `image_size`: a random crop of `image_size` is
            then left to the network. By default `image_size`.
        num_channels: 1 for grey images, 3 for RGB; files of the other kind
            are converted.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range.

    Example:
        >>> files = ImageFiles(["a.jpg", "b.png", "c.png"], image_size=(32, 48))
        >>> files.shape, files[[2, 0]].paths.tolist()
        ((3, 32, 48, 3), ['c.png', 'a.jpg'])
    """

    paths: np.ndarray
    image_size: tuple[int, int]
    train_size: tuple[int, int] | None = None
    num_channels: int = 3

    def __post_init__(self):
        """Checks the arguments."""
        object.__setattr__(self, "paths", _checked_paths(self.paths))
        image_size = check_image_size(self.image_size)
        object.__setattr__(self, "image_size", image_size)
        if self.num_channels not in (1, 3):
            raise ValueError(
                "`num_channels` must be 1 or 3. "
                f"Received: num_channels={self.num_channels!r}"
            )
        if self.train_size is None:
            return
        train_size = check_train_size(self.train_size, image_size)
        object.__setattr__(self, "train_size", train_size)

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.paths)

    def __getitem__(self, indices: np.ndarray | slice) -> "ImageFiles":
        """Returns the images at some positions, in that order."""
        return dataclasses.replace(self, paths=self.paths[indices])

    def reader(self, training: bool) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns a function that reads one image, for a `tf.data` graph.

        Args:
            training: Whether images get the size for training.

        Returns:
            A function from a path to an image of a known shape, uint8.
        """
        size = self.image_size
        if training and self.train_size is not None:
            size = self.train_size

        def read(path):
            image = decoded_here(tf.io.read_file(path), self.num_channels)
            return resized(image, (*size, self.num_channels))

        return read


def resized(image: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Resizes an image: bilinear, antialiased, rounded.

    Args:
        image: Shape `(height, width, channels)`, uint8.
        shape: The shape to give it, of as many channels.

    Returns:
        The image, of that shape, uint8.
    """

    def resize():
        floats = tf.image.resize(image, shape[:2], antialias=True)
        return tf.cast(tf.round(floats), tf.uint8)

    # Resizing takes longer than decoding: images that have the size already,
    # as those that were resized on disk before, are spared it.
    has_shape = tf.reduce_all(tf.shape(image) == shape)
    return tf.ensure_shape(tf.cond(has_shape, lambda: image, resize), shape)


def find_unreadable(
    paths: Sequence[str], num_channels: int = 3
) -> dict[str, str]:
    """Finds the files that cannot be read as images, by decoding every one.

    Args:
        paths: Paths of the files.
        num_channels: Number of channels to decode to.

    Returns:
        The reason for every file that is missing, empty or not an image that
        can be decoded to its end; in the order of `paths`.
    """
    paths = _checked_paths(paths)
    is_readable = _are_readable(paths, num_channels)
    reasons = {
        path: _reason(path, num_channels) for path in paths[~is_readable]
    }
    return {path: reason for path, reason in reasons.items() if reason}


def _are_readable(paths, num_channels):
    """Tells of each file whether it can be decoded."""

    def position_if_readable(position, path):
        # What is not used is not run: the result has to hold the image.
        content = tf.io.read_file(path)
        return position, tf.size(decoded_here(content, num_channels))

    with tf.device("CPU:0"):
        files = tf.data.Dataset.from_tensor_slices(
            (tf.range(len(paths), dtype=tf.int64), tf.constant(paths))
        )
    readable = (
        files.map(
            position_if_readable,
            num_parallel_calls=NUM_PARALLEL_CALLS,
            deterministic=False,
        )
        .ignore_errors()
        .batch(_CHECK_BATCH_SIZE)
    )
    is_readable = np.zeros(len(paths), bool)
    with progress.bar(
        len(paths),
        "checking image files",
        unit="file",
        disable=len(paths) < _MANY_FILES,
    ) as bar:
        for positions, _ in with_fixed_parallelism(
            readable
        ).as_numpy_iterator():
            is_readable[positions] = True
            bar.update(len(positions))
    return is_readable


def refuse_unreadable(
    unreadable: Mapping[str, str], total: int, max_share: float
) -> None:
    """Raises if more than a share of the files cannot be read.

    Args:
        unreadable: What `find_unreadable` returned.
        total: Number of files in all.
        max_share: The largest share allowed, in `[0, 1]`.

    Raises:
        ValueError: If there are more.
    """
    if len(unreadable) <= max_share * total:
        return
    path, reason = next(iter(unreadable.items()))
    raise ValueError(
        f"`max_unreadable` must not be less than the share of image files "
        f"that cannot be read, {len(unreadable):,} of {total:,}, the first "
        f"{path} ({reason}). Received: max_unreadable={max_share}"
    )


def check_image_size(
    image_size: tuple[int, int], name: str = "image_size"
) -> tuple[int, int]:
    """Checks a pair of a height and a width.

    Args:
        image_size: `(height, width)`, each at least 1.
        name: Name of the argument, for error messages.

    Returns:
        The pair, as a tuple of integers.

    Raises:
        TypeError: If it is not a pair of integers.
        ValueError: If one of them is less than 1.
    """
    if not isinstance(image_size, tuple | list) or len(image_size) != 2:
        raise TypeError(
            f"`{name}` must be a pair (height, width). "
            f"Received: {name}={image_size!r}"
        )
    return tuple(check_integer(i, name, low=1) for i in image_size)


def check_train_size(
    train_size: tuple[int, int], image_size: tuple[int, int]
) -> tuple[int, int]:
    """Checks the size of training images that are to be cropped.

    Args:
        train_size: `(height, width)` before the crop.
        image_size: `(height, width)` after it.

    Returns:
        `train_size`, as a tuple of integers.

    Raises:
        TypeError: If it is not a pair of integers.
        ValueError: If it is smaller than `image_size`.
    """
    train_size = check_image_size(train_size, "train_size")
    if train_size[0] < image_size[0] or train_size[1] < image_size[1]:
        raise ValueError(
            f"`train_size` must be at least image_size={image_size}, so "
            f"that it can be cropped. Received: train_size={train_size}"
        )
    return train_size


def _reason(path, num_channels):
    """Says why a file cannot be read; empty if it can after all."""
    if not tf.io.gfile.exists(path):
        return "missing"
    if tf.io.gfile.isdir(path):
        return "a folder"
    if tf.io.gfile.stat(path).length == 0:
        return "empty"
    try:
        with tf.device("CPU:0"):
            decoded(tf.io.read_file(path), num_channels)
    except tf.errors.OpError as error:
        return f"not decodable: {tensorflow_errors.reason(error)}"
    return ""


def _checked_paths(paths):
    """Returns the paths as an array of objects: parts of it share them."""
    checked = np.empty(len(paths), object)
    checked[:] = [os.fspath(path) for path in paths]
    if not len(checked):
        raise ValueError("`paths` must name at least one file. Received: none")
    return checked
