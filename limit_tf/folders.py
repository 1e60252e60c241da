"""Folders that commands write: which kind they are, and what is left of them.

A folder belongs to the kind of command that wrote it: none writes into that of
another kind. What is made for work that is then refused is removed again.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator

# Holds the kind of a folder; older folders are known by their files.
MARKER = ".limit_tf"
RUN, COMPARISON, SEARCH = "run", "comparison", "search"
ISSUES, MODELS = "label issues", "models"
BENCHMARK, DETECTION, STREAM = "benchmark", "detection", "stream"
_WORDS = {
    RUN: "a run",
    COMPARISON: "a comparison",
    SEARCH: "a search",
    ISSUES: "label issues",
    MODELS: "an exported model",
    BENCHMARK: "a benchmark",
    DETECTION: "a benchmark of label issues",
    STREAM: "a benchmark of streaming",
}
_FILES = {
    "noise.json": ISSUES,
    "benchmark.json": BENCHMARK,
    "detection.csv": DETECTION,
    "stream.json": STREAM,
    "saved_model.pb": MODELS,
    "model.tflite": MODELS,
}


def kind_of(folder: str | os.PathLike) -> str | None:
    """Says what kind of folder of this library one is.

    Args:
        folder: The folder, which need not be there.

    Returns:
        One of this module's kinds; None for any other folder.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return None
    with contextlib.suppress(OSError, UnicodeDecodeError):
        marked = (folder / MARKER).read_text(encoding="utf-8").strip()
        if marked in _WORDS:
            return marked
    return _kind_of_run(folder) or _kind_by_files(folder)


def _kind_of_run(folder):
    """The kind of a folder with results or a configuration, or of several."""
    results, config = _json(folder / "results.json"), _config(folder)
    if isinstance(results, list):
        return COMPARISON
    if config is not None:
        return SEARCH if "search" in config else RUN
    for child in sorted(folder.iterdir()):
        name = (_config(child) or {}).get("name")
        if isinstance(name, str) and name.endswith(f"_{child.name}"):
            return COMPARISON
    return None


def _kind_by_files(folder):
    for name, kind in _FILES.items():
        if (folder / name).is_file():
            return kind
    for child in folder.iterdir():
        if child.name.isdecimal() and _kind_by_files_of_version(child):
            return MODELS
    return None


def _kind_by_files_of_version(folder):
    return any(
        (folder / name).is_file()
        for name, kind in _FILES.items()
        if kind == MODELS
    )


def _config(folder):
    """The configuration of a run or a search, or None."""
    values = _json(folder / "config.json")
    if isinstance(values, dict) and {"method", "training"} <= set(values):
        return values
    return None


def _json(file):
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def check_kind(
    folder: str | os.PathLike, kind: str, argument: str = "output"
) -> None:
    """Refuses the folder of another kind, and a path that is no folder.

    Args:
        folder: Folder to write to; it need not be there.
        kind: Kind of what is to be written.
        argument: What the caller gave the folder by.

    Raises:
        ValueError: If it is no folder, or of another kind.
    """
    folder = pathlib.Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(0, "which is a file")
        there = kind_of(folder)
    except OSError as error:
        raise ValueError(
            f"`{argument}` must be a folder that can be used. Received: "
            f"{argument}={folder}, {error.strerror}"
        ) from error
    if there not in (None, kind):
        raise ValueError(
            f"`{argument}` must be a new folder or that of {_WORDS[kind]}. "
            f"Received: {argument}={folder}, which is the folder of "
            f"{_WORDS[there]}"
        )


def check_own(
    folder: str | os.PathLike, kind: str, argument: str = "output"
) -> None:
    """Refuses all but a new folder, an empty one, and one of the same kind.

    Args:
        folder: Folder to write to; it need not be there.
        kind: Kind of what is to be written.
        argument: What the caller gave the folder by.

    Raises:
        ValueError: If it is another folder, or none.
    """
    check_kind(folder, kind, argument)
    folder = pathlib.Path(folder)
    if kind_of(folder) == kind or not folder.exists():
        return
    others = sorted(p.name for p in folder.iterdir() if p.name != ".lock")
    if others:
        raise ValueError(
            f"`{argument}` must be a new folder, an empty one, or that of "
            f"{_WORDS[kind]}. Received: {argument}={folder}, which holds "
            f"{others[0]!r}"
        )


def mark(folder: pathlib.Path, kind: str) -> None:
    """Writes down the kind of a folder.

    Args:
        folder: Folder that is there.
        kind: One of this module's kinds.
    """
    file = folder / MARKER
    if not file.exists():
        file.write_text(f"{kind}\n", encoding="utf-8")


def make(folder: pathlib.Path) -> list[pathlib.Path]:
    """Makes a folder, with those above it.

    Args:
        folder: Folder that may be there.

    Returns:
        What was made, the innermost first, as `remove` takes it.
    """
    missing = []
    path = pathlib.Path(folder)
    while not path.exists():
        missing.append(path)
        path = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def remove(made: list[pathlib.Path]) -> None:
    """Removes folders that were made, as far as they are empty."""
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()


@contextlib.contextmanager
def made_for(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder, and removes it again if the body fails and it is empty.

    Args:
        folder: Folder that may be there.

    Yields:
        Nothing.
    """
    made = make(folder)
    try:
        yield
    except BaseException:
        remove(made)
        raise
