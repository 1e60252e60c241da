"""Image files that are listed, with their labels, in a CSV file."""

import csv
import os
import pathlib

import numpy as np

from limit_tf.data import class_labels
from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import WITHOUT_LABEL
from limit_tf.data.labelled_files import FileOptions
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import check_test_fraction
from limit_tf.data.labelled_files import hold_out_test
from limit_tf.data.part_names import PARTS
from limit_tf.data.part_names import part_of


def load(
    data_dir: str,
    image_size: tuple[int, int],
    *,
    train_size: tuple[int, int] | None = None,
    num_channels: int = 3,
    max_unreadable: float = 0.01,
    check_images: bool = True,
    test_fraction: float | None = None,
    num_classes: int | None = None,
    stratify: bool = True,
) -> Source:
    """Lists the images of a CSV file; they are decoded when they are used.

    The file is UTF-8 with a header: the columns `path` and `label`, perhaps
    `split` with the values train, validation and test, or training, val, valid
    and testing, in small letters or capitals; others are ignored. Paths are
    absolute, or start from the folder of the CSV file or with `~`; they may
    have the backslashes of Windows. Labels are
    names of classes, and the classes are the names in sorted order, numbers by
    their size; they are positions if they are exactly 0 to K-1, or if
    `num_classes` is given. A line whose label is missing (empty, `nan`, `NA`
    or what else `limit_tf.data.class_labels.MISSING` has) is left out. Without
    the column `split`, a part of the images is held out for the test: always
    the same for the same lines.

    Args:
        data_dir: Path of the CSV file.
        image_size: See `limit_tf.data.labelled_files.FileOptions`.
        train_size: As above.
        num_channels: As above.
        max_unreadable: As above.
        check_images: As above.
        test_fraction: Share of the images to hold out for the test, in
            `(0, 1)`, by default 0.2; only without the column `split`.
        num_classes: Number of classes, where labels are positions of which
            some do not occur.
        stratify: As in `limit_tf.data.labelled_files.hold_out_test`.

    Returns:
        The `Source`. An identifier is a path as in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a line is not what it
            should be, or too many images are unreadable.
    """
    options = FileOptions(
        image_size, train_size, num_channels, max_unreadable, check_images
    )
    file = check_path(data_dir, "file")
    check_test_fraction(test_fraction, has_test=False)
    paths, label_names, splits = _columns(file)
    check_test_fraction(test_fraction, has_test=splits is not None)
    class_names, labels = class_labels.numbered(
        class_labels.as_texts(label_names), num_classes=num_classes
    )
    is_labelled = labels >= 0
    left_out = class_labels.left_out(label_names, paths, is_labelled, file)
    paths, labels = paths[is_labelled], labels[is_labelled]
    files = [os.path.expanduser(path) for path in paths]
    everything = options.image_data(file.parent, files, labels, paths)
    if splits is None:
        parts = hold_out_test(everything, test_fraction, stratify=stratify)
    else:
        splits = splits[is_labelled]
        _check_splits(splits, file)
        parts = {
            split: everything.take(np.flatnonzero(splits == split))
            for split in PARTS
            if split in splits
        }
    return options.source(
        "csv",
        parts,
        class_names,
        test_is_held_out=splits is None,
        left_out={WITHOUT_LABEL: left_out} if left_out else None,
    )


def _columns(
    file: pathlib.Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns the paths, the labels and, if there are any, the splits."""
    rows = _rows(file)
    _, header = next(rows, (0, []))
    columns = [name for name in ("path", "label", "split") if name in header]
    if columns[:2] != ["path", "label"]:
        raise ValueError(
            "`data_dir` must be a CSV file whose first line has the columns "
            f"path and label. Received: {','.join(header)!r} in {file}"
        )
    positions = [header.index(name) for name in columns]
    lines, values = [], []
    for line, row in rows:
        if len(row) != len(header):
            raise _bad_line(
                file, line, f"{len(header)} columns", f"{len(row)} columns"
            )
        lines.append(line)
        values.append([row[i] for i in positions])
    if not values:
        raise ValueError(
            "`data_dir` must be a CSV file with a line for each image. "
            f"Received: none in {file}"
        )
    paths, labels, *splits = (
        np.array(column) for column in zip(*values, strict=True)
    )
    _refuse_first(file, lines, paths == "", "a path", paths)
    paths = np.array([_as_here(path, file.parent) for path in paths])
    _, first_of_each = np.unique(paths, return_index=True)
    is_repeated = np.ones(len(paths), bool)
    is_repeated[first_of_each] = False
    _refuse_first(file, lines, is_repeated, "a path only once", paths)
    if not splits:
        return paths, labels, None
    parts = np.array([part_of(split) or "" for split in splits[0]])
    _refuse_first(
        file, lines, parts == "", "train, validation or test", splits[0]
    )
    return paths, labels, parts


def _check_splits(splits, file):
    for split in ("train", "test"):
        if split not in splits:
            raise ValueError(
                "`data_dir` must be a CSV file whose column split has the "
                f"value {split}. Received: no line with it and a label in "
                f"{file}"
            )


def _as_here(path, folder):
    """Returns a path with forward slashes, also if it comes from Windows."""
    path = os.path.normpath(path).replace(os.sep, "/")
    if "\\" in path and not os.path.lexists(os.path.join(folder, path)):
        path = os.path.normpath(path.replace("\\", "/"))
    return path


def _rows(file):
    """Yields the number of a line and its values, without empty lines."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, [value.strip() for value in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            "`data_dir` must be a CSV file in UTF-8. "
            f"Received: {file} ({error})"
        ) from error


def _refuse_first(file, lines, is_wrong, expected, values):
    if is_wrong.any():
        first = int(np.argmax(is_wrong))
        raise _bad_line(file, lines[first], expected, repr(str(values[first])))


def _bad_line(file, line, expected, received):
    return ValueError(
        f"`data_dir` must be a CSV file with {expected} in every line. "
        f"Received: {received} in line {line} of {file}"
    )
