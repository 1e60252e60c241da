"""Files that are either the old or the new ones, never half of them."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile

# Begins the names of files that are not whole yet.
TEMPORARY = ".new-"


def check_output(path: str | os.PathLike) -> None:
    """Checks that a file can be written and that none is lost by it.

    Args:
        path: File to write.

    Raises:
        ValueError: If there is such a file, or no such folder.
    """
    path = pathlib.Path(path)
    if os.path.lexists(path):
        raise ValueError(
            "`output` must name a new file: none is ever overwritten. "
            f"Received: {path}"
        )
    if not path.parent.is_dir():
        raise ValueError(
            "`output` must name a file in a folder that is there. Received: "
            f"{path}"
        )


@contextlib.contextmanager
def replacing(path: pathlib.Path):
    """Yields a temporary path that takes the place of `path` at the end.

    Args:
        path: File to write. Its folder exists, and no other process writes
            the same file.

    Yields:
        A path in the same folder, with the same suffix. If the body raises,
        it is removed and `path` stays as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, the old one staying whole until the new one is."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value) -> None:
    """Writes a JSON file, the old one staying whole until the new one is.

    Args:
        path: File to write.
        value: What JSON can hold. Numbers that it cannot, NaN and infinities,
            become null.
    """
    text = json.dumps(_finite(value), indent=2, allow_nan=False)
    write_text(path, text + "\n")


def _finite(value):
    """The same value, without numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def temporary_folder(parent: pathlib.Path):
    """Yields a new folder to fill and then to rename.

    Args:
        parent: Folder that it lies in.

    Yields:
        Its path. What still has this name at the end is removed.
    """
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
    temporary.chmod(0o755)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
