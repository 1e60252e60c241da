"""Images to predict, wherever they are: files, folders, arrays."""

import dataclasses
import glob
import itertools
import os
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np
from absl import logging

from limit_tf import image_listing
from limit_tf.serving.array_file import ArrayFile
from limit_tf.serving.array_file import is_array
from limit_tf.serving.model_spec import ARRAY_SIGNATURE
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import ModelSpec

# From this number of images on, work on them shows a progress bar.
MANY_IMAGES = 5000


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image that is not predicted.

    Args:
        name: What the image is called.
        reason: Why it is not.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some images that go to the same signature.

    Args:
        signature: Name of the signature.
        names: What the images are called, `n` of them.
        images: Array of shape `(n, ...)` in float32, or a list of `n` encoded
            images.
    """

    signature: str
    names: list[str]
    images: np.ndarray | list[bytes]

    def halves(self) -> tuple["Batch", "Batch"]:
        """Returns the first and the second half of the images."""
        middle = len(self.names) // 2
        return tuple(
            Batch(self.signature, self.names[part], self.images[part])
            for part in (slice(None, middle), slice(middle, None))
        )


class Inputs:
    """Images to predict, which are read when they are needed.

    Args:
        images: What they are, in order: paths of JPEG, PNG, GIF, BMP or WebP
            files; folders, which stand for all such files in them, by their
            suffixes, at any depth and sorted; patterns of files (`*`, `?`,
            `[...]` and `**`); and .npy and .npz files, see `ArrayFile`. A text
            that is no path is taken apart at its commas.

    Attributes:
        failures: Images that could not be read so far, and why.

    Raises:
        OSError: If a file of arrays cannot be read.
        ValueError: If there is no such file, or one of arrays is none.
    """

    def __init__(self, images: Sequence[str]):
        paths = [path for text in images for path in _paths(text)]
        if not paths:
            raise ValueError(
                "`images` must name images. Received: "
                f"{', '.join(images) or 'none'}"
            )
        # Files keep no more of memory than their paths.
        self._sources = [
            ArrayFile(path) if is_array(path) else path for path in paths
        ]
        self.failures: list[Failure] = []
        files = [s for s in self._sources if isinstance(s, str)]
        self._first_file = files[0] if files else None

    def __len__(self) -> int:
        """Returns the number of images."""
        return sum(
            1 if isinstance(source, str) else len(source)
            for source in self._sources
        )

    def check(self, spec: ModelSpec) -> None:
        """Checks that a model takes these images.

        Args:
            spec: What the model takes.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If it does not, or a number in an array is NaN or
                infinite.
        """
        if self._first_file is not None and not spec.takes_files:
            raise ValueError(
                "`images` must be .npy or .npz files: the model has no "
                f"signature {BYTES_SIGNATURE!r} for encoded images. "
                f"Received: {self._first_file}"
            )
        for source in self._sources:
            if not isinstance(source, str):
                source.check(spec.image_shape)
                source.check_finite()

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yields the images in order, all of a batch for one signature.

        Args:
            batch_size: Most images in a batch.

        Yields:
            The batches, without the images that cannot be read: these join the
            `failures`.
        """
        for signature, items in itertools.groupby(
            self._items(), key=lambda item: item[0]
        ):
            while chunk := list(itertools.islice(items, batch_size)):
                names = [name for _, name, _ in chunk]
                images = [image for _, _, image in chunk]
                if signature == ARRAY_SIGNATURE:
                    yield from _equal_shapes(signature, names, images)
                else:
                    yield Batch(signature, names, images)

    def _items(self):
        """Yields signature, name and image."""
        for source in self._sources:
            if isinstance(source, str):
                yield from self._content(source)
            else:
                for name, image in source.images():
                    yield ARRAY_SIGNATURE, name, image

    def _content(self, path):
        """Yields the content of a file, if it has one."""
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            self.failures.append(Failure(path, error.strerror or str(error)))
            return
        if content:
            yield BYTES_SIGNATURE, path, content
        else:
            self.failures.append(Failure(path, "empty"))


def _equal_shapes(signature, names, images):
    """Yields a batch for each run of images of one shape."""
    for _, group in itertools.groupby(
        zip(names, images, strict=True), key=lambda item: item[1].shape
    ):
        part_names, part_images = zip(*group, strict=True)
        yield Batch(signature, list(part_names), np.stack(part_images))


def _paths(text):
    """Returns the paths of files that a text stands for."""
    if os.path.isdir(text):
        return _files_in(text)
    if os.path.exists(text) or _array_exists(text):
        return [text]
    if "," in text:
        parts = [part.strip() for part in text.split(",")]
        return [path for part in parts if part for path in _paths(part)]
    if glob.has_magic(text):
        found = glob.glob(text, recursive=True)
        return sorted(path for path in found if os.path.isfile(path))
    raise ValueError(
        f"`images` must name files or folders that are there. Received: {text}"
    )


def _array_exists(text):
    """Tells whether a text is FILE.npz:NAME."""
    return is_array(text) and os.path.isfile(text.rpartition(":")[0])


def _files_in(folder):
    """Returns the images in a folder, sorted by their paths."""
    found = image_listing.list_images(folder)
    others = image_listing.in_words(found.other_files)
    if not found.paths:
        raise ValueError(
            "`images` must be folders with images in them "
            f"({', '.join(image_listing.SUFFIXES)}). Received: {folder}"
            + (f" with {others}" if others else "")
        )
    if others:
        logging.warning("Left out of %s as no images: %s.", folder, others)
    if found.loops:
        logging.warning(
            "Links back to folders that are read: %s.", ", ".join(found.loops)
        )
    return found.paths
