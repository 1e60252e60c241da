"""Files and words in which a search tells what it found."""

import csv
import io
import pathlib
from collections.abc import Sequence

from limit_tf.experiments import atomic_files
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.selection import standard_error
from limit_tf.tuning.trials import FinishedTrial

_MOST_LINES = 10


def write_csv(path: pathlib.Path, trials: Sequence[FinishedTrial]) -> None:
    """Writes a row a trial, in the order of their numbers.

    The test accuracy stands last, to look at afterwards: nothing is chosen by
    it.

    Args:
        path: File to write.
        trials: Finished trials of one search.
    """
    rows = [
        {
            "trial": trial.trial_id,
            "valid_accuracy": trial.valid_accuracy,
            "standard_error": round(error_of(trial), 6),
            "num_valid_labels": trial.num_valid_labels,
            "valid_cross_entropy": trial.valid_cross_entropy,
            **trial.values,
            "epochs": trial.epochs,
            "num_epochs": trial.num_epochs,
            "best_epoch": trial.best_epoch,
            "stopped_early": trial.stopped_early,
            "seconds": trial.seconds,
            "test_accuracy": trial.test_accuracy,
        }
        for trial in trials
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_files.write_text(path, text.getvalue())


def table(trials: Sequence[FinishedTrial], selection: Selection) -> str:
    """Formats the best trials for people.

    Args:
        trials: Finished trials of one search.
        selection: The choice among them.

    Returns:
        Aligned lines, the chosen trial marked by a star.
    """
    ordered = sorted(trials, key=lambda trial: -trial.valid_accuracy)
    shown = ordered[:_MOST_LINES]
    if selection.chosen not in shown:
        shown.append(selection.chosen)
    cells = [
        ["", "trial", "noisy valid.", "cross-entropy", "epochs"]
        + [key.rpartition(".")[2] for key in shown[0].values]
    ]
    for trial in shown:
        cells.append(
            [
                "*" if trial == selection.chosen else "",
                trial.trial_id,
                f"{trial.valid_accuracy:.1%} ± {error_of(trial):.1%}",
                f"{trial.valid_cross_entropy:.3f}",
                f"{trial.num_epochs}"
                + (f" ({trial.stopped_early})" if trial.stopped_early else ""),
                *(word(value) for value in trial.values.values()),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def error_of(trial: FinishedTrial) -> float:
    """Standard error of a trial's accuracy."""
    return standard_error(trial.valid_accuracy, trial.num_valid_labels)


def word(value: object) -> str:
    """A value in few letters."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
