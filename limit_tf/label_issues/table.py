"""The table of label issues, as a file."""

import csv
import itertools
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from limit_tf import atomic_files
from limit_tf import csv_text
from limit_tf.label_issues.issues import LabelIssues

_NUM_ROWS = 2**13  # at a time, so that their lists take little memory
_ROW_GROUP = 2**17  # of a Parquet file
_REQUIRED = ("id", "given_label", "suggested_label", "score", "is_issue")
_TEXTS = ("id", "given_label", "suggested_label", "clean_label")
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def write_csv(path: str | os.PathLike, issues: LabelIssues) -> None:
    """Writes the issues as CSV, in their order.

    The columns are `id`, `given_label`, `suggested_label`, `score` and
    `is_issue` (`true` or `false`); `clean_label` if the true labels are known;
    and one for each of the details. Labels are names of classes. Texts that a
    spreadsheet may take for formulas have an apostrophe before them, which
    `read` undoes, see `limit_tf.csv_text`. An old file stays whole until the
    new one is.

    Args:
        path: File to write. Its folder exists.
        issues: All examples that have a score.

    Raises:
        ValueError: If a detail has the name of another column.
    """
    names = _column_names(issues)
    with (
        atomic_files.replacing(pathlib.Path(path)) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for part in _parts(issues, _NUM_ROWS):
            columns = _columns(part).values()
            writer.writerows(
                zip(*(_written(column) for column in columns), strict=True)
            )


def write_parquet(path: str | os.PathLike, issues: LabelIssues) -> None:
    """Writes the issues as Parquet, in their order.

    The columns are those of `write_csv`, with types: strings, bools, and
    numbers as they are. An old file stays whole until the new one is.

    Args:
        path: File to write. Its folder exists.
        issues: All examples that have a score.

    Raises:
        RuntimeError: If pyarrow is not installed.
        ValueError: If a detail has the name of another column.
    """
    pyarrow, parquet = _pyarrow()
    _column_names(issues)

    def table(part):
        columns = _columns(part)
        return pyarrow.table(
            {name: _array(pyarrow, values) for name, values in columns.items()}
        )

    schema = table(issues.take(slice(0, 1))).schema
    with (
        atomic_files.replacing(pathlib.Path(path)) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        for part in _parts(issues, _ROW_GROUP):
            writer.write_table(table(part).cast(schema))


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads a table that was written here, or one like it.

    Args:
        path: File that ends in `.csv`, in UTF-8, or in `.parquet`.

    Returns:
        The columns by name, in their order: `id`, `given_label`,
        `suggested_label` and, if there, `clean_label` as objects that are
        strings; `score` as float64; `is_issue` as bool. Further columns of a
        CSV file are bool or float64 if all their values are, else strings.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If pyarrow is needed and not installed.
        ValueError: If the file is no such table, and why.
    """
    path = pathlib.Path(path)
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(
            "`path` must name a file that ends in .csv or .parquet. "
            f"Received: {path}"
        )
    columns, where = readers[path.suffix.lower()](path)
    if not len(columns["id"]):
        raise ValueError(
            "`path` must name a table of at least one example. Received: "
            f"{path} with a header only"
        )
    _check_ids(columns["id"], where)
    return columns


def check_header(
    path: str | os.PathLike, names: list[str], required: tuple[str, ...]
) -> None:
    """Checks the names of a table's columns.

    Args:
        path: Path of the file, for messages.
        names: Names of its columns.
        required: Those that must be there.

    Raises:
        ValueError: If one is missing, or there twice.
    """
    missing = [name for name in required if name not in names]
    if missing:
        raise ValueError(
            "`path` must name a table with the columns "
            f"{', '.join(required)}. Received: {path} without "
            f"{', '.join(missing)}; its columns are {','.join(names)!r}"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(
            "`path` must name a table that has each column once. Received: "
            f"{path} with {twice[0]!r} again"
        )


def csv_rows(
    path: str | os.PathLike,
    required: tuple[str, ...],
) -> Iterator:
    """Reads a CSV file in parts, as long as they fit the header.

    Args:
        path: Path of the file, in UTF-8.
        required: Columns that it must have.

    Yields:
        First the names of the columns, then pairs: the numbers of the lines of
        some rows, and those rows, lists of strings. Empty lines are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not CSV, lacks a column, or has a row of
            another length.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, None)
            if header is None:
                raise ValueError(
                    "`path` must name a CSV file with a header. Received: "
                    f"{path}, which is empty"
                )
            check_header(path, header, required)
            yield header
            start = reader.line_num
            while rows := list(itertools.islice(reader, _NUM_ROWS)):
                lines = _line_numbers(rows, start, reader.line_num)
                start = reader.line_num
                _check_lengths(path, header, lines, rows)
                is_empty = [not row for row in rows]
                if any(is_empty):
                    lines = lines[~np.array(is_empty)]
                    rows = [row for row in rows if row]
                if rows:
                    yield lines, rows
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                "`path` must name a CSV file in UTF-8. Received: "
                f"{path}, line {reader.line_num + 1} ({error})"
            ) from error


def _line_numbers(rows, start, end):
    """Numbers of the lines that rows begin in, after the line `start`."""
    if end - start == len(rows):
        return np.arange(start, end) + 1
    num_lines = [1 + sum(text.count("\n") for text in row) for row in rows]
    return start + 1 + np.cumsum([0, *num_lines[:-1]])


def _check_lengths(path, header, lines, rows):
    for line, row in zip(lines, rows, strict=True):
        if len(row) not in (0, len(header)):
            raise ValueError(
                "`path` must name a CSV file with as many values in each row "
                f"as in its header, {len(header)}. Received: {path}, line "
                f"{line} with {len(row)}"
            )


def _column_names(issues):
    names = list(_REQUIRED)
    if issues.clean_labels is not None:
        names.append("clean_label")
    for name in issues.details:
        if name in names:
            raise ValueError(
                "`details` must have names that differ from those of the other "
                f"columns. Received: {name!r}"
            )
        names.append(name)
    return names


def _parts(issues, num_rows):
    """Yields the issues in parts, whose texts take little memory."""
    for start in range(0, len(issues), num_rows):
        yield issues.take(slice(start, start + num_rows))


def _columns(issues):
    """Values by column; labels as names of classes."""
    names = np.array(issues.class_names, object)
    columns = {
        "id": np.array([_text(i) for i in issues.example_ids], object),
        "given_label": names[issues.given_labels],
        "suggested_label": names[issues.suggested_labels],
        "score": issues.scores,
        "is_issue": issues.is_issue,
    }
    if issues.clean_labels is not None:
        columns["clean_label"] = names[issues.clean_labels]
    return columns | {k: np.asarray(v) for k, v in issues.details.items()}


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _written(values):
    """Values as a CSV file holds them: the shortest that reads the same."""
    if values.dtype.kind == "b":
        return np.where(values, "true", "false").tolist()
    if values.dtype.kind == "f":
        return values.astype(str).tolist()
    return [csv_text.escaped(value) for value in values.tolist()]


def _array(pyarrow, values):
    if values.dtype.kind in "OUST":
        return pyarrow.array([_text(v) for v in values], pyarrow.string())
    return pyarrow.array(values)


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise RuntimeError(
            "Parquet files need pyarrow: install it, or use a file that ends "
            "in .csv."
        ) from error
    return pyarrow, pyarrow.parquet


def _read_csv(path):
    """Returns the columns, and what names the place of a row."""
    rows = csv_rows(path, _REQUIRED)
    header = next(rows)
    parts = {name: [] for name in header}
    lines = [np.empty(0, np.int64)]
    labels = {}  # Equal labels are one string.
    for numbers, part in rows:
        lines.append(numbers)
        columns = zip(*part, strict=True)
        for name, column in zip(header, columns, strict=True):
            if name in _TEXTS:
                column = [csv_text.unescaped(text) for text in column]
            if name != "id" and name in _TEXTS:
                column = [labels.setdefault(text, text) for text in column]
            elif name == "score":
                column = _numbers(column, path, numbers, name)
            elif name == "is_issue":
                column = _bools(column, path, numbers, name)
            parts[name].append(_as_array(column))
    lines = np.concatenate(lines)
    columns = {}
    for name in header:
        column = np.concatenate([np.empty(0, object), *parts.pop(name)])
        if name == "score":
            column = column.astype(np.float64)
        elif name == "is_issue":
            column = column.astype(bool)
        elif name not in _TEXTS:
            column = _guessed(column)
        columns[name] = column
    return columns, lambda row: f"{path}, line {lines[row]}"


def _as_array(column):
    if isinstance(column, np.ndarray):
        return column
    array = np.empty(len(column), object)
    array[:] = column
    return array


def _numbers(texts, path, lines, name):
    values = np.array([_number(text) for text in texts])
    _check_finite(values, lambda row: f"{path}, line {lines[row]}", texts, name)
    return values


def _number(text):
    try:
        return float(text)
    except ValueError:
        return np.nan


def _check_finite(values, where, shown, name):
    is_finite = np.isfinite(values)
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        raise ValueError(
            f"`path` must name a table whose column {name} holds finite "
            f"numbers. Received: {where(row)} with {shown[row]!r}"
        )


def _bools(texts, path, lines, name):
    values = [_BOOLS.get(text.strip().lower()) for text in texts]
    if None in values:
        row = values.index(None)
        raise ValueError(
            f"`path` must name a table whose column {name} holds true or "
            f"false. Received: {path}, line {lines[row]} with {texts[row]!r}"
        )
    return np.array(values, bool)


def _guessed(column):
    """Bools or numbers if all texts are such, else the texts."""
    bools = [{"true": True, "false": False}.get(text) for text in column]
    if None not in bools:
        return np.array(bools, bool)
    try:
        return column.astype(np.float64)
    except ValueError:
        return column


def _read_parquet(path):
    """Returns the columns, and what names the place of a row."""
    pyarrow, parquet = _pyarrow()
    try:
        with open(path, "rb") as file:
            table = parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise ValueError(
            "`path` must name a Parquet file. Received: "
            f"{path} ({' '.join(str(error).split())})"
        ) from error
    check_header(path, table.column_names, _REQUIRED)

    def where(row):
        return f"{path}, row {row + 1}"

    columns = {}
    for name in table.column_names:
        column = table.column(name)
        _check_no_nulls(column, where, name)
        values = column.to_numpy()
        if name == "score":
            values = _floats(column, path, where, name)
        elif name == "is_issue" and values.dtype.kind != "b":
            raise ValueError(
                "`path` must name a table whose column is_issue holds true or "
                f"false. Received: {path} with values of type {column.type}"
            )
        elif name in _TEXTS:
            values = _as_array([_text(value) for value in values.tolist()])
        columns[name] = values
    return columns, where


def _check_no_nulls(column, where, name):
    if name in _REQUIRED and column.null_count:
        row = column.is_null().to_numpy().argmax()
        raise ValueError(
            f"`path` must name a table whose column {name} has no null. "
            f"Received: {where(int(row))} with one"
        )


def _floats(column, path, where, name):
    values = column.to_numpy()
    if values.dtype.kind not in "fiu":
        raise ValueError(
            f"`path` must name a table whose column {name} holds finite "
            f"numbers. Received: {path} with values of type {column.type}"
        )
    values = values.astype(np.float64)
    _check_finite(values, where, values.tolist(), name)
    return values


def _check_ids(ids, where):
    if len(set(ids.tolist())) == len(ids):
        return
    seen = set()
    for row, example_id in enumerate(ids):
        if example_id in seen:
            raise ValueError(
                "`path` must name a table with each id once. Received: "
                f"{where(row)} with the id {example_id!r} again"
            )
        seen.add(example_id)
