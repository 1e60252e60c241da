"""The folder of a run: one configuration, one process at a time."""

import fcntl
import json
import pathlib

from limit_tf import atomic_files
from limit_tf import folders

LOCK = ".lock"


class Workdir:
    """Folder that belongs to one configuration, once it is claimed.

    Args:
        path: Folder, made if absent.
        config: Plain values of the configuration.
        kind: What the folder is to be, see `limit_tf.folders`.

    Attributes:
        path: The folder.
        begun_with: Plain values of the configuration that the folder belongs
            to, None if it is new. A value may be missing that was not known
            then and is None now.

    Raises:
        ValueError: If the folder cannot be used, holds a run of another
            configuration, or another process works in it.
    """

    def __init__(self, path: str, config: dict, kind: str = folders.RUN):
        if not str(path):
            raise ValueError(
                "`workdir` must be the path of a folder. Received: workdir="
            )
        self.path = pathlib.Path(path)
        self._kind = kind
        self._config = json.loads(json.dumps(config))
        self._lock = None
        self.begun_with = None
        self._check()  # Before anything is made.
        self._made = []
        try:
            self._take()
            self._check()
        except BaseException:
            self.discard()
            raise
        for left_by_a_kill in self.path.glob(f"{atomic_files.TEMPORARY}*"):
            left_by_a_kill.unlink()

    def _check(self):
        folders.check_own(self.path, self._kind, "workdir")
        file = self.path / "config.json"
        if not file.exists():
            return
        other = json.loads(file.read_text(encoding="utf-8"))
        self.begun_with = other
        if differences(other, self._config):
            raise ValueError(
                "`workdir` must belong to the same configuration, or be "
                f"new. Received: workdir={self.path}, which differs in "
                f"{differences(other, self._config)}"
            )

    def _take(self):
        """Makes the folder and its lock, and remembers what it has made."""
        file = self.path / LOCK
        try:
            self._made = folders.make(self.path)
            self._is_own_lock = not file.exists()
            self._lock = open(file, "w")
        except OSError as error:
            raise ValueError(
                "`workdir` must be a folder that can be written to. Received: "
                f"workdir={self.path} ({error.strerror})"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._is_own_lock = False
            raise ValueError(
                "`workdir` must not be in use by another process. Received: "
                f"workdir={self.path}"
            ) from error

    def claim(self) -> None:
        """Makes the folder that of this configuration, for good."""
        file = self.path / "config.json"
        if not file.exists():
            atomic_files.write_json(file, self._config)
            folders.mark(self.path, self._kind)
        self._is_own_lock = False

    def results(self) -> dict | None:
        """Results of the finished run, or None."""
        file = self.path / "results.json"
        if not file.exists():
            return None
        return json.loads(file.read_text(encoding="utf-8"))

    def discard(self) -> None:
        """Closes a folder that was not claimed, and removes what it made."""
        if self._lock is not None and self._is_own_lock:
            (self.path / LOCK).unlink(missing_ok=True)
        self.close()
        folders.remove(self._made)

    def close(self) -> None:
        """Lets other processes use the folder."""
        if self._lock is not None:
            self._lock.close()


def differences(old: dict, new: dict, prefix: str = "config") -> str:
    """Names the values in which two configurations differ.

    Args:
        old: Plain values of one configuration.
        new: Those of the other.
        prefix: What the names begin with.

    Returns:
        Names and both values, separated by semicolons; empty if they agree. A
        value that is missing is None.
    """
    parts = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        name = f"{prefix}.{key}"
        if isinstance(before or {}, dict) and isinstance(after or {}, dict):
            parts.append(differences(before or {}, after or {}, name))
        else:
            parts.append(f"{name}: {before!r} there, {after!r} here")
    return "; ".join(part for part in parts if part)
