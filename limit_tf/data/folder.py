"""Image files in one folder for each class."""

import itertools
import os
import pathlib

import numpy as np
from absl import logging

from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import FileOptions
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import check_test_fraction
from limit_tf.data.labelled_files import hold_out_test

_SPLITS = ("train", "validation", "test")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


def load(
    data_dir: str,
    image_size: tuple[int, int],
    *,
    train_size: tuple[int, int] | None = None,
    num_channels: int = 3,
    max_unreadable: float = 0.01,
    check_images: bool = True,
    test_fraction: float | None = None,
    stratify: bool = True,
) -> Source:
    """Lists the images of a folder; they are decoded when they are used.

    Either `data_dir` holds the folders `train`, `test` and perhaps
    `validation`, with one folder for each class in each of them; or it holds
    the folders of the classes itself, and a part of the images is held out
    for the test: always the same for the same files.

    Images are the files that end in .jpg, .jpeg, .png, .bmp or .gif, at any
    depth below the folder of their class. Files and folders whose names start
    with a dot are ignored. The classes are the folders of `train`, in sorted
    order; the other parts may lack some of them.

    Args:
        data_dir: The folder.
        image_size: See `limit_tf.data.labelled_files.FileOptions`.
        train_size: As above.
        num_channels: As above.
        max_unreadable: As above.
        check_images: As above.
        test_fraction: Share of the images to hold out for the test, in
            `(0, 1)`, by default 0.2; only where there is no folder `test`.
        stratify: As in `limit_tf.data.labelled_files.hold_out_test`.

    Returns:
        The `Source`. An identifier is a path relative to `data_dir`, with
        forward slashes.

    Raises:
        FileNotFoundError: If there is no such folder.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the folder does not
            hold what it should, or too many images are unreadable.
    """
    options = FileOptions(
        image_size, train_size, num_channels, max_unreadable, check_images
    )
    root = check_path(data_dir, "folder")
    given_splits = [split for split in _SPLITS if (root / split).is_dir()]
    check_test_fraction(test_fraction, has_test=bool(given_splits))
    if not given_splits:
        class_names = _folder_names(root)
        everything = _read_classes(root, root, class_names, options)
        parts = hold_out_test(everything, test_fraction, stratify=stratify)
        return options.source(
            "folder", parts, class_names, test_is_held_out=True
        )

    if not {"train", "test"}.issubset(given_splits):
        raise ValueError(
            "`data_dir` must hold both of the folders train and test, or one "
            "folder for each class and none that is called train, validation "
            f"or test. Received: only {', '.join(given_splits)} in {root}"
        )
    ignored = set(_folder_names(root)).difference(_SPLITS)
    if ignored:
        logging.warning("Ignored in %s: %s", root, ", ".join(sorted(ignored)))
    class_names = _folder_names(root / "train")
    parts = {
        split: _read_classes(root / split, root, class_names, options)
        for split in given_splits
    }
    return options.source("folder", parts, class_names)


def _folder_names(folder: pathlib.Path) -> tuple[str, ...]:
    """Returns the sorted names of the folders that are not hidden."""
    return tuple(
        sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".")
        )
    )


def _read_classes(folder, root, class_names, options):
    """Returns the images of one part, class after class."""
    added = sorted(set(_folder_names(folder)).difference(class_names))
    if added:
        raise ValueError(
            "`data_dir` must have the same classes in every part. Received: "
            f"{', '.join(added)} in {folder}, which train does not have"
        )
    ids = [_images_below(folder / name, root) for name in class_names]
    counts = [len(ids_of_class) for ids_of_class in ids]
    if sum(counts) == 0:
        raise ValueError(
            f"`data_dir` must hold images ({', '.join(_SUFFIXES)}) in one "
            f"folder for each class. Received: none in {folder}"
        )
    ids = list(itertools.chain.from_iterable(ids))
    _check_utf8(ids)
    ids = np.array(ids)
    return options.image_data(
        root, ids, np.repeat(np.arange(len(class_names)), counts), ids
    )


def _images_below(folder, root):
    """Returns the sorted paths, relative to the root, of a class's images."""
    paths = []
    prefix = len(str(root)) + 1
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            os.path.join(parent, name)[prefix:].replace(os.sep, "/")
            for name in files
            if name.lower().endswith(_SUFFIXES) and not name.startswith(".")
        ]
    return sorted(paths)


def _check_utf8(paths):
    """Refuses names that TensorFlow could not open."""
    try:
        "".join(paths).encode()
    except UnicodeEncodeError as error:
        bad = next(path for path in paths if not _is_utf8(path))
        raise ValueError(
            "`data_dir` must have file names in UTF-8. "
            f"Received: {os.fsencode(bad)!r}"
        ) from error


def _is_utf8(path):
    return path.encode(errors="ignore").decode() == path
