"""The picture of a search."""

import math
import pathlib
from collections.abc import Sequence

from limit_tf import atomic_files
from limit_tf.tuning.report import word
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.selection import distance
from limit_tf.tuning.trials import FinishedTrial


def write(
    path: pathlib.Path,
    trials: Sequence[FinishedTrial],
    selection: Selection,
    penalty: str | None,
    family: str | None,
) -> None:
    """Draws the trials.

    On the left, where the method has a penalty: penalty against mean accuracy
    on the validation labels, with standard errors; no penalty stands apart.
    On the right, a line a trial through all its values, coloured by that
    accuracy.

    Args:
        path: PNG file to write.
        trials: Finished trials of one search.
        selection: The choice among them.
        penalty: Name of the value that is the penalty, or None.
        family: Name of the value that decides what a penalty weighs against,
            or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    num_values = len(trials[0].values)
    width = max(6.0, 1.6 * num_values)
    widths = [6.0, width] if penalty else [width]
    figure = Figure(figsize=(sum(widths), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        1, len(widths), squeeze=False, width_ratios=widths
    )[0]
    if penalty:
        _draw_penalty(panels[0], trials, selection, penalty, family)
    _draw_coordinates(figure, panels[-1], trials, selection)
    with atomic_files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_penalty(panel, trials, selection, penalty, family):
    from matplotlib import ticker

    positive = [t.values[penalty] for t in trials if t.values[penalty] > 0]
    none_at = min(positive, default=1.0) / 4
    kinds = sorted({trial.values.get(family, "") for trial in trials})
    for trial in trials:
        is_chosen = trial == selection.chosen
        is_tied = distance(selection.best, trial).is_a_tie
        panel.errorbar(
            trial.values[penalty] or none_at,
            trial.mean_accuracy,
            yerr=trial.standard_error,
            fmt="*" if is_chosen else "o",
            markersize=14 if is_chosen else 5,
            color=f"C{kinds.index(trial.values.get(family, ''))}",
            markerfacecolor=None if is_tied else "white",
            alpha=1.0 if trial.stopped_early is None else 0.35,
            zorder=3 if is_chosen else 2,
        )
    for number, kind in enumerate(kinds):
        panel.plot([], [], "o", color=f"C{number}", label=kind)
    if family is not None:
        panel.legend(loc="lower right", fontsize="small")
    panel.set_xscale("log")
    panel.axvline(none_at * 2, color="gray", linestyle=":")
    panel.annotate(
        "none",
        (none_at, 0.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        fontsize="small",
    )
    panel.set(
        xlabel=penalty.rpartition(".")[2].replace("_", " "),
        ylabel="mean accuracy on validation labels",
    )
    panel.set_title(
        "star: chosen; filled: may be as good as the best; pale: stopped early",
        fontsize="small",
    )
    panel.grid(alpha=0.3)
    panel.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))


def _draw_coordinates(figure, panel, trials, selection):
    from matplotlib import cm
    from matplotlib import colors
    from matplotlib import ticker

    accuracies = [trial.mean_accuracy for trial in trials]
    shades = cm.ScalarMappable(
        colors.Normalize(min(accuracies), max(accuracies)), "viridis"
    )
    keys = list(trials[0].values)
    heights = {key: _heights([t.values[key] for t in trials]) for key in keys}
    for trial in sorted(trials, key=lambda trial: trial.mean_accuracy):
        panel.plot(
            [heights[key][word(trial.values[key])] for key in keys],
            color=shades.to_rgba(trial.mean_accuracy),
            linewidth=3 if trial == selection.chosen else 1,
            marker=".",
        )
    panel.set_xticks(
        range(len(keys)),
        [key.rpartition(".")[2].replace("_", "\n") for key in keys],
        fontsize="small",
    )
    panel.set(yticks=[], xlim=(-0.3, len(keys) - 0.4), ylim=(-0.05, 1.05))
    for position, key in enumerate(keys):
        panel.axvline(position, color="gray", alpha=0.4)
        for tick in _ticks(heights[key]):
            panel.annotate(
                tick,
                (position, heights[key][tick]),
                fontsize="x-small",
                xytext=(3, 0),
                textcoords="offset points",
            )
    panel.set_title("thick: chosen", fontsize="small")
    figure.colorbar(
        shades,
        ax=panel,
        label="mean accuracy on validation labels",
        format=ticker.PercentFormatter(1.0),
    )


def _heights(values):
    """Height in [0, 1] of each value: numbers by their logarithm."""
    numbers = {
        value
        for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    positive = [math.log(value) for value in numbers if value > 0]
    others = {word(v) for v in values if v not in numbers or v == 0}
    if not positive or len({word(v) for v in values}) <= 2:
        words = sorted({word(value) for value in values}, key=_rank)
        return {
            word: index / max(1, len(words) - 1)
            for index, word in enumerate(words)
        }
    low, high = min(positive), max(positive)
    # What has no logarithm stands below.
    bottom = 0.15 if others else 0.0
    heights = dict.fromkeys(others, 0.0)
    for value in numbers:
        if value > 0:
            share = (math.log(value) - low) / ((high - low) or 1.0)
            heights[word(value)] = bottom + (1.0 - bottom) * share
    return heights


def _rank(word):
    try:
        return (1, float(word), word)
    except ValueError:
        return (0, 0.0, word)


def _ticks(heights):
    """Words to write at an axis: not more than find room."""
    words = sorted(heights, key=heights.get)
    if len(words) <= 5:
        return words
    return [words[0], words[len(words) // 2], words[-1]]
