"""Files that a run leaves: history, curves, results."""

import csv
import io
import pathlib
import platform
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf.experiments import held_out

_UNKNOWN = "-"
_TABLE = (
    ("method", "row", "{}"),
    ("test accuracy", held_out.CHECKED, "{:.1%}"),
    ("held-out labels (unchecked)", held_out.UNCHECKED, "{:.1%}"),
    (
        "true labels (estimated)",
        held_out.ESTIMATE,
        "{0[accuracy]:.1%} ± {0[standard_error]:.1%}",
    ),
    ("reported", "reported", "{:.1f}%"),
    ("noisy training labels", "train_accuracy_noisy", "{:.1%}"),
    ("their true labels", "train_accuracy_clean", "{:.1%}"),
    ("best epoch", "best_epoch", "{}"),
    ("time", "wall_seconds", "{:.0f} s"),
)
_PANELS_A_LINE = 4


def write_history(workdir: pathlib.Path, history: list[dict]) -> None:
    """Writes `history.csv`, a row an epoch.

    Args:
        workdir: Folder of the run.
        history: Figures of each epoch; a figure that an epoch lacks is empty.
    """
    fields = list(dict.fromkeys(key for row in history for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    atomic_files.write_text(workdir / "history.csv", text.getvalue())


def read_history(workdir: pathlib.Path) -> list[dict]:
    """Reads `history.csv`, numbers as numbers, without the empty cells."""
    with open(workdir / "history.csv", newline="", encoding="utf-8") as file:
        return [
            {
                key: int(value) if key == "epoch" else float(value)
                for key, value in row.items()
                if value
            }
            for row in csv.DictReader(file)
        ]


def write_curves(path: pathlib.Path, runs: dict[str, dict]) -> None:
    """Draws the accuracies of one or more runs side by side.

    Args:
        path: PNG file to write.
        runs: For each title, a dictionary of `history`, `best_epoch` and
            `noise_ceiling` (the share of the training labels that are right).
    """
    from matplotlib import ticker
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(runs), _PANELS_A_LINE)
    lines = -(-len(runs) // columns)
    figure = Figure(figsize=(6.4 * columns, 4.4 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).flat
    for panel in panels[len(runs) :]:
        panel.set_visible(False)
    for panel, (title, run) in zip(panels, runs.items(), strict=False):
        for key, label, style in (
            ("train_accuracy_noisy", "training, given (noisy) labels", "C3-"),
            ("valid_accuracy", "validation, given labels", "C0-"),
            (held_out.CHECKED, "test, true labels", "C2-"),
            (held_out.UNCHECKED, "held-out labels, unchecked", "C2--"),
        ):
            rows = [row for row in run["history"] if key in row]
            if not rows:
                continue
            panel.plot(
                [row["epoch"] for row in rows],
                [row[key] for row in rows],
                style,
                label=label,
            )
        if run["noise_ceiling"] is not None:
            panel.axhline(
                run["noise_ceiling"],
                color="gray",
                linestyle="--",
                label="noise ceiling: training labels that are right",
            )
        panel.axvline(run["best_epoch"], color="gray", linestyle=":")
        panel.set(title=title, xlabel="epoch", ylim=(0.0, 1.02))
        panel.grid(alpha=0.3)
        panel.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    panels[0].set_ylabel("accuracy (dotted: epoch kept)")
    panels[0].legend(loc="lower right", fontsize="small")
    with atomic_files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on, and the machine."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "devices": devices(),
    }


def devices() -> str:
    """Names the kinds of devices that TensorFlow sees."""
    kinds = {d.device_type for d in tf.config.list_physical_devices()}
    return ", ".join(sorted(kinds))


def table(rows: list[dict]) -> str:
    """Formats results of runs as a table for people.

    Args:
        rows: Contents of `results.json` files, of runs on the same labels;
            `row` names a run where its method does not, `reported` is the
            accuracy that a paper reports, in per cent.

    Returns:
        Aligned lines: a header, a rule, and a line a run; then what the
        accuracy on the noisy labels has to be compared with.
    """
    cells = _cells(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        )
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    right = rows[0]["noise_ceiling"]
    if right not in (1.0, None):
        lines += [
            "",
            f"{1.0 - right:.1%} of the training labels are wrong. An accuracy "
            f"on them above {right:.1%} is",
            "memorised noise.",
        ]
    lines += _held_out_words(rows)
    return "\n".join(line.rstrip() for line in lines)


def exported(outcome: dict) -> str:
    """Says where an exported run's model is, in a line or two."""
    lines = [f"SavedModel: {outcome['saved_model']}"]
    if "published" in outcome:
        lines.append(f"Published: {outcome['published']}")
    return "\n".join(lines)


def _held_out_words(rows):
    """Says what an accuracy on unchecked labels is, and is not."""
    rows = [row for row in rows if row.get(held_out.UNCHECKED) is not None]
    if not rows:
        return []
    lines = [
        "",
        f"The {rows[0]['num_test_examples']:,} held-out labels are the data's "
        "own, which nobody has checked: accuracy",
        f"on them is no test accuracy ({held_out.OPTION}=true",
        "vouches for them).",
    ]
    estimates = [row.get(held_out.ESTIMATE) for row in rows]
    if any(_is_known(estimate) for estimate in estimates):
        lines += [
            "The accuracy on true labels is estimated by the noise that a "
            "run's network sees in",
            "them; ± is a standard error.",
        ]
    elif estimates[0]:
        lines.append(
            "None on true labels can be estimated from them: "
            f"{estimates[0]['reason']}."
        )
    return lines


def _is_known(estimate):
    return bool(estimate) and estimate["accuracy"] is not None


def markdown_table(rows: list[dict]) -> str:
    """Formats results of runs as a table in Markdown; see `table`."""
    header, *lines = _cells(rows)
    lines = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(rows):
    """Header and lines, without the columns that no run has a value for."""
    rows = [{"row": row["method"], **row} for row in rows]
    for row in rows:
        if not _is_known(row.get(held_out.ESTIMATE)):
            row.pop(held_out.ESTIMATE, None)
    columns = [
        (name, key, form)
        for name, key, form in _TABLE
        if any(row.get(key) is not None for row in rows)
    ]
    return [[name for name, _, _ in columns]] + [
        [
            _UNKNOWN if row.get(key) is None else form.format(row[key])
            for _, key, form in columns
        ]
        for row in rows
    ]


def write_unreadable(
    workdir: pathlib.Path, unreadable: Mapping[str, str]
) -> None:
    """Writes `unreadable_images.csv`: path and reason of each such image."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "reason"])
    writer.writerows(map(csv_text.escaped, row) for row in unreadable.items())
    atomic_files.write_text(workdir / "unreadable_images.csv", text.getvalue())
