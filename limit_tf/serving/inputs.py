"""Images to predict, wherever they are: files, folders, arrays."""

import dataclasses
import glob
import itertools
import os
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from limit_tf import progress
from limit_tf.serving.array_file import ArrayFile
from limit_tf.serving.array_file import is_array
from limit_tf.serving.model_spec import ARRAY_SIGNATURE
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import ModelSpec

# From this number of images on, work on them shows a progress bar.
MANY_IMAGES = 5000
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8")


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
        images: What they are, in order: paths of JPEG, PNG, GIF or BMP files;
            folders, which stand for all such files in them, at any depth and
            sorted; patterns of files (`*`, `?`, `[...]` and `**`); and .npy
            and .npz files, see `ArrayFile`. A text that is no path is taken
            apart at its commas.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If there is no such file, or one is no image.
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
        files = [s for s in self._sources if isinstance(s, str)]
        _check_files(files)
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
            The batches.

        Raises:
            OSError: If a file cannot be read.
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
                with open(source, "rb") as file:
                    yield BYTES_SIGNATURE, source, file.read()
            else:
                for name, image in source.images():
                    yield ARRAY_SIGNATURE, name, image


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
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            os.path.join(parent, name)
            for name in files
            if name.lower().endswith(_SUFFIXES) and not name.startswith(".")
        ]
    if not found:
        raise ValueError(
            "`images` must be folders with images in them "
            f"({', '.join(_SUFFIXES)}). Received: {folder}"
        )
    return sorted(found)


def _check_files(paths):
    """Checks the first bytes of files."""
    for path in progress.over(
        paths,
        len(paths),
        "looking at files",
        unit="image",
        disable=len(paths) <= MANY_IMAGES,
    ):
        with open(path, "rb") as file:
            start = file.read(8)
        if not start.startswith(_FIRST_BYTES):
            raise ValueError(
                "`images` must be JPEG, PNG, GIF or BMP files, or arrays in "
                f".npy or .npz files. Received: {path}"
                + ("" if start else ", which is empty")
            )
