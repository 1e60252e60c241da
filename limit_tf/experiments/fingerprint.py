"""The data that a run was begun with, so that it goes on with no other."""

import pathlib

import numpy as np

from limit_tf import atomic_files
from limit_tf import data
from limit_tf.noise.example_ids import example_keys

_FILE = "examples.npz"
_PARTS = ("train", "validation", "test")
# Numbers of an example: its part, a hash of its identifier, label, weight.
_ROW = np.dtype(
    [("part", "u1"), ("id", "u8"), ("label", "i8"), ("weight", "f4")]
)


def check(folder: pathlib.Path, splits: data.NoisySplits) -> None:
    """Refuses data that is not that of the run in a folder.

    Args:
        folder: Folder of the run; without a fingerprint nothing is refused.
        splits: The data of now.

    Raises:
        ValueError: If it differs, and in how many examples.
    """
    file = folder / _FILE
    if not file.exists():
        return
    with np.load(file) as arrays:
        changes = _changes(arrays["rows"], _rows(splits))
    if changes:
        raise ValueError(
            "`workdir` must hold a run of the same data, to go on with it: "
            f"begin a new one. Received: workdir={folder}, since whose begin "
            f"{changes}"
        )


def write(folder: pathlib.Path, splits: data.NoisySplits) -> None:
    """Writes the fingerprint of a run's data, unless there is one."""
    file = folder / _FILE
    if not file.exists():
        with atomic_files.replacing(file) as temporary:
            np.savez(temporary, rows=_rows(splits))


def remove(folder: pathlib.Path) -> None:
    """Removes what a finished run no longer needs."""
    (folder / _FILE).unlink(missing_ok=True)


def _rows(splits):
    parts = []
    for number, name in enumerate(_PARTS):
        part = getattr(splits, name)
        rows = np.empty(len(part), _ROW)
        rows["part"] = number
        rows["id"] = example_keys(part.example_ids)
        rows["label"] = part.labels
        weights = part.sample_weight
        rows["weight"] = 1.0 if weights is None else weights
        parts.append(rows)
    return np.concatenate(parts)


def _changes(before, now):
    """What differs, in words; empty if nothing does."""
    if np.array_equal(before, now):
        return ""
    old, new = _by_example(before), _by_example(now)
    gone = {i for _, i in old.keys() - new.keys()}
    come = {i for _, i in new.keys() - old.keys()}
    counts = {
        "vanished": len(gone - come),
        "appeared": len(come - gone),
        "moved to another part": len(gone & come),
        "changed their label or weight": sum(
            old[key] != new[key] for key in old.keys() & new.keys()
        ),
    }
    parts = [f"{count:,} examples {word}" for word, count in counts.items()]
    parts = [part for part in parts if not part.startswith("0 ")]
    return ", ".join(parts) or "the order of the examples changed"


def _by_example(rows):
    return {
        (part, i): (label, weight) for part, i, label, weight in rows.tolist()
    }
