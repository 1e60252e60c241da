"""Which of the processes of a search are alive.

A process of a search holds a lock on a file of its name in the folder of the
search. The system takes the lock away when the process ends, however it ends:
the chief knows of a killed worker within a second, without a time limit that a
long epoch could exceed. All processes must see one folder, on a file system
that knows locks.
"""

import fcntl
import json
import os
import pathlib
import time

from absl import logging

from limit_tf.experiments.workdir import differences

FOLDER = "workers"
_PATIENCE_SECONDS = 2.0
_SECONDS_BETWEEN_LOOKS = 0.2


def has_chief() -> bool:
    """Whether the environment names a chief."""
    return "KERASTUNER_ORACLE_IP" in os.environ


def is_chief() -> bool:
    """Whether this process is the chief."""
    return has_chief() and "chief" in os.environ["KERASTUNER_TUNER_ID"]


def check_environment() -> None:
    """Refuses an environment that names a chief by halves.

    Raises:
        ValueError: If a variable is missing or has no sense.
    """
    names = (
        "KERASTUNER_TUNER_ID",
        "KERASTUNER_ORACLE_IP",
        "KERASTUNER_ORACLE_PORT",
    )
    if not any(name in os.environ for name in names[1:]):
        return
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ValueError(
            "`KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP` and "
            "`KERASTUNER_ORACLE_PORT` must be set together. Received: no "
            f"{missing[0]}"
        )
    port = os.environ["KERASTUNER_ORACLE_PORT"]
    if not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(
            "`KERASTUNER_ORACLE_PORT` must be a number from 1 to 65535. "
            f"Received: {port!r}"
        )
    tuner_id = os.environ["KERASTUNER_TUNER_ID"]
    if "/" in tuner_id or tuner_id.startswith("."):
        raise ValueError(
            "`KERASTUNER_TUNER_ID` must be a plain name. Received: "
            f"{tuner_id!r}"
        )


def wait_for_search(folder: pathlib.Path, identity: dict) -> None:
    """Waits until the chief has made the folder of the search.

    Args:
        folder: Folder of the search.
        identity: Plain values that make this search another than others.

    Raises:
        ValueError: If the folder is that of another search.
    """
    file = pathlib.Path(folder, "config.json")
    if not file.exists():
        logging.info("Waiting for the chief, whose folder will be %s", folder)
    while not file.exists():
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    different = differences(
        json.loads(file.read_text(encoding="utf-8")),
        json.loads(json.dumps(identity)),
    )
    if different:
        raise ValueError(
            "`workdir` must belong to the same search as the chief's. "
            f"Received: workdir={folder}, which differs in {different}"
        )


class WorkerLock:
    """Shows other processes that this one is alive.

    Args:
        folder: Folder of the search.
        tuner_id: Name of this process in the search.

    Raises:
        ValueError: If another process has this name.
    """

    def __init__(self, folder: pathlib.Path, tuner_id: str):
        path = _path(folder, tuner_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w")
        # The chief may be looking at it this very moment.
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while not _locked(self._file, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                self._file.close()
                raise ValueError(
                    "`KERASTUNER_TUNER_ID` must be another one for every "
                    f"process of a search. Received: {tuner_id!r} twice"
                )
            time.sleep(0.05)

    def close(self) -> None:
        """Tells the others that this process has ended its work."""
        self._file.close()


def is_dead(folder: pathlib.Path, tuner_id: str) -> bool:
    """Whether a process that took part in a search has ended.

    Args:
        folder: Folder of the search.
        tuner_id: Name of the process.

    Returns:
        A boolean; False for a process that never held its lock.
    """
    try:
        with open(_path(folder, tuner_id), "rb") as file:
            return _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _path(folder, tuner_id):
    return pathlib.Path(folder, FOLDER, f"{tuner_id}.lock")


def _locked(file, kind):
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
