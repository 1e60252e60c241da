"""Which files of a folder are images, and which are left out."""

import collections
import dataclasses
import os

# What TensorFlow decodes.
SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".pjpeg",
    ".pjp",
    ".png",
    ".apng",
    ".gif",
    ".bmp",
    ".dib",
    ".webp",
)
NO_SUFFIX = "no suffix"
# What operating systems and programs leave in folders, beside hidden files.
_SYSTEM_NAMES = {
    "$recycle.bin",
    "@eadir",
    "#recycle",
    "__macosx",
    "__pycache__",
    "desktop.ini",
    "ehthumbs.db",
    "lost+found",
    "system volume information",
    "thumbs.db",
}


@dataclasses.dataclass
class Listing:
    """The images of a folder, at any depth, and what is none.

    Args:
        paths: Paths of the images, sorted.
        other_files: How many other files there are, by suffix.
        linked_folders: Paths of folders that are links, which are followed.
        loops: Paths of links to folders that are read already, which are not.
    """

    paths: list[str]
    other_files: collections.Counter
    linked_folders: list[str]
    loops: list[str]


def list_images(folder: str | os.PathLike) -> Listing:
    """Lists the images of a folder by their suffixes, in any case.

    Hidden files and folders, and those of operating systems, are ignored.

    Args:
        folder: The folder.

    Returns:
        The `Listing`. Its paths begin with that of the folder.
    """
    found = Listing([], collections.Counter(), [], [])
    read = {_identity(folder)}
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [
            name
            for name in sorted(folders)
            if not is_ignored(name)
            and _is_new(os.path.join(parent, name), read, found)
        ]
        for name in files:
            if is_ignored(name):
                continue
            if is_image(name):
                found.paths.append(os.path.join(parent, name))
            else:
                found.other_files[suffix_of(name)] += 1
    found.paths.sort()
    return found


def is_ignored(name: str) -> bool:
    """Tells whether a name is hidden, or one of an operating system."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def is_image(name: str) -> bool:
    """Tells whether a name has a suffix of image files."""
    return name.lower().endswith(SUFFIXES)


def suffix_of(name: str) -> str:
    """Returns the suffix of a name in small letters, or words for none."""
    return os.path.splitext(name)[1].lower() or NO_SUFFIX


def in_words(other_files: collections.Counter) -> str:
    """Returns numbers of files by suffix, the most frequent one first."""
    counts = sorted(other_files.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {suffix}" for suffix, count in counts)


def _is_new(path, read, found):
    """Tells whether to go into a folder, and notes those that are links."""
    try:
        identity = _identity(path)
    except OSError:  # It went away.
        return False
    if os.path.islink(path):
        is_known = identity in read
        (found.loops if is_known else found.linked_folders).append(path)
        if is_known:
            return False
    read.add(identity)
    return True


def _identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino
