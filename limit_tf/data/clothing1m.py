"""Clothing1M: a million images of clothes whose labels come from shops."""

import pathlib
from collections.abc import Iterator

import numpy as np

from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import FileOptions
from limit_tf.data.labelled_files import check_path

_CLASS_NAMES = (
    "T-Shirt",
    "Shirt",
    "Knitwear",
    "Chiffon",
    "Sweater",
    "Hoodie",
    "Windbreaker",
    "Jacket",
    "Downcoat",
    "Suit",
    "Shawl",
    "Dress",
    "Vest",
    "Underwear",
)
_LABELS = {str(i): i for i in range(len(_CLASS_NAMES))}
# The authors' lists of images, and the files that have the labels of each;
# and the lists with labels that the authors of DMI made of them.
_KEY_LISTS = {
    "train": ("noisy_train_key_list.txt", "noisy_label_kv.txt"),
    "validation": ("clean_val_key_list.txt", "clean_label_kv.txt"),
    "test": ("clean_test_key_list.txt", "clean_label_kv.txt"),
}
_LABELLED_LISTS = {
    "train": "noisy_train.txt",
    "validation": "clean_val.txt",
    "test": "clean_test.txt",
}
_REMEDY = (
    "Clothing1M is to be had with the permission of its authors only: ask "
    "them by e-mail, as https://github.com/Cysu/noisy_label says (Xiao et al., "
    '"Learning from massive noisy labeled data for image classification", '
    "CVPR 2015), and unpack it so that `data_dir` has the folder images and "
    "the .txt files beside it or in a folder annotations"
)


def load(
    data_dir: str,
    image_size: tuple[int, int] = (224, 224),
    *,
    train_size: tuple[int, int] | None = None,
    num_channels: int = 3,
    max_unreadable: float = 0.01,
    check_images: bool = True,
) -> Source:
    """Lists the images of Clothing1M; they are decoded when they are used.

    The million images with noisy labels are for training, those with clean
    labels that the authors name for validation and for the test are for that.
    The clean training labels are not used.

    `data_dir` holds the folder `images` and, beside it or in a folder
    `annotations`, either the authors' files `noisy_train_key_list.txt`,
    `clean_val_key_list.txt`, `clean_test_key_list.txt`, `noisy_label_kv.txt`
    and `clean_label_kv.txt`, or lists `noisy_train.txt`, `clean_val.txt` and
    `clean_test.txt` with a path and a label in each line. The names of the
    classes are those of `category_names_eng.txt`, if it is there.

    To check the images, all of them are decoded once, which takes long; once
    it has been done, `check_images=False` leaves it out.

    Args:
        data_dir: The folder.
        image_size: See `limit_tf.data.labelled_files.FileOptions`.
        train_size: As above; the paper crops images of (256, 256).
        num_channels: As above.
        max_unreadable: As above.
        check_images: As above.

    Returns:
        The `Source`. An identifier is a path as the lists have it.

    Raises:
        FileNotFoundError: If a file is not there, and how to get it.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a line is not what it
            should be, or too many images are unreadable.

    References:
        - [Xiao et al., 2015](https://www.cv-foundation.org/openaccess/content_cvpr_2015/papers/Xiao_Learning_From_Massive_2015_CVPR_paper.pdf)
        - [Xu et al., 2019](https://arxiv.org/abs/1909.03388): DMI
    """
    options = FileOptions(
        image_size, train_size, num_channels, max_unreadable, check_images
    )
    root = _check_root(data_dir)
    class_names = _class_names(root)
    parts = {
        split: options.image_data(root, paths, labels, paths)
        for split, (paths, labels) in _labelled_paths(root).items()
    }
    return options.source("clothing1m", parts, class_names)


def _check_root(data_dir):
    """Returns the folder, if there are images in it."""
    try:
        root = check_path(data_dir, "folder")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}. {_REMEDY}") from error
    if not (root / "images").is_dir():
        raise _missing("the folder images", root)
    return root


def _class_names(root):
    file = _find(root, "category_names_eng.txt")
    if file is None:
        return _CLASS_NAMES
    names = tuple(line for _, line in _lines(file))
    if len(set(names)) != len(_CLASS_NAMES):
        raise ValueError(
            f"`data_dir` must have a file of {len(_CLASS_NAMES)} different "
            f"names of classes. Received: {len(set(names))} in {file}"
        )
    return names


def _labelled_paths(root):
    """Returns the paths and the labels of each part."""
    if _find(root, _KEY_LISTS["train"][0]) is None and _find(
        root, _LABELLED_LISTS["train"]
    ):
        return {
            split: _read_pairs(_needed(root, name))
            for split, name in _LABELLED_LISTS.items()
        }
    files = {
        split: tuple(_needed(root, name) for name in names)
        for split, names in _KEY_LISTS.items()
    }
    return {split: _read_keys(*names) for split, names in files.items()}


def _read_keys(list_file, label_file):
    """Returns the paths of a list, and their labels from another file."""
    label_of = _labels(label_file)
    paths, labels = [], []
    for number, path in _lines(list_file):
        if path not in label_of:
            raise ValueError(
                f"`data_dir` must have a label for every image in {label_file}."
                f" Received: none for {path!r}, line {number} of {list_file}"
            )
        paths.append(path)
        labels.append(label_of[path])
    return _arrays(paths, labels, list_file)


def _read_pairs(file):
    """Returns the paths of a list with labels, and the labels."""
    label_of = _labels(file)
    return _arrays(list(label_of), list(label_of.values()), file)


def _arrays(paths, labels, file):
    if not paths:
        raise ValueError(
            "`data_dir` must have lists of at least one image. "
            f"Received: none in {file}"
        )
    return np.array(paths), np.array(labels)


def _labels(file: pathlib.Path) -> dict[str, int]:
    """Returns the label of every path in a file."""
    labels = {}
    for number, line in _lines(file):
        path, _, label = line.rpartition(" ")
        if not path or label not in _LABELS:
            raise ValueError(
                "`data_dir` must have lines of a path and a label in [0, "
                f"{len(_LABELS) - 1}]. "
                f"Received: {line!r}, line {number} of {file}"
            )
        labels[path.rstrip()] = _LABELS[label]
    return labels


def _lines(file: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Yields the lines of a file that are not empty, and their numbers."""
    with open(file, encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            line = line.strip()
            if line:
                yield number, line


def _find(root, name):
    """Returns the path of a file with annotations, or None."""
    for path in (root / name, root / "annotations" / name):
        if path.is_file():
            return path
    return None


def _needed(root, name):
    file = _find(root, name)
    if file is None:
        raise _missing(name, root)
    return file


def _missing(what, root):
    return FileNotFoundError(
        f"`data_dir` must have {what}. Received: {root} without it. {_REMEDY}"
    )
