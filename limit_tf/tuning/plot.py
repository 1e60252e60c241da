"""The picture of a search."""

import collections
import math
import pathlib
from collections.abc import Sequence

from limit_tf import atomic_files
from limit_tf.tuning.report import word
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.selection import distance
from limit_tf.tuning.trials import FinishedTrial

# Standard errors behind the best, where one colour ends and the next begins.
_STEPS = (0.0, 1.0, 2.0, 4.0, 8.0, math.inf)
# Of the height of the axes; letters of words that are nearer would touch.
_LEAST_GAP = 0.05
_MOST_LETTERS = 18


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
    On the right, a line a trial through all its values. Its colour tells how
    many standard errors of their difference it is behind the best: trials that
    may be as good have the same.

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
    width = max(6.0, 1.7 * num_values)
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
    places = _places([t.values[penalty] or none_at for t in trials])
    for trial, place in zip(trials, places, strict=True):
        is_chosen = trial == selection.chosen
        is_tied = distance(selection.best, trial).is_a_tie
        panel.errorbar(
            place,
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
        panel.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, -0.14),  # below, where no point lies
            ncols=len(kinds),
            frameon=False,
            fontsize="small",
        )
    panel.set_xscale("log")
    if len(positive) < len(trials):
        _mark_none(panel, none_at)
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


def _mark_none(panel, none_at):
    """Sets apart the trials without a penalty."""
    panel.axvline(none_at * 2, color="gray", linestyle=":")
    panel.set_xlim(left=none_at / 2)
    panel.annotate(
        "none",
        (none_at, 0.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        fontsize="small",
    )


def _places(values):
    """The values, equal ones moved a little apart."""
    places, seen = [], collections.Counter()
    for value in values:
        order, number = seen[value], values.count(value)
        seen[value] += 1
        places.append(value * 1.07 ** (order - (number - 1) / 2))
    return places


def _draw_coordinates(figure, panel, trials, selection):
    from matplotlib import cm
    from matplotlib import colors

    shades = cm.ScalarMappable(
        colors.BoundaryNorm(range(len(_STEPS)), len(_STEPS) - 1),
        colors.ListedColormap(
            # From the best on: dark, then paler and paler.
            ["#0b4f8a", "#2a9d8f", "#8ab17d", "#e9b44c", "#d9d0c1"]
        ),
    )
    keys = list(trials[0].values)
    heights = {key: _heights([t.values[key] for t in trials]) for key in keys}
    for trial in sorted(trials, key=lambda trial: trial.mean_accuracy):
        step = behind_step(selection.best, trial)
        panel.plot(
            [heights[key][word(trial.values[key])] for key in keys],
            color=shades.to_rgba(step + 0.5),
            linewidth=3 if trial == selection.chosen else 1.2,
            zorder=1 + len(_STEPS) - step,
            marker=".",
        )
    panel.set_xticks(
        range(len(keys)),
        [_wrapped(key.rpartition(".")[2]) for key in keys],
        fontsize="small",
    )
    panel.set(yticks=[], xlim=(-0.3, len(keys) - 0.2), ylim=(-0.05, 1.05))
    for position, key in enumerate(keys):
        panel.axvline(position, color="gray", alpha=0.4)
        for tick in ticks(heights[key]):
            panel.annotate(
                shortened(tick),
                (position, heights[key][tick]),
                fontsize="x-small",
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                zorder=20,
                bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}
                | {"alpha": 0.75},
            )
    panel.set_title("thick: chosen", fontsize="small")
    bar = figure.colorbar(shades, ax=panel)
    bar.set_ticks(
        [step + 0.5 for step in range(len(_STEPS) - 1)],
        labels=[
            "0 to 1:\nmay be\nas good",
            "1 to 2",
            "2 to 4",
            "4 to 8",
            "more",
        ],
        fontsize="small",
    )
    bar.ax.tick_params(length=0)
    bar.ax.invert_yaxis()
    bar.set_label("standard errors behind the best,\non validation labels")


def behind_step(best: FinishedTrial, trial: FinishedTrial) -> int:
    """Tells how far a trial is behind, in steps that colours tell apart.

    Args:
        best: The best trial.
        trial: Another one, or the same.

    Returns:
        0 where it may be as good, up to 4 where it is far behind.
    """
    behind = distance(best, trial)
    if behind.is_a_tie:
        return 0
    errors = behind.accuracy / (behind.standard_error or math.ulp(1.0))
    return next(i for i, end in enumerate(_STEPS[1:]) if errors <= end)


def _wrapped(name):
    """A name in lines that are not wider than the room of an axis."""
    lines = [""]
    for part in name.split("_"):
        if lines[-1] and len(lines[-1]) + len(part) > 10:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
    return "\n".join(map(shortened, lines))


def shortened(text: str) -> str:
    """Takes letters out of the middle of a text that is too long."""
    if len(text) <= _MOST_LETTERS:
        return text
    half = (_MOST_LETTERS - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


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


def ticks(heights: dict[str, float]) -> list[str]:
    """Chooses the words to write at an axis: those that find room.

    Args:
        heights: Heights in `[0, 1]` by word.

    Returns:
        Words, the lowest and the highest among them, none too near to another.
    """
    words = sorted(heights, key=heights.get)
    chosen = [words[0]]
    for name in words[1:-1]:
        gaps = (
            heights[name] - heights[chosen[-1]],
            heights[words[-1]] - heights[name],
        )
        if min(gaps) >= _LEAST_GAP:
            chosen.append(name)
    return chosen + words[-1:] if len(words) > 1 else chosen
