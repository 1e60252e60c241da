"""Image files in one folder for each class."""

import collections
import dataclasses
import os
import pathlib
import unicodedata

import numpy as np
from absl import logging

from limit_tf import image_listing
from limit_tf.data.image_data import Source
from limit_tf.data.labelled_files import FileOptions
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import check_test_fraction
from limit_tf.data.labelled_files import hold_out_test
from limit_tf.data.part_names import PARTS
from limit_tf.data.part_names import part_of
from limit_tf.data.skipped import Skipped


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
    for the test: always the same for the same files. The parts may also be
    called training, val, valid and testing, in small letters or capitals.

    Images are the files that end in one of `limit_tf.image_listing.SUFFIXES`,
    at any depth below the folder of their class, also behind links. Hidden
    files and folders, and those of operating systems, are ignored. The classes
    are the folders of `train` with an image in them, in sorted order; the other
    parts may lack some of them. What is left out, or odd, is in `skipped` of
    the `Source` and in one warning.

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
    part_folders = _part_folders(root)
    check_test_fraction(test_fraction, has_test=bool(part_folders))
    if not part_folders:
        tree = _read_classes(root, root)
        class_names = tree.classes()
        everything = tree.image_data(class_names, root, options)
        parts = hold_out_test(everything, test_fraction, stratify=stratify)
        skipped = _skipped(root, [tree], class_names, ())
    else:
        trees = {
            part: _read_classes(root / name, root)
            for part, name in part_folders.items()
        }
        class_names = trees["train"].classes()
        parts = {
            part: tree.image_data(class_names, root, options)
            for part, tree in trees.items()
        }
        others = set(_folder_names(root)).difference(part_folders.values())
        skipped = _skipped(root, trees.values(), class_names, sorted(others))
    if skipped.in_words():
        logging.warning("%s: %s", root, skipped.in_words())
    return options.source(
        "folder",
        parts,
        class_names,
        test_is_held_out=not part_folders,
        skipped=skipped,
    )


@dataclasses.dataclass
class _Tree:
    """The folders of the classes of one part.

    Args:
        folder: The folder that they lie in.
        images: Paths of the images by class, relative to the source's root.
        listings: What was found in the folders of the classes.
        loose_files: Number of files beside these folders.
    """

    folder: pathlib.Path
    images: dict[str, list[str]]
    listings: list[image_listing.Listing]
    loose_files: int

    def classes(self):
        """Returns the names of the classes that have images."""
        names = tuple(name for name, paths in self.images.items() if paths)
        if not names:
            raise self._without_images()
        return names

    def image_data(self, class_names, root, options):
        """Returns the labelled images, class after class."""
        added = sorted(
            name
            for name, paths in self.images.items()
            if paths and name not in class_names
        )
        if added:
            raise ValueError(
                "`data_dir` must have the same classes in every part. "
                f"Received: {', '.join(added)} in {self.folder}, which train "
                "does not have"
            )
        paths = [self.images.get(name, []) for name in class_names]
        ids = [path for of_class in paths for path in of_class]
        if not ids:
            raise self._without_images()
        _check_utf8(ids)
        counts = [len(of_class) for of_class in paths]
        labels = np.repeat(np.arange(len(class_names)), counts)
        ids = np.array(ids)
        return options.image_data(root, ids, labels, ids)

    def _without_images(self):
        others = sum((i.other_files for i in self.listings), _counter())
        found = f" among {image_listing.in_words(others)}" if others else ""
        return ValueError(
            f"`data_dir` must hold images ({', '.join(image_listing.SUFFIXES)})"
            f" in one folder for each class. Received: none in {self.folder}"
            f"{found}"
        )


def _part_folders(root):
    """Returns the names of the folders of the parts; empty if there are none.

    A class may be called valid, if there is neither train nor test.
    """
    found = collections.defaultdict(list)
    for name in _folder_names(root):
        if part_of(name):
            found[part_of(name)].append(name)
    is_named = any(name.casefold() in PARTS for name in _folder_names(root))
    if not is_named and not found.keys() & {"train", "test"}:
        return {}
    for part, names in found.items():
        if len(names) > 1:
            raise ValueError(
                "`data_dir` must hold one folder for each part. Received: "
                f"{' and '.join(names)} for {part} in {root}"
            )
    if not {"train", "test"}.issubset(found):
        names = ", ".join(found[part][0] for part in PARTS if part in found)
        raise ValueError(
            "`data_dir` must hold both of the folders train and test, or one "
            "folder for each class and none that is called train, validation "
            f"or test. Received: only {names} in {root}"
        )
    return {part: found[part][0] for part in PARTS if part in found}


def _folder_names(folder: pathlib.Path) -> tuple[str, ...]:
    """Returns the sorted names of the folders that are not ignored."""
    return tuple(
        sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not image_listing.is_ignored(entry.name)
        )
    )


def _read_classes(folder, root):
    """Lists what the folders of the classes hold."""
    images, listings = {}, []
    for name in _folder_names(folder):
        listing = image_listing.list_images(folder / name)
        if (folder / name).is_symlink():
            listing.linked_folders.append(str(folder / name))
        images[name] = sorted(_relative(path, root) for path in listing.paths)
        listings.append(listing)
    loose_files = sum(
        entry.is_file() and not image_listing.is_ignored(entry.name)
        for entry in os.scandir(folder)
    )
    return _Tree(folder, images, listings, loose_files)


def _relative(path, root):
    return path[len(str(root)) + 1 :].replace(os.sep, "/")


def _skipped(root, trees, class_names, folders):
    """Gathers what was found beside the images of all parts."""
    listings = [listing for tree in trees for listing in tree.listings]
    paths = [
        path for tree in trees for of in tree.images.values() for path in of
    ]
    stems = collections.Counter(os.path.splitext(path)[0] for path in paths)
    return Skipped(
        files=dict(sum((i.other_files for i in listings), _counter())),
        loose_files=sum(tree.loose_files for tree in trees),
        folders=tuple(folders),
        classes_without_images=tuple(
            _relative(str(tree.folder / name), root)
            for tree in trees
            for name, of_class in tree.images.items()
            if not of_class
        ),
        linked_folders=tuple(
            _relative(path, root) for i in listings for path in i.linked_folders
        ),
        loops=tuple(
            _relative(path, root) for i in listings for path in i.loops
        ),
        similar_classes=_similar(class_names),
        same_names=sum(count - 1 for count in stems.values()),
    )


def _similar(class_names):
    """Returns names that look alike."""
    groups = collections.defaultdict(list)
    for name in class_names:
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        groups[key].append(name)
    return tuple(
        " and ".join(names) for names in groups.values() if len(names) > 1
    )


def _counter():
    return collections.Counter()


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
