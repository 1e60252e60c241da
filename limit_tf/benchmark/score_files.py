"""Scores of a run's labels beside the truth, kept for later comparisons."""

import dataclasses
import pathlib

import numpy as np

from limit_tf import atomic_files
from limit_tf.label_issues import LabelScores

# Parts of the data, by their number in the files.
TRAIN, VALIDATION = 0, 1


@dataclasses.dataclass(frozen=True, eq=False)
class KnownScores:
    """Scores of labels whose truth is known.

    Args:
        scores: Scores of `n` labels.
        clean_labels: The true labels, `(n,)`.
        parts: What each label was used for, `TRAIN` or `VALIDATION`, `(n,)`.
    """

    scores: LabelScores
    clean_labels: np.ndarray
    parts: np.ndarray


def write(path: pathlib.Path, known: KnownScores) -> None:
    """Writes a `.npz` file; its folder is made.

    Args:
        path: File to write.
        known: What to keep.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files.replacing(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez_compressed(
                file,
                **vars(known.scores),
                clean_labels=known.clean_labels,
                parts=known.parts,
            )


def read(path: pathlib.Path) -> KnownScores:
    """Reads what `write` has written.

    Args:
        path: File to read.

    Returns:
        What was kept.
    """
    with np.load(path) as file:
        columns = dict(file)
    clean_labels, parts = columns.pop("clean_labels"), columns.pop("parts")
    num_classes = int(columns.pop("num_classes"))
    return KnownScores(LabelScores(num_classes, **columns), clean_labels, parts)
