"""What cleanlab found, as label issues of this package.

Neither cleanlab nor pandas is imported: a table is whatever has `columns`, or
a CSV file.
"""

import csv
import os
from collections.abc import Sequence

import numpy as np

from limit_tf.label_issues.issues import LabelIssues
from limit_tf.noise.labels import check_labels

_IS_ISSUE = "is_label_issue"
_QUALITIES = ("label_quality", "label_score")
_GIVEN, _PREDICTED = "given_label", "predicted_label"
_INDEX_NAMES = ("", "Unnamed: 0", "index")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
_RULE = "cleanlab's choice"
_TOLERANCE = 1e-6


def from_cleanlab(
    issues,
    given_labels: np.ndarray | Sequence,
    class_names: Sequence[str],
    *,
    example_ids: np.ndarray | Sequence | None = None,
    pred_probs: np.ndarray | None = None,
    clean_labels: np.ndarray | Sequence | None = None,
) -> LabelIssues:
    """Turns what cleanlab returns into `LabelIssues`.

    A score is one less cleanlab's quality of the label. Rows of a table may
    be missing or in another order where its index holds the positions of the
    examples, as it does unless it was reset; labels in it may be class indices
    or class names, whichever agree with `given_labels`.

    Args:
        issues: The table of `CleanLearning.find_label_issues` or of
            `Datalab.get_issues("label")`, or the path of a CSV file of it; or
            what `cleanlab.filter.find_label_issues` returns: `(n,)` booleans,
            or positions of the examples that it found. Those need
            `pred_probs`.
        given_labels: Labels as they were given, `(n,)`: class indices, or
            class names.
        class_names: The `K` names of the classes, in the order of their
            indices.
        example_ids: Identifiers, `(n,)`, integers or strings; by default the
            positions from 0 to `n - 1`.
        pred_probs: Probabilities of the classes, `(n, K)`, by a model that was
            not trained on the label in question. The largest suggests the
            label where a table does not.
        clean_labels: The true labels, `(n,)`, class indices or class names;
            None where nobody knows.

    Returns:
        One row for each example, or for each row of the table.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument breaks a rule, and which.

    References:
        - [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068)

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
        >>> found = from_cleanlab(
        ...     np.array([1]), [0, 1, 1], ["cat", "dog"], pred_probs=probs
        ... )
        >>> found.positions.tolist(), found.suggested_labels.tolist()
        ([1, 2, 0], [0, 1, 0])
    """
    class_names = tuple(str(name) for name in class_names)
    given = _class_indices(given_labels, class_names, "given_labels")
    if clean_labels is not None:
        clean_labels = _class_indices(clean_labels, class_names, "clean_labels")
        _check_length(clean_labels, len(given), "clean_labels")
    ids = np.arange(len(given))
    if example_ids is not None:
        ids = np.asarray(example_ids)
        _check_length(ids, len(given), "example_ids")
    if pred_probs is not None:
        pred_probs = _checked_probs(pred_probs, len(given), len(class_names))
    if isinstance(issues, (str, os.PathLike)):
        issues = _read_csv(issues)
    if isinstance(issues, dict) or hasattr(issues, "columns"):
        columns = _table_columns(issues, given, class_names, pred_probs)
    else:
        columns = _array_columns(issues, given, pred_probs)
    positions, suggested, scores, is_issue = columns
    order = np.lexsort((positions, ~is_issue, -scores))
    positions = positions[order]
    return LabelIssues(
        class_names=class_names,
        positions=positions,
        example_ids=ids[positions],
        given_labels=given[positions],
        suggested_labels=suggested[order],
        scores=scores[order],
        is_issue=is_issue[order],
        rule=_RULE,
        clean_labels=None if clean_labels is None else clean_labels[positions],
    )


def _array_columns(issues, given, pred_probs):
    """Columns of a mask, or of positions of issues."""
    found = np.asarray(issues)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "biu"):
        raise TypeError(
            "`issues` must be a table, the path of a CSV file, or an array "
            "(n,) of booleans or positions. Received: "
            f"{type(issues).__name__} of shape {found.shape}, {found.dtype}"
        )
    if pred_probs is None:
        raise ValueError(
            "`pred_probs` must be given where `issues` is no table. "
            "Received: pred_probs=None"
        )
    if found.dtype == bool:
        _check_length(found, len(given), "issues")
        is_issue = found
    else:
        found = _checked_positions(found.astype(np.int64), len(given))
        is_issue = np.zeros(len(given), bool)
        is_issue[found] = True
    positions = np.arange(len(given))
    scores = _scores(pred_probs[positions, given])
    return positions, pred_probs.argmax(axis=1), scores, is_issue


def _table_columns(table, given, class_names, pred_probs):
    """Columns of a table."""
    names = list(table if isinstance(table, dict) else table.columns)
    quality = next((name for name in _QUALITIES if name in names), None)
    if quality is None or _IS_ISSUE not in names:
        raise ValueError(
            f"`issues` must have a column {_IS_ISSUE!r} and one of "
            f"{_QUALITIES}. Received: columns {names}"
        )
    scores = _scores(np.asarray(table[quality], float))
    positions = _positions(table, len(scores), len(given))
    read = _label_reader(table, names, given[positions], class_names)
    if _PREDICTED in names:
        suggested = read(table[_PREDICTED])
    elif pred_probs is not None:
        suggested = pred_probs[positions].argmax(axis=1)
    else:
        raise ValueError(
            f"`pred_probs` must be given where `issues` has no column "
            f"{_PREDICTED!r}. Received: pred_probs=None"
        )
    return positions, suggested, scores, np.asarray(table[_IS_ISSUE], bool)


def _label_reader(table, names, given, class_names):
    """The reading of labels under which the table has those that were given."""

    def indices(column):
        return _class_indices(column, class_names, "issues")

    def indices_of_names(column):
        words = np.asarray([str(value) for value in column])
        return _class_indices(words, class_names, "issues")

    if _GIVEN not in names:
        return indices
    refusal = None
    for read in (indices, indices_of_names):
        try:
            labels = read(table[_GIVEN])
        except (TypeError, ValueError) as error:
            refusal = refusal or error
            continue
        different = np.flatnonzero(labels != given)
        if not different.size:
            return read
        first = int(different[0])
        refusal = ValueError(
            "`issues` must be about `given_labels`, row by row. Received: "
            f"{different.size} of {len(given)} rows with another label, the "
            f"first is row {first} with {class_names[labels[first]]!r} in the "
            f"place of {class_names[given[first]]!r}"
        )
    raise refusal


def _positions(table, num_rows, num_examples):
    """Places of the rows' examples, from the table's index if it tells."""
    index = np.asarray(getattr(table, "index", ()))
    if isinstance(table, dict):
        columns = [table[name] for name in _INDEX_NAMES if name in table]
        index = _numbers(columns[0]) if columns else index
    if index.dtype.kind in "iu" and len(index) == num_rows:
        return _checked_positions(index.astype(np.int64), num_examples)
    if num_rows != num_examples:
        raise ValueError(
            "`issues` must have a row for each of the "
            f"{num_examples} `given_labels`, or an index of their positions. "
            f"Received: {num_rows} rows"
        )
    return np.arange(num_examples)


def _checked_positions(positions, num_examples):
    is_outside = (positions < 0) | (positions >= num_examples)
    num_repeated = len(positions) - len(np.unique(positions))
    if is_outside.any() or num_repeated:
        raise ValueError(
            "`issues` must hold distinct positions in "
            f"[0, {num_examples - 1}]. Received: {is_outside.sum()} outside, "
            f"{num_repeated} repeated"
        )
    return positions


def _scores(qualities):
    """How suspicious labels of these qualities are."""
    is_inside = (qualities >= -_TOLERANCE) & (qualities <= 1.0 + _TOLERANCE)
    if not is_inside.all():
        first = int(np.argmin(is_inside))
        raise ValueError(
            "`issues` must have qualities of labels in [0, 1]. "
            f"Received: {qualities[first]} in row {first}"
        )
    return np.clip(1.0 - qualities, 0.0, 1.0).astype(np.float32)


def _class_indices(labels, class_names, argument):
    """Class indices of labels that are indices or names."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "OUST":
        return check_labels(labels, len(class_names), argument)
    if labels.ndim != 1:
        raise ValueError(
            f"`{argument}` must have shape (n,). Received: shape={labels.shape}"
        )
    places = {name: index for index, name in enumerate(class_names)}
    unknown = [name for name in labels if str(name) not in places]
    if not unknown:
        return np.asarray([places[str(name)] for name in labels], np.int64)
    numbers = _numbers(labels)
    if numbers.dtype.kind == "i":
        return check_labels(numbers, len(class_names), argument)
    raise ValueError(
        f"`{argument}` must hold class indices, or names in `class_names`. "
        f"Received: {str(unknown[0])!r}, not in {class_names}"
    )


def _numbers(words):
    """Words as int64, or as they are if they are no whole numbers."""
    words = np.asarray(words)
    try:
        return np.asarray([int(word) for word in words], np.int64)
    except ValueError:
        return words


def _checked_probs(pred_probs, num_examples, num_classes):
    probs = np.asarray(pred_probs)
    if (
        probs.shape != (num_examples, num_classes)
        or probs.dtype.kind != "f"
        or not np.all((probs >= 0.0) & (probs <= 1.0 + _TOLERANCE))
    ):
        raise ValueError(
            "`pred_probs` must be probabilities of shape "
            f"({num_examples}, {num_classes}), floats in [0, 1]. Received: "
            f"shape={probs.shape}, dtype={probs.dtype}, "
            f"min={probs.min(initial=np.inf)}, "
            f"max={probs.max(initial=-np.inf)}"
        )
    return probs


def _check_length(array, num_examples, argument):
    if array.shape != (num_examples,):
        raise ValueError(
            f"`{argument}` must have shape ({num_examples},), as "
            f"`given_labels`. Received: shape={array.shape}"
        )


def _read_csv(path):
    """Columns of a table that was written by `to_csv`."""
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"`issues` must be a table or a CSV file of one. Received: {path}"
        )
    with open(path, newline="", encoding="utf-8-sig") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if any(len(row) != len(header) for row in rows):
        raise ValueError(
            "`issues` must be a CSV file whose rows are as long as its header, "
            f"{len(header)} cells. Received: {path}"
        )
    table = {
        name: np.asarray([row[place] for row in rows], str)
        for place, name in enumerate(header)
    }
    for name in [name for name in _QUALITIES if name in table]:
        table[name] = _converted(table[name], float, name, path)
    if _IS_ISSUE in table:
        table[_IS_ISSUE] = _converted(
            table[_IS_ISSUE],
            lambda word: _FLAGS[word.lower()],
            _IS_ISSUE,
            path,
        )
    return table


def _converted(words, kind, name, path):
    try:
        return np.asarray([kind(str(word)) for word in words])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"`issues` must have numbers in the column {name!r}, or True and "
            f"False. Received: {error} in {path}"
        ) from error
