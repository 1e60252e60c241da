"""Files and words in which a search tells what it found."""

import csv
import io
import pathlib
from collections.abc import Sequence

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf.tuning.correction import Corrected
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.selection import distance
from limit_tf.tuning.trials import FinishedTrial

_MOST_LINES = 10
_NOT_CORRECTED = Corrected(None, None, None, "no noise was added")


def write_csv(
    path: pathlib.Path,
    trials: Sequence[FinishedTrial],
    selection: Selection,
    corrected: dict[str, Corrected],
) -> None:
    """Writes a row a trial, in the order of their numbers.

    The test accuracy stands last, to look at afterwards: nothing is chosen by
    it. So does the accuracy on held-out labels that nobody has checked.

    Args:
        path: File to write.
        trials: Finished trials of one search.
        selection: The choice among them.
        corrected: Corrected figures by the trials' names; empty where the
            labels are not known to be noisy.
    """
    rows = [_row(trial, selection, corrected) for trial in trials]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: csv_text.escaped(value) for key, value in row.items()}
        for row in rows
    )
    atomic_files.write_text(path, text.getvalue())


def _row(trial, selection, corrected):
    behind = distance(selection.best, trial)
    figures = corrected.get(trial.trial_id, _NOT_CORRECTED)
    return {
        "trial": trial.trial_id,
        "mean_accuracy": _rounded(trial.mean_accuracy),
        "standard_error": _rounded(trial.standard_error),
        "num_valid_labels": trial.num_valid_labels,
        "behind_best": _rounded(behind.accuracy),
        "behind_best_standard_error": _rounded(behind.standard_error),
        "memorised": _rounded(trial.memorised),
        "valid_accuracy": trial.valid_accuracy,
        "valid_cross_entropy": trial.valid_cross_entropy,
        "corrected_accuracy": _rounded(figures.accuracy),
        "corrected_standard_error": _rounded(figures.standard_error),
        "correction": figures.reason,
        "forward_cross_entropy": _rounded(figures.cross_entropy),
        **trial.values,
        "epochs": trial.epochs,
        "num_epochs": trial.num_epochs,
        "best_epoch": trial.best_epoch,
        "stopped_early": trial.stopped_early,
        "seconds": trial.seconds,
        "test_accuracy": trial.test_accuracy,
        "held_out_accuracy": trial.held_out_accuracy,
    }


def _rounded(value):
    return None if value is None else round(value, 6)


def table(trials: Sequence[FinishedTrial], selection: Selection) -> str:
    """Formats the best trials for people.

    Args:
        trials: Finished trials of one search.
        selection: The choice among them.

    Returns:
        Aligned lines, the chosen trial marked by a star.
    """
    ordered = sorted(trials, key=lambda trial: -trial.mean_accuracy)
    shown = ordered[:_MOST_LINES]
    if selection.chosen not in shown:
        shown.append(selection.chosen)
    cells = [
        [
            "",
            "trial",
            "validation",
            "behind",
            "memorised",
            "cross-entropy",
            "epochs",
        ]
        + [key.rpartition(".")[2] for key in shown[0].values]
    ]
    for trial in shown:
        cells.append(
            [
                "*" if trial == selection.chosen else "",
                trial.trial_id,
                f"{trial.mean_accuracy:.1%} ± {trial.standard_error:.1%}",
                _behind(selection.best, trial),
                f"{trial.memorised:.0%}",
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


def _behind(best, trial):
    if trial == best:
        return "-"
    behind = distance(best, trial)
    return f"{behind.accuracy:.1%} ± {behind.standard_error:.1%}"


def word(value: object) -> str:
    """A value in few letters."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
