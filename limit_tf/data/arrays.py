"""Images or features in memory: arrays, or an .npz file of them."""

import os
import zipfile

import numpy as np

from limit_tf.data import class_labels
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import WITHOUT_LABEL
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labels import check_labels
from limit_tf.data.normalisation import NORMALISATION
from limit_tf.noise import check_example_ids

_SPLITS = ("train", "validation", "test")
_ARRAYS = ("x", "y", "ids")


def load(data_dir: str, num_classes: int | None = None) -> Source:
    """Reads an .npz file.

    It holds `x_train`, `y_train`, `x_test` and `y_test`, and perhaps
    `x_validation`, `y_validation`, `ids_train`, `ids_validation`, `ids_test`
    and `class_names`: what `from_arrays` takes. Nothing in it may be pickled.

    Args:
        data_dir: Path of the file.
        num_classes: As in `from_arrays`.

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
    return from_arrays(
        **parts, class_names=class_names, num_classes=num_classes
    )


def from_arrays(
    train: tuple[np.ndarray, ...],
    test: tuple[np.ndarray, ...],
    validation: tuple[np.ndarray, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    name: str = "arrays",
    num_classes: int | None = None,
) -> Source:
    """Makes a source of one's own arrays.

    Each part is `(x, y)` or `(x, y, ids)`:

    - `x`: images, shape `(n, height, width, channels)` or
      `(n, height, width)`, uint8, with 1 or 3 channels; or features,
      shape `(n, ...)`, float, which a network sees as they are.
    - `y`: labels, shape `(n,)` or `(n, 1)`, integers from 0 or texts. They
      are names of classes, numbers too, unless they are exactly 0 to K-1 in
      all parts together, or `class_names` or `num_classes` is given: then they
      are positions. Examples whose label is missing (NaN, None, or a text of
      `limit_tf.data.class_labels.MISSING`) are left out.
    - `ids`: distinct integers or strings, shape `(n,)`; by default the
      positions from 0 to `n - 1`.

    Args:
        train: The part to train on.
        test: The part to test on.
        validation: If given, the part to validate on; else one is split off
            from `train`.
        class_names: The `K` names; by default those that the labels are.
        name: Name of the data set.
        num_classes: Number of classes, where labels are positions of which
            some do not occur.

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
        split: _checked_arrays(part, split)
        for split, part in parts.items()
        if part is not None
    }
    class_names, parts, left_out = _labelled(parts, class_names, num_classes)
    images = parts["train"].images
    pixel_mean, pixel_std, pixel_max = None, None, None
    if images.dtype == np.uint8:
        pixel_mean, pixel_std = NORMALISATION[images.shape[-1]]
        pixel_max = 255.0
    return Source(
        name=name,
        class_names=class_names,
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        pixel_max=pixel_max,
        labels_are_clean=False,
        left_out=left_out,
        **parts,
    )


def _labelled(parts, class_names, num_classes):
    """Returns the names, the parts with numbered labels, and who is left out.

    Labels are numbered together: the parts have the same classes.
    """
    every = [labels for _, labels, _ in parts.values()]
    if class_names is not None:
        class_names = tuple(str(class_name) for class_name in class_names)
        if all(labels.dtype.kind in "iu" for labels in every):
            parts = {k: ImageData(*arrays) for k, arrays in parts.items()}
            return class_names, parts, {}
    texts = class_labels.as_texts(_joined(every))
    names, numbers = class_labels.numbered(
        texts, num_classes=num_classes, class_names=class_names
    )
    data, left_out, start = {}, [], 0
    for split, (images, labels, ids) in parts.items():
        own = numbers[start : start + len(labels)]
        start += len(labels)
        is_kept = own >= 0
        left_out += class_labels.left_out(labels, ids, is_kept, f"y of {split}")
        if not is_kept.any():
            raise ValueError(
                f"`{split}` must have a label. Received: {len(own)} examples, "
                "the labels of all of them missing"
            )
        if not is_kept.all():
            images, ids = images[is_kept], ids[is_kept]
        data[split] = ImageData(images, own[is_kept], ids)
    return names, data, {WITHOUT_LABEL: left_out} if left_out else {}


def _joined(arrays):
    if len({array.dtype.kind for array in arrays}) == 1:
        return np.concatenate(arrays)
    return np.concatenate([array.astype(object) for array in arrays])


def _checked_arrays(part, split):
    """Returns images, labels and ids of one part, named in errors."""
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
    name = f"y of {split}"
    if labels.ndim != 1 or len(labels) != len(images):
        raise ValueError(
            f"`{name}` must have shape ({len(images)},), a label for each "
            f"image. Received: shape={labels.shape}"
        )
    if labels.dtype.kind in "iuf":
        check_labels(np.where(labels == labels, labels, 0), name=name)
    elif labels.dtype.kind not in "OUST":
        raise TypeError(
            f"`{name}` must be an array of integers or of texts. Received: "
            f"dtype={labels.dtype}"
        )
    ids = part[2] if len(part) == 3 else np.arange(len(labels))
    return images, labels, check_example_ids(ids, len(labels))


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
