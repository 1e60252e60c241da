"""Exported models in folders: which version is the one to use."""

import os
import pathlib

from limit_tf import folders
from limit_tf.serving.versions import MODEL_FILES
from limit_tf.serving.versions import SAVED_MODEL
from limit_tf.serving.versions import existing_versions

# Where a run has the versions of its own model.
OF_RUN = "saved_model"
_GRAPH = MODEL_FILES[SAVED_MODEL]
_CLASS_NAMES = pathlib.Path("assets", "labels.txt")


def find_version(
    folder: str | os.PathLike, version: int | None = None
) -> pathlib.Path:
    """Finds one version of an exported model.

    Args:
        folder: Folder of numbered versions, or of a run that has exported its
            model. Without `version`, also the folder of a version itself.
        version: Number of the version; by default the highest one. Folders
            whose names are no numbers, such as unfinished ones, and folders
            without a model do not count.

    Returns:
        The folder of the version.

    Raises:
        ValueError: If there is no such folder, or no such version in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(
            "`model` must be the folder of an exported model. There is no "
            f"such folder. Received: {folder}"
        )
    if version is None and is_version(folder):
        return folder
    if folders.kind_of(folder) == folders.RUN:
        folder = folder / OF_RUN
    versions = {
        number: path
        for number, path in existing_versions(folder).items()
        if is_version(path)
    }
    if not versions:
        raise ValueError(
            "`model` must be a folder of numbered versions with a model in "
            f"them. It has none. Received: {folder}"
        )
    if version is None:
        return versions[max(versions)]
    if version not in versions:
        there = ", ".join(map(str, sorted(versions)))
        raise ValueError(
            f"`version` must be one of {there} in {folder}. "
            f"Received: version={version}"
        )
    return versions[version]


def is_version(folder: str | os.PathLike) -> bool:
    """Tells whether a folder is that of one version.

    Args:
        folder: The folder.

    Returns:
        Whether it holds a model.
    """
    return pathlib.Path(folder, _GRAPH).is_file()


def read_class_names(version_folder: pathlib.Path) -> tuple[str, ...] | None:
    """Reads the names of a model's classes.

    Args:
        version_folder: Folder of one version.

    Returns:
        The names, or None if the model came without them.
    """
    path = version_folder / _CLASS_NAMES
    if not path.is_file():
        return None
    names = path.read_text(encoding="utf-8").split("\n")
    return tuple(names[:-1] if names[-1] == "" else names)
