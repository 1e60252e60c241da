"""Numbered versions of a model, as a server that polls a folder finds them."""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable

from limit_tf import atomic_files
from limit_tf import folders

SAVED_MODEL, TFLITE = "saved_model", "tflite"
# The file by which a version of each format is known.
MODEL_FILES = {SAVED_MODEL: "saved_model.pb", TFLITE: "model.tflite"}
# Names that need no escape in a URL and in a configuration file.
_NAME = re.compile(r"[\w.+-]+")


def check_name(name: str, argument: str = "output") -> None:
    """Refuses the name of a model that a server could not be asked for.

    Args:
        name: Name of the model, and of the folder of its versions.
        argument: What the user gave the name by.

    Raises:
        ValueError: If it has other characters than a name may have.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"`{argument}` must name the model by letters, digits, _, ., + and "
            f"- alone. Received: {argument}={name}"
        )


def check_folder(folder: pathlib.Path, argument: str = "output") -> None:
    """Refuses a folder that versions cannot be written to.

    Args:
        folder: Folder of a model's versions; it need not be there yet, and is
            not made here.
        argument: What the user gave the folder by.

    Raises:
        ValueError: If it is no folder or one of another kind, or cannot be
            written to or made.
    """
    folders.check_kind(folder, folders.MODELS, argument)
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        if not existing.is_dir():
            raise NotADirectoryError(0, f"{existing} is not a folder")
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise ValueError(
            f"`{argument}` must be a folder that can be written to. Received: "
            f"{argument}={folder} ({error.strerror})"
        ) from error


def check_format(
    folder: pathlib.Path, file_format: str, argument: str = "output"
) -> None:
    """Refuses to put versions of two formats into one folder.

    A server takes the highest version and cannot load one of another format.

    Args:
        folder: Folder of a model's versions.
        file_format: One of `MODEL_FILES`.
        argument: What the user gave the folder by.

    Raises:
        ValueError: If a version of another format is there.
    """
    for number, path in sorted(existing_versions(folder).items()):
        for other, name in MODEL_FILES.items():
            if other != file_format and (path / name).exists():
                raise ValueError(
                    f"`{argument}` must not hold versions of another format. "
                    f"Received: {argument}={folder}, whose version {number} "
                    f"is a {other}, for format={file_format}"
                )


def existing_versions(folder: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns what is there under a number, by that number."""
    if not folder.is_dir():
        return {}
    return {
        int(path.name): path for path in folder.iterdir() if _is_number(path)
    }


def newest(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the version with the highest number that holds a model."""
    there = existing_versions(folder)
    for number in sorted(there, reverse=True):
        files = (there[number] / name for name in MODEL_FILES.values())
        if any(file.is_file() for file in files):
            return there[number]
    return None


def check_version(folder: pathlib.Path, version: int | None) -> None:
    """Refuses a version that exists, or that is none.

    Args:
        folder: Folder of a model's versions.
        version: Number of the version to write; None for the next one.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is less than 1, or exists.
    """
    if version is None:
        return
    if isinstance(version, bool) or not isinstance(version, int):
        raise TypeError(
            f"`version` must be an integer. Received: version={version!r}"
        )
    if version < 1:
        raise ValueError(
            f"`version` must be at least 1. Received: version={version}"
        )
    if version in existing_versions(folder):
        raise ValueError(
            "`version` must be one that does not exist: a version is never "
            f"overwritten. Received: version={version}, which is in {folder}"
        )


def write_version(
    folder: pathlib.Path,
    version: int | None,
    write: Callable[[pathlib.Path], None],
    finish: Callable[[pathlib.Path, int], None],
) -> pathlib.Path:
    """Writes a version that appears whole, or not at all.

    It is written under a name that is no number, so that a server does not
    look at it, and then renamed.

    Args:
        folder: Folder of a model's versions; made if it is not there.
        version: Number of the version; None for the next one.
        write: Fills the temporary folder that it is given.
        finish: Adds to the folder what depends on the number; called again if
            another process took the number in the meantime.

    Returns:
        The folder of the version.

    Raises:
        ValueError: If the version exists.
    """
    with (
        folders.made_for(folder),
        atomic_files.temporary_folder(folder) as temporary,
    ):
        write(temporary)
        while True:
            check_version(folder, version)
            number = version or max(existing_versions(folder), default=0) + 1
            finish(temporary, number)
            _sync(temporary)
            final = folder / str(number)
            with contextlib.suppress(FileExistsError):
                _rename(temporary, final)
                return final


def prune(folder: pathlib.Path, keep: int, new: pathlib.Path) -> list[int]:
    """Removes old versions.

    Args:
        folder: Folder of a model's versions.
        keep: How many of the highest numbers stay.
        new: The version that was just written, which stays in any case.

    Returns:
        The numbers of the versions that were removed.
    """
    paths = existing_versions(folder)
    removed = []
    for number in sorted(paths)[:-keep]:
        path = paths[number]
        if path == new or path.is_symlink() or not path.is_dir():
            continue
        # Renamed first: a server never finds half of it.
        hidden = pathlib.Path(tempfile.mkdtemp(prefix=".old-", dir=folder))
        os.rename(path, hidden / path.name)
        shutil.rmtree(hidden, ignore_errors=True)
        removed.append(number)
    return removed


def _is_number(path):
    return path.name.isascii() and path.name.isdigit()


def _rename(temporary, final):
    """Renames a folder; raises FileExistsError if the name is taken."""
    if final.exists():  # An empty folder would be replaced.
        raise FileExistsError(final)
    try:
        os.rename(temporary, final)
    except OSError as error:
        if final.exists():
            raise FileExistsError(final) from error
        raise


def _sync(folder):
    """Brings all files to the disk, before their folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
