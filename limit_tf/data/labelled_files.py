"""Labelled image files: what the sources that read them have in common."""

import dataclasses
import numbers
import os
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.image_files import ImageFiles
from limit_tf.data.image_files import find_unreadable
from limit_tf.data.image_files import refuse_unreadable
from limit_tf.data.normalisation import NORMALISATION
from limit_tf.data.skipped import Skipped
from limit_tf.data.stratification import class_ranks
from limit_tf.data.stratification import taken_out

# Reasons for which examples are in no part.
UNREADABLE, WITHOUT_LABEL = "unreadable", "without a label"
_HOLD_OUT_SEED = 0
_DEFAULT_TEST_FRACTION = 0.2


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """How the image files of a source are read.

    Args:
        image_size: `(height, width)` of the images that a network sees.
        train_size: If given, `(height, width)` that training images are
            resized to before a random crop of `image_size`.
        num_channels: 3 to read images as RGB, 1 to read them as grey.
        max_unreadable: Share in `[0, 1]` of the images that may be missing
            or broken. They are left out; if there are more, the data is
            refused.
        check_images: Whether every image is decoded once before training
            starts, to find those that are unreadable. If not, training stops
            with an error when it reaches one.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    image_size: tuple[int, int]
    train_size: tuple[int, int] | None = None
    num_channels: int = 3
    max_unreadable: float = 0.01
    check_images: bool = True

    def __post_init__(self):
        """Checks the options, before any file is read."""
        self._files(["a path"])
        check_max_unreadable(self.max_unreadable)
        if not isinstance(self.check_images, bool):
            raise TypeError(
                "`check_images` must be a bool. "
                f"Received: check_images={self.check_images!r}"
            )

    def image_data(
        self,
        root: str | os.PathLike,
        paths: np.ndarray,
        labels: np.ndarray,
        example_ids: np.ndarray,
    ) -> ImageData:
        """Returns labelled images that are decoded when they are used.

        Args:
            root: Folder that relative paths start from.
            paths: Shape `(n,)`, strings.
            labels: Shape `(n,)`, integers.
            example_ids: Shape `(n,)`, integers or strings.

        Returns:
            The `ImageData`.
        """
        files = self._files([os.path.join(root, path) for path in paths])
        return ImageData(files, labels, example_ids)

    def source(
        self,
        name: str,
        parts: dict[str, ImageData],
        class_names: tuple[str, ...],
        *,
        test_is_held_out: bool = False,
        left_out: Mapping[str, Sequence[str]] | None = None,
        skipped: Skipped | None = None,
    ) -> Source:
        """Returns the source, without the images that are unreadable.

        Args:
            name: Name of the data set.
            parts: Made by `image_data`: `train`, `test` and perhaps
                `validation`.
            class_names: The `K` names.
            test_is_held_out: Whether `hold_out_test` made the parts, so that
                nobody vouches for the labels of `test`.
            left_out: Identifiers that are in no part already, by the reason.
            skipped: What was left out without being read.

        Returns:
            The `Source`.

        Raises:
            ValueError: If too many images are unreadable.
        """
        unreadable, left_out = {}, dict(left_out or {})
        if self.check_images:
            paths = np.concatenate([i.images.paths for i in parts.values()])
            unreadable = find_unreadable(paths, self.num_channels)
            refuse_unreadable(unreadable, len(paths), self.max_unreadable)
        if unreadable:
            is_readable = {
                split: np.array(
                    [i not in unreadable for i in data.images.paths]
                )
                for split, data in parts.items()
            }
            left_out[UNREADABLE] = [
                str(example_id)
                for split, data in parts.items()
                for example_id in data.example_ids[~is_readable[split]]
            ]
            parts = {
                split: take_readable(data, is_readable[split], split)
                for split, data in parts.items()
            }
        pixel_mean, pixel_std = NORMALISATION[self.num_channels]
        return Source(
            name=name,
            class_names=tuple(class_names),
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
            pixel_max=255.0,
            labels_are_clean=False,
            unreadable=unreadable,
            skipped=skipped or Skipped(),
            left_out=left_out,
            test_is_held_out=test_is_held_out,
            test_labels_are_checked=not test_is_held_out,
            **parts,
        )

    def _files(self, paths):
        return ImageFiles(
            paths, self.image_size, self.train_size, self.num_channels
        )


def check_path(
    path: str | os.PathLike, kind: str, name: str = "data_dir"
) -> pathlib.Path:
    """Checks that a folder or a file is there.

    Args:
        path: Its path; may start with `~`.
        kind: `"folder"` or `"file"`.
        name: Name of the argument, for error messages.

    Returns:
        The path.

    Raises:
        FileNotFoundError: If it is not there, or is of the other kind.
        TypeError: If the argument is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"`{name}` must be the path of a {kind}. Received: {name}={path!r}"
        )
    checked = pathlib.Path(path).expanduser()
    if not (checked.is_dir() if kind == "folder" else checked.is_file()):
        raise FileNotFoundError(
            f"`{name}` must be the path of a {kind} that exists. "
            f"Received: {name}={str(path)!r}"
        )
    return checked


def check_max_unreadable(max_unreadable: float) -> None:
    """Checks the share of the images that may be missing or broken.

    Args:
        max_unreadable: The share.

    Raises:
        TypeError: If the share is not a number.
        ValueError: If it is not in `[0, 1]`.
    """
    _check_number(max_unreadable, "max_unreadable")
    if not 0.0 <= max_unreadable <= 1.0:
        raise ValueError(
            "`max_unreadable` must lie in [0, 1]. "
            f"Received: max_unreadable={max_unreadable}"
        )


def check_test_fraction(test_fraction: float | None, has_test: bool) -> None:
    """Checks the share of the images to hold out for the test.

    Args:
        test_fraction: The share, or `None` for the usual one.
        has_test: Whether the data has a test part of its own.

    Raises:
        TypeError: If the share is not a number.
        ValueError: If it is not in `(0, 1)`, or is not for this data.
    """
    if test_fraction is None:
        return
    if has_test:
        raise ValueError(
            "`test_fraction` is for data without a test part of its own. "
            f"Received: test_fraction={test_fraction}"
        )
    _check_number(test_fraction, "test_fraction")
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(
            "`test_fraction` must lie in (0, 1). "
            f"Received: test_fraction={test_fraction}"
        )


def hold_out_test(
    data: ImageData,
    test_fraction: float | None = None,
    *,
    stratify: bool = True,
) -> dict[str, ImageData]:
    """Holds out a part of the images for the test.

    They are the same in every run, whatever its seeds. Of each class those
    come first whose identifiers have the least hashes, so that few images
    change the part where others vanish or are added. A class gives one image
    at least if it has three, and always leaves two: one to train on and one to
    validate on.

    Args:
        data: All images, in an order that does not change.
        test_fraction: As `check_test_fraction` takes it.
        stratify: Whether to choose class by class. If not, they are chosen by
            a permutation with a constant seed, as versions before did.

    Returns:
        The parts `train` and `test`, each in the order of `data`.

    Raises:
        ValueError: If a part would be empty.
    """
    if test_fraction is None:
        test_fraction = _DEFAULT_TEST_FRACTION
    if stratify:
        is_test = taken_out(
            *class_ranks(data.labels, data.example_ids, _HOLD_OUT_SEED),
            test_fraction,
            num_kept=2,
        )
    else:
        num_test = round(len(data) * test_fraction)
        order = np.random.default_rng(_HOLD_OUT_SEED).permutation(len(data))
        is_test = np.zeros(len(data), bool)
        is_test[order[:num_test]] = True
    if is_test.all() or not is_test.any():
        raise ValueError(
            "`test_fraction` must leave at least one image to each part, and "
            "two images of each class for training and validation. "
            f"Received: test_fraction={test_fraction} of {len(data)}"
        )
    return {
        "train": data.take(np.flatnonzero(~is_test)),
        "test": data.take(np.flatnonzero(is_test)),
    }


def take_readable(
    data: ImageData, is_readable: np.ndarray, split: str
) -> ImageData:
    """Returns the images that can be read.

    Args:
        data: All images of a part.
        is_readable: Shape `(n,)`, bool.
        split: Name of the part, for the error message.

    Returns:
        The part's readable images.

    Raises:
        ValueError: If there are none.
    """
    if is_readable.all():
        return data
    if not is_readable.any():
        raise ValueError(
            "`data_dir` must have readable images for every part. "
            f"Received: none of {len(data)} for {split}"
        )
    return data.take(np.flatnonzero(is_readable))


def _check_number(value, name):
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(
            f"`{name}` must be a number. Received: {name}={value!r}"
        )
