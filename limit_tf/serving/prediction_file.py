"""Predictions as CSV and JSON."""

import contextlib
import csv
import json
import math
import os
import pathlib
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TextIO

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf.serving.prediction import Prediction

FORMATS = ("csv", "json")
_COLUMNS = ("class_id", "class_name", "probability")


@contextlib.contextmanager
def opened(path: str | os.PathLike | None) -> Iterator[TextIO]:
    """Yields a file for predictions, which appears whole or not at all.

    Args:
        path: New file; None for standard output.

    Yields:
        The file, open for writing.

    Raises:
        ValueError: If there is such a file, or no such folder.
    """
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    atomic_files.check_output(path)
    with atomic_files.replacing(pathlib.Path(path)) as temporary:
        with open(
            temporary,
            "w",
            newline="",
            encoding="utf-8",
            errors="surrogateescape",  # names of files may be any bytes
        ) as file:
            yield file
        atomic_files.check_output(path)  # There may be one by now.


def write_csv(
    file: TextIO, predictions: Iterable[Prediction], num_top: int = 1
) -> int:
    """Writes predictions as CSV.

    The columns are `input`, `class_id`, `class_name` and `probability`; from
    the second class on, `class_id_2` and so on. Texts that a spreadsheet may
    take for formulas have an apostrophe before them, see `limit_tf.csv_text`.

    Args:
        file: Where they go.
        predictions: What is written as it comes.
        num_top: Number of classes of each prediction.

    Returns:
        The number of predictions.
    """
    writer = csv.writer(file, lineterminator="\n")
    suffixes = ["", *(f"_{rank}" for rank in range(2, num_top + 1))]
    writer.writerow(
        ["input", *(name + suffix for suffix in suffixes for name in _COLUMNS)]
    )
    count = 0
    for prediction in predictions:
        values = [value for best in _classes(prediction) for value in best]
        writer.writerow(map(csv_text.escaped, [prediction.name, *values]))
        count += 1
    return count


def write_json(
    file: TextIO, predictions: Iterable[Prediction], num_top: int = 1
) -> int:
    """Writes predictions as a JSON list of objects, one a line.

    An object has `input`, `class_id`, `class_name` and `probability`; with
    more classes than one, also `top`, a list of objects of the last three.

    Args:
        file: Where they go.
        predictions: What is written as it comes.
        num_top: Number of classes of each prediction.

    Returns:
        The number of predictions.
    """
    count = 0
    for prediction in predictions:
        best = [
            dict(zip(_COLUMNS, (i, name, _number(text)), strict=True))
            for i, name, text in _classes(prediction)
        ]
        value = {"input": prediction.name, **best[0]}
        if num_top > 1:
            value["top"] = best
        file.write(",\n" if count else "[\n")
        file.write(json.dumps(value, ensure_ascii=False))
        count += 1
    file.write("\n]\n" if count else "[]\n")
    return count


def _number(text):
    """A number that JSON can hold; None for one that is not finite."""
    number = float(text)
    return number if math.isfinite(number) else None


def _classes(prediction):
    """Returns id, name, and probability by the digits that float32 has."""
    return zip(
        prediction.class_ids,
        prediction.class_names,
        map(str, prediction.probabilities),
        strict=True,
    )
