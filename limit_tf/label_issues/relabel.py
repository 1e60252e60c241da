"""Labels after a review of the label issues."""

import collections
import csv
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from absl import logging

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf.data import class_labels
from limit_tf.label_issues import table as table_lib

ACTIONS = ("replace", "drop", "down_weight")
UNDECIDED = ("keep", "accept")
_DECISIONS = {"accept": True, "reject": False}
_COLUMNS = ("id", "decision")
# What can become of a label; positions are what `relabelled` counts.
_KEPT, _REPLACED, _DROPPED, _DOWN_WEIGHTED = range(4)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a person decided on one example.

    Args:
        is_accepted: Whether the given label is taken for wrong.
        label: Name of the class that it should be; None for the suggested one.
    """

    is_accepted: bool
    label: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Relabelled:
    """The labels to train on.

    Args:
        ids: Identifiers, `(n,)`, strings, in the order of the table.
        labels: Names of classes, `(n,)`; empty for an example that is dropped.
        weights: Sample weights, `(n,)`, float64; None for ones.
        counts: How many labels were kept, replaced, dropped and
            down-weighted, by the names `"kept"`, `"replaced"`, `"dropped"` and
            `"down_weighted"`.
    """

    ids: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    counts: Mapping[str, int]


def read_decisions(path: str | os.PathLike) -> dict[str, Decision]:
    """Reads what a person decided.

    The file is a CSV with the columns `id` and `decision`, which is `accept`
    or `reject`, and optionally `label`, the class that an accepted issue
    should be instead of the suggested one. Other columns are ignored.

    Args:
        path: Path of the file, in UTF-8.

    Returns:
        The decisions by identifier.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file breaks a rule, and which.
    """
    rows = table_lib.csv_rows(path, _COLUMNS)
    header = next(rows)
    id_column, decision_column = (header.index(name) for name in _COLUMNS)
    label_column = header.index("label") if "label" in header else None
    decisions = {}
    for lines, part in rows:
        for line, row in zip(lines, part, strict=True):
            is_accepted = _DECISIONS.get(row[decision_column].strip().lower())
            if is_accepted is None:
                raise ValueError(
                    "`decisions` must name a file whose column decision holds "
                    f"accept or reject. Received: {path}, line {line} with "
                    f"{row[decision_column]!r}"
                )
            example_id = csv_text.unescaped(row[id_column])
            if example_id in decisions:
                raise ValueError(
                    "`decisions` must name a file with each id once. "
                    f"Received: {path}, line {line} with the id "
                    f"{example_id!r} again"
                )
            label = ""
            if label_column is not None:
                label = csv_text.unescaped(row[label_column])
            decisions[example_id] = Decision(is_accepted, label or None)
    return decisions


def class_names_beside(path: str | os.PathLike) -> tuple[str, ...]:
    """Reads the names of all classes from the `noise.json` beside a table.

    Args:
        path: Path of the table.

    Returns:
        The names; none without such a file.
    """
    try:
        file = pathlib.Path(path).with_name("noise.json")
        found = json.loads(file.read_text(encoding="utf-8"))
        return tuple(found["class_names"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def relabelled(
    table: Mapping[str, np.ndarray],
    decisions: Mapping[str, Decision] | None = None,
    *,
    action: str = "replace",
    undecided: str | None = None,
    weight: float = 0.1,
    class_names: Sequence[str] = (),
) -> Relabelled:
    """Applies decisions to the labels of a table.

    An issue that is accepted meets the action; one that is rejected keeps its
    label. A decision on an example that is not flagged as an issue counts just
    the same.

    Args:
        table: Columns as `limit_tf.label_issues.table.read` returns them.
        decisions: Decisions by identifier; None if nobody looked at any.
        action: What happens to an accepted issue: `"replace"` its label by the
            chosen or else the suggested one, `"drop"` the example, or
            `"down_weight"` it, its label as it was.
        undecided: What happens to issues without a decision: `"keep"` their
            labels or `"accept"` them. By default they are accepted if
            `decisions` is None, and kept if not.
        weight: Sample weight of a down-weighted example, in `[0, 1)`.
        class_names: Names of classes beside those that the table has.

    Returns:
        The labels. Replaced are those that have become another one.

    Raises:
        ValueError: If an argument is outside its range, or a decision is on an
            example that the table does not have, or for a class that is none.
    """
    check_options(action, undecided, weight)
    if undecided is None:
        undecided = "accept" if decisions is None else "keep"
    decisions = decisions or {}
    rows = _decided_rows(table["id"], decisions)
    is_accepted = table["is_issue"] & (undecided == "accept")
    classes = _classes(table, class_names)
    decisions = _with_classes(decisions, classes)
    chosen = table["suggested_label"].copy()
    for row, decision in zip(rows, decisions.values(), strict=True):
        is_accepted[row] = decision.is_accepted
        if decision.is_accepted and decision.label is not None:
            chosen[row] = decision.label
    given = table["given_label"]
    outcome = np.full(len(given), _KEPT)
    labels, weights = given.copy(), None
    if action == "replace":
        labels[is_accepted] = chosen[is_accepted]
        outcome[labels != given] = _REPLACED
    elif action == "drop":
        labels[is_accepted] = ""
        outcome[is_accepted] = _DROPPED
    else:
        weights = np.where(is_accepted, float(weight), 1.0)
        outcome[is_accepted] = _DOWN_WEIGHTED
    names = ("kept", "replaced", "dropped", "down_weighted")
    counts = np.bincount(outcome, minlength=len(names)).tolist()
    return Relabelled(
        table["id"], labels, weights, dict(zip(names, counts, strict=True))
    )


def check_options(action: str, undecided: str | None, weight: float) -> None:
    """Checks arguments of `relabelled`, before files are read.

    Args:
        action: One of `ACTIONS`.
        undecided: One of `UNDECIDED`, or None.
        weight: In `[0, 1)`.

    Raises:
        ValueError: If one is not.
    """
    if action not in ACTIONS:
        raise ValueError(
            f"`action` must be one of {', '.join(ACTIONS)}. Received: "
            f"action={action!r}"
        )
    if undecided is not None and undecided not in UNDECIDED:
        raise ValueError(
            f"`undecided` must be one of {', '.join(UNDECIDED)}. Received: "
            f"undecided={undecided!r}"
        )
    if not 0 <= weight < 1:
        raise ValueError(
            f"`weight` must lie in [0, 1). Received: weight={weight}"
        )


def write(path: str | os.PathLike, result: Relabelled) -> None:
    """Writes labels, as `config.data.labels_file` takes them.

    Args:
        path: New file, CSV with the columns `id` and `label`, and `weight` if
            there are weights.
        result: The labels.

    Raises:
        ValueError: If there is such a file, or no such folder.
    """
    atomic_files.check_output(path)
    columns = {"id": result.ids, "label": result.labels}
    if result.weights is not None:
        columns["weight"] = np.char.mod("%g", result.weights)
    with (
        atomic_files.replacing(pathlib.Path(path)) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(
            map(csv_text.escaped, row)
            for row in zip(*columns.values(), strict=True)
        )


def summary(table: Mapping[str, np.ndarray], result: Relabelled) -> str:
    """Says what has become of the labels.

    Args:
        table: The table that they come from.
        result: The labels.

    Returns:
        A line of all; one where the true labels are known; and a line a class:
        its labels before, after, and by how many they changed.
    """
    counts = result.counts
    lines = [
        f"{len(result.ids):,} labels: {counts['kept']:,} kept, "
        f"{counts['replaced']:,} replaced, {counts['dropped']:,} dropped, "
        f"{counts['down_weighted']:,} down-weighted."
    ]
    truth = table.get("clean_label")
    if truth is not None:
        is_left = result.labels != ""
        line = f"Right: {np.mean(table['given_label'] == truth):.1%} before"
        weights = np.ones(len(truth))
        if result.weights is not None:
            weights = result.weights
        total = weights[is_left].sum()
        if total > 0:
            right = weights[is_left & (result.labels == truth)].sum()
            line += f", {right / total:.1%} after"
            if not is_left.all():
                line += " of the ones that are left"
            if result.weights is not None:
                line += ", by weight"
        lines.append(f"{line}.")
    return "\n".join([*lines, *_class_lines(table, result)])


def warn_of_shrinking(
    table: Mapping[str, np.ndarray], result: Relabelled
) -> None:
    """Warns of classes that lose more than half of their labels.

    Args:
        table: The table that they come from.
        result: The labels.
    """
    shrinking = [
        f"{name} ({_number(before)} to {_number(after)})"
        for name, before, after in _class_counts(table, result)
        if 2 * after < before
    ]
    if shrinking:
        logging.warning(
            "%d classes lose more than half of their labels: %s. Look at their "
            "issues before you train on this",
            len(shrinking),
            ", ".join(shrinking),
        )


def _class_counts(table, result):
    """Yields each class with its labels before and after.

    A label that is down-weighted counts by its weight.
    """
    weights = result.weights
    if weights is None:
        weights = np.ones(len(result.labels))
    before, after = collections.Counter(table["given_label"]), {}
    for name, weight in zip(result.labels, weights, strict=True):
        after[name] = after.get(name, 0.0) + weight
    after.pop("", None)
    for name in sorted({*before, *after}):
        yield name, before[name], round(after.get(name, 0.0), 2)


def _number(value, sign=""):
    """A count, or a sum of weights with two digits after the point."""
    digits = 0 if float(value).is_integer() else 2
    return f"{value:{sign},.{digits}f}"


def _class_lines(table, result):
    counts = list(_class_counts(table, result))
    cells = [("class", "before", "after", "change")] + [
        (name, _number(before), _number(after), _number(after - before, "+"))
        for name, before, after in counts
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in cells
    ]


def _decided_rows(ids, decisions):
    """Returns the row of each decision."""
    if not decisions:
        return []
    rows = {example_id: row for row, example_id in enumerate(ids)}
    unknown = [i for i in decisions if i not in rows]
    if unknown:
        raise ValueError(
            "`decisions` must be on examples of the issues file. Received: "
            f"{len(unknown):,} of {len(decisions):,} that are on others: "
            f"{class_labels.some(unknown)}"
        )
    return [rows[i] for i in decisions]


def _classes(table, class_names):
    """All names of classes that are known."""
    known = {*table["given_label"], *table["suggested_label"], *class_names}
    return {*known, *table.get("clean_label", ())} - {""}


def _with_classes(decisions, classes):
    """The decisions, with names of classes as the table has them."""
    checked, unknown = {}, []
    for example_id, decision in decisions.items():
        label = decision.label
        if label is not None and label not in classes:
            label = label.strip()
            if label in class_labels.MISSING:
                label = None
            elif label not in classes:
                unknown.append(decision.label)
        checked[example_id] = Decision(decision.is_accepted, label)
    if unknown:
        raise ValueError(
            "`decisions` must have labels of the "
            f"{len(classes)} classes {class_labels.some(sorted(classes))}. "
            f"Received: {len(unknown):,} that are none: "
            f"{class_labels.some(unknown)}"
        )
    return checked
