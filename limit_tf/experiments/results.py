"""Files that a run leaves: history, curves, results."""

import csv
import io
import pathlib
import platform

import keras
import numpy as np
import tensorflow as tf

from limit_tf.experiments import atomic_files

_TABLE = (
    ("method", "{method}"),
    ("test accuracy", "{test_accuracy:.1%}"),
    ("noisy training labels", "{train_accuracy_noisy:.1%}"),
    ("their true labels", "{train_accuracy_clean:.1%}"),
    ("best epoch", "{best_epoch}"),
    ("time", "{wall_seconds:.0f} s"),
)


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

    figure = Figure(figsize=(6.4 * len(runs), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for panel, (title, run) in zip(panels, runs.items(), strict=True):
        for key, label, style in (
            ("train_accuracy_noisy", "training, given (noisy) labels", "C3-"),
            ("valid_accuracy", "validation, given labels", "C0-"),
            ("test_accuracy", "test, true labels", "C2-"),
        ):
            rows = [row for row in run["history"] if key in row]
            panel.plot(
                [row["epoch"] for row in rows],
                [row[key] for row in rows],
                style,
                label=label,
            )
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
        rows: Contents of `results.json` files, of runs on the same labels.

    Returns:
        Aligned lines: a header, a rule, and a line a run; then what the
        accuracy on the noisy labels has to be compared with.
    """
    cells = [[name for name, _ in _TABLE]]
    cells += [[form.format(**row) for _, form in _TABLE] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        )
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    right = rows[0]["noise_ceiling"]
    if right == 1.0:
        return "\n".join(line.rstrip() for line in lines)
    lines += [
        "",
        f"{1.0 - right:.1%} of the training labels are wrong. An accuracy on "
        f"them above {right:.1%} is",
        "memorised noise.",
    ]
    return "\n".join(line.rstrip() for line in lines)
