"""Images or features in memory: arrays, or an .npz file of them."""

import os
import zipfile

import numpy as np

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import class_names_up_to
from limit_tf.data.labels import check_labels
from limit_tf.data.normalisation import NORMALISATION

_SPLITS = ("train", "validation", "test")
_ARRAYS = ("x", "y", "ids")


def load(data_dir: str) -> Source:
    """Reads an .npz file.

    It holds `x_train`, `y_train`, `x_test` and `y_test`, and perhaps
    `x_validation`, `y_validation`, `ids_train`, `ids_validation`, `ids_test`
    and `class_names`: what `from_arrays` takes. Nothing in it may be pickled.

    Args:
        data_dir: Path of the file.

    Returns:
        The `Source`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If an array has the wrong dtype.
        ValueError: If the file does not hold what it should.
    """
    file = check_path(data_dir, "file")
    contents = _read(file)
    parts = {}
    for split in _SPLITS:
        given = [a for a in _ARRAYS if f"{a}_{split}" in contents]
        if given[:2] != ["x", "y"] and (given or split != "validation"):
            raise ValueError(
                f"`data_dir` must be a file with x_{split} and y_{split}. "
                f"Received: {', '.join(contents)} in {file}"
            )
        if given:
            parts[split] = [contents.pop(f"{a}_{split}") for a in given]
    class_names = contents.pop("class_names", None)
    if contents:
        raise ValueError(
            "`data_dir` must be a file with no other arrays than x, y and ids "
            "of train, validation and test, and class_names. "
            f"Received: {', '.join(contents)} in {file}"
        )
    return from_arrays(**parts, class_names=class_names)


def from_arrays(
    train: tuple[np.ndarray, ...],
    test: tuple[np.ndarray, ...],
    validation: tuple[np.ndarray, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    name: str = "arrays",
) -> Source:
    """Makes a source of one's own arrays.

    Each part is `(x, y)` or `(x, y, ids)`:

    - `x`: images, shape `(n, height, width, channels)` or
      `(n, height, width)`, uint8, with 1 or 3 channels; or features,
      shape `(n, ...)`, float, which a network sees as they are.
    - `y`: labels, shape `(n,)` or `(n, 1)`, integers from 0.
    - `ids`: distinct integers or strings, shape `(n,)`; by default the
      positions from 0 to `n - 1`.

    Args:
        train: The part to train on.
        test: The part to test on.
        validation: If given, the part to validate on; else one is split off
            from `train`.
        class_names: The `K` names; by default `"0"` to `"K-1"`, up to the
            largest label.
        name: Name of the data set.

    Returns:
        The `Source`, whose labels are not taken to be the truth.

    Raises:
        TypeError: If an array has the wrong dtype.
        ValueError: If an array has the wrong shape or a wrong value.

    Example:
        >>> x, y = np.zeros((10, 5), np.float32), np.arange(10) % 2
        >>> from_arrays(train=(x, y), test=(x, y)).num_classes
        2
    """
    parts = {"train": train, "validation": validation, "test": test}
    parts = {
        split: _image_data(part, split)
        for split, part in parts.items()
        if part is not None
    }
    if class_names is None:
        class_names = class_names_up_to(
            max(int(data.labels.max()) for data in parts.values())
        )
    images = parts["train"].images
    pixel_mean, pixel_std, pixel_max = None, None, None
    if images.dtype == np.uint8:
        pixel_mean, pixel_std = NORMALISATION[images.shape[-1]]
        pixel_max = 255.0
    return Source(
        name=name,
        class_names=tuple(str(class_name) for class_name in class_names),
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        pixel_max=pixel_max,
        labels_are_clean=False,
        **parts,
    )


def _image_data(part, split):
    """Returns the data of one part, whose arrays are named in errors."""
    if not isinstance(part, tuple | list) or len(part) not in (2, 3):
        raise TypeError(
            f"`{split}` must be arrays (x, y) or (x, y, ids). "
            f"Received: {type(part).__name__}"
        )
    images, labels = (np.asarray(array) for array in part[:2])
    if images.dtype.kind == "f":
        images = images.astype(np.float32, copy=False)
    elif images.dtype != np.uint8:
        raise TypeError(
            f"`x` of {split} must be images in uint8 or features in float32. "
            f"Received: dtype={images.dtype}"
        )
    else:
        if images.ndim == 3:
            images = images[..., np.newaxis]
        if images.ndim != 4 or images.shape[-1] not in NORMALISATION:
            raise ValueError(
                f"`x` of {split}, in uint8, must be images with 1 or 3 "
                "channels, of shape (n, height, width, channels). "
                f"Received: shape={images.shape}"
            )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    labels = check_labels(labels, name=f"y of {split}")
    ids = part[2] if len(part) == 3 else np.arange(len(labels))
    return ImageData(images, labels, ids)


def _read(file: os.PathLike) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file."""
    try:
        contents = np.load(file, allow_pickle=False)
        if isinstance(contents, np.ndarray):
            raise TypeError("a single array, as of .npy")
        with contents:
            return dict(contents)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            "`data_dir` must be an .npz file of arrays that are not pickled. "
            f"Received: {file} ({type(error).__name__}: {reason})"
        ) from error
