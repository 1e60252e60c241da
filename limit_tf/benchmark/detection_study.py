"""All noises and seeds of a benchmark of detection, with resume and tables."""

import csv
import dataclasses
import io
import pathlib
import statistics
from collections.abc import Sequence

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf import folders
from limit_tf import progress
from limit_tf.benchmark.detection import NOISE_LEVELS
from limit_tf.benchmark.detection import Detection
from limit_tf.benchmark.detection import NoiseLevel
from limit_tf.benchmark.detection import Row

CSV_FILE, TABLE_FILE = "detection.csv", "detection.md"
_COLUMNS = {
    "roc_auc": ("ROC AUC", "{:.4f}", 1.0),
    "average_precision": ("average precision", "{:.4f}", 1.0),
    "precision_at_true_number": ("precision at the true number", "{:.1f}", 100),
    "precision": ("precision of the choice", "{:.1f}", 100),
    "recall": ("recall of the choice", "{:.1f}", 100),
    "test_accuracy": ("test accuracy", "{:.1f}", 100),
    "seconds": ("seconds", "{:.0f}", 1.0),
}


class DetectionStudy:
    """Measures and keeps rows; started again, it goes on where it was.

    Args:
        detection: What to measure.
        folder: Folder of `detection.csv` and `detection.md`.
        noises: Noises to measure under.
        seeds: Values of `config.seed`.

    Raises:
        ValueError: If the folder's table is of another configuration.
    """

    def __init__(
        self,
        detection: Detection,
        folder: str,
        noises: Sequence[NoiseLevel] = NOISE_LEVELS,
        seeds: Sequence[int] = (0,),
    ):
        self._detection = detection
        self._folder = pathlib.Path(folder)
        self._groups = [(noise, seed) for noise in noises for seed in seeds]
        folders.check_kind(self._folder, folders.DETECTION)
        self._rows = _read(self._folder / CSV_FILE)
        others = {row.data for row in self._rows} - {detection.name}
        if others:
            raise ValueError(
                "`output` must be a folder of the same configuration, or a new "
                f"one. Received: {self._folder} with {sorted(others)[0]!r}"
            )

    def run(self, head: str) -> str:
        """Measures what is missing.

        Args:
            head: Markdown above the table: the command, the machine.

        Returns:
            The table as Markdown, as `detection.md` holds it.
        """
        with folders.made_for(self._folder):
            return self._run(head)

    def _run(self, head):
        done = {(row.noise, row.rate, row.seed) for row in self._rows}
        for noise, seed in progress.over(
            self._groups, len(self._groups), "benchmark", unit="case"
        ):
            if (noise.kind, noise.rate, seed) in done:
                continue
            # All rows of a case at once: they share a training.
            self._rows += list(self._detection.rows(noise, seed))
            atomic_files.write_text(self._folder / CSV_FILE, _csv(self._rows))
        text = f"{head}\n\n{markdown(self._rows)}"
        atomic_files.write_text(self._folder / TABLE_FILE, text)
        return text


def markdown(rows: Sequence[Row]) -> str:
    """Formats rows: means over seeds, with the spread where there are several.

    Args:
        rows: Rows of one configuration.

    Returns:
        A table for each noise.
    """
    lines = []
    for noise, rate in dict.fromkeys((row.noise, row.rate) for row in rows):
        own = [row for row in rows if (row.noise, row.rate) == (noise, rate)]
        seeds = sorted({row.seed for row in own})
        lines += [
            f"**{own[0].data}, {noise} {rate:.0%}**, seeds "
            f"{', '.join(map(str, seeds))}",
            "",
            "| | "
            + " | ".join(name for name, _, _ in _COLUMNS.values())
            + " |",
            "|---" * (len(_COLUMNS) + 1) + "|",
        ]
        for subject in dict.fromkeys(row.subject for row in own):
            cells = [
                _cell(
                    [getattr(r, key) for r in own if r.subject == subject],
                    form,
                    factor,
                )
                for key, (_, form, factor) in _COLUMNS.items()
            ]
            lines.append(f"| {subject} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(values, form, factor):
    values = [value * factor for value in values if value is not None]
    if not values:
        return "-"
    text = form.format(statistics.mean(values))
    if len(values) > 1:
        text += f" ± {form.format(statistics.stdev(values))}"
    return text


def _csv(rows):
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: csv_text.escaped(v) for k, v in dataclasses.asdict(row).items()}
        for row in rows
    )
    return text.getvalue()


def _read(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [_row(values) for values in csv.DictReader(file)]


def _row(values):
    texts = ("data", "noise", "subject")
    numbers = {
        key: float(value) if value else None
        for key, value in values.items()
        if key not in texts
    }
    numbers["seed"] = int(values["seed"])
    names = {key: csv_text.unescaped(values[key]) for key in texts}
    return Row(**names, **numbers)
