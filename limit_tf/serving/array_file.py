"""Arrays in .npy and .npz files, read a piece at a time."""

import contextlib
import math
import os
import pathlib
import re
import zipfile
from collections.abc import Iterator

import numpy as np

from limit_tf.serving.model_spec import Shape

SUFFIXES = (".npy", ".npz")
_MEMBER = re.compile(r"(?P<path>.+\.npz):(?P<member>[^/\\]+)", re.IGNORECASE)
_PIECE_BYTES = 2**22  # of the file, read at once


class ArrayFile:
    """Images as an array in a file, whatever its size.

    Args:
        path: Path of an .npy file, or of an .npz file with one array or with
            one named `images`; `FILE.npz:NAME` names another one.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If there is no such array, or if it is not one of numbers.
    """

    def __init__(self, path: str):
        self.name = path
        found = _MEMBER.fullmatch(path)
        named = found is not None and not os.path.exists(path)
        self._path = pathlib.Path(found["path"] if named else path)
        self._member = None
        try:
            if self._path.suffix.lower() == ".npz":
                self._member = _member(
                    self._path, found["member"] if named else None
                )
            with self._opened() as (file, size):
                self.shape, self._fortran, self._dtype = _read_header(file)
                self._is_whole = size - file.tell() >= (
                    math.prod(self.shape) * self._dtype.itemsize
                )
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise ValueError(
                f"`images` must be files of arrays. {reason} Received: {path}"
            ) from error
        self._check()
        self._is_batch = True
        self._image_shape = self.shape[1:]

    def __len__(self) -> int:
        """Returns the number of images."""
        return self.shape[0] if self._is_batch else 1

    def check(self, image_shape: Shape | None) -> None:
        """Checks the shape, and finds out whether it is that of one image.

        Grey images may leave their last dimension, of size one, away.

        Args:
            image_shape: Shape of one image that the model takes.

        Raises:
            ValueError: If the array has another shape.
        """
        if image_shape is None:
            return
        accepted = [image_shape]
        if len(image_shape) == 3 and image_shape[-1] == 1:
            accepted.append(image_shape[:-1])
        for shape in accepted:
            for is_batch in (True, False):
                received = self.shape[1:] if is_batch else self.shape
                if (not is_batch or self.shape) and _fits(received, shape):
                    self._is_batch = is_batch
                    self._image_shape = received
                    if len(received) < len(image_shape):
                        self._image_shape += (1,)
                    return
        sizes = ", ".join("any" if s is None else str(s) for s in image_shape)
        raise ValueError(
            f"`images` must be arrays of shape (n, {sizes}), or ({sizes}) for "
            f"one image: that is what the model takes. Received: {self.name} "
            f"of shape {self.shape}"
        )

    def check_finite(self) -> None:
        """Reads the array once and refuses NaN, infinity and what becomes it.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If a number is not finite in float32.
        """
        if self._dtype.kind != "f":
            return
        rows = len(self)
        wrong, start = [], 0
        for piece in self._pieces(rows, math.prod(self.shape) // rows):
            with np.errstate(over="ignore"):
                is_finite = np.isfinite(piece.astype(np.float32)).all(axis=1)
            wrong += (start + np.flatnonzero(~is_finite)).tolist()
            start += len(piece)
        if wrong:
            first = f"{self.name}[{wrong[0]}]" if self._is_batch else self.name
            raise ValueError(
                "`images` must be arrays of finite numbers. Received: "
                f"{len(wrong)} invalid of {rows}, the first {first}"
            )

    def images(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the images, in order.

        Yields:
            A name, and an image in float32 of the shape that was checked.

        Raises:
            OSError: If the file cannot be read.
        """
        if not self._is_batch:
            for piece in self._pieces(1, math.prod(self.shape)):
                yield self.name, self._image(piece)
            return
        row_size = math.prod(self.shape[1:])
        number = 0
        for piece in self._pieces(self.shape[0], row_size):
            for row in piece:
                yield f"{self.name}[{number}]", self._image(row)
                number += 1

    def _image(self, values):
        """Returns values of one image as the model takes it."""
        return values.reshape(self._image_shape).astype(np.float32)

    def _pieces(self, num_rows, row_size):
        """Yields consecutive rows, shape `(rows, row_size)`."""
        with self._opened() as (file, _):
            if self._fortran:  # its rows lie scattered: read all of it
                array = np.lib.format.read_array(file, allow_pickle=False)
                yield np.ascontiguousarray(array).reshape(num_rows, row_size)
                return
            _read_header(file)
            row_bytes = row_size * self._dtype.itemsize
            num_read = max(1, _PIECE_BYTES // max(1, row_bytes))
            for start in range(0, num_rows, num_read):
                rows = min(num_read, num_rows - start)
                data = file.read(rows * row_bytes)
                if len(data) != rows * row_bytes:
                    raise OSError(f"{self.name} ends before its array does.")
                yield np.frombuffer(data, self._dtype).reshape(rows, row_size)

    @contextlib.contextmanager
    def _opened(self):
        """Yields the file of the array, and its size."""
        if self._member is None:
            with open(self._path, "rb") as file:
                yield file, os.fstat(file.fileno()).st_size
            return
        with (
            zipfile.ZipFile(self._path) as archive,
            archive.open(self._member) as file,
        ):
            yield file, archive.getinfo(self._member).file_size

    def _check(self):
        """Checks what does not depend on the model."""
        if self._dtype.kind not in "uif":
            raise ValueError(
                "`images` must be arrays of integers or floats. Received: "
                f"{self.name} of dtype {self._dtype}"
            )
        if not self._is_whole:
            raise ValueError(
                "`images` must be whole files. Received: "
                f"{self.name}, which ends before its array does"
            )
        if not self.shape or not math.prod(self.shape):
            raise ValueError(
                "`images` must be arrays with images in them. Received: "
                f"{self.name} of shape {self.shape}"
            )


def is_array(path: str) -> bool:
    """Tells whether a path is one of arrays, by its name alone.

    Args:
        path: The path, perhaps with the name of an array behind it.

    Returns:
        Whether it is.
    """
    return path.lower().endswith(SUFFIXES) or (
        _MEMBER.fullmatch(path) is not None and not os.path.exists(path)
    )


def _fits(shape, expected):
    return len(shape) == len(expected) and all(
        wanted in (None, size)
        for size, wanted in zip(shape, expected, strict=True)
    )


def _member(path, name):
    """Returns the name of an array's file in an .npz file."""
    with zipfile.ZipFile(path) as archive:
        names = [
            member.removesuffix(".npy")
            for member in archive.namelist()
            if member.endswith(".npy")
        ]
    if name is None:
        name = names[0] if len(names) == 1 else "images"
    if name not in names:
        raise ValueError(
            f"There is no array {name!r} among {', '.join(names) or 'none'}; "
            "FILE.npz:NAME names one."
        )
    return f"{name}.npy"


def _read_header(file):
    """Returns shape, whether the order is Fortran's, and dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"NumPy's format {version} is not one of numbers.")
