"""Rows of arrays that a model cannot be given."""

import numpy as np


def as_array(values) -> np.ndarray:
    """Returns values of any library, lists included, as an array.

    Args:
        values: Array, tensor, pandas object or list.

    Returns:
        A NumPy array; the same memory where that is possible.
    """
    if hasattr(values, "detach"):  # torch
        values = values.detach().cpu()
    return np.asarray(values)


def is_floating(dtype: np.dtype) -> bool:
    """Whether a type is one of floats, bfloat16 included."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def refuse_rows(
    is_wrong: np.ndarray, rule: str, row: str, values: np.ndarray | None = None
) -> None:
    """Refuses arrays with a wrong row, naming how many and the first.

    Args:
        is_wrong: Marks the wrong rows, booleans `(n,)`.
        rule: What is wanted: "`y` must ...".
        row: Name of the rows.
        values: What to show of a row, `(n, ...)`.

    Raises:
        ValueError: If a row is marked.
    """
    wrong = np.flatnonzero(is_wrong)
    if not wrong.size:
        return
    first = int(wrong[0])
    shown = "" if values is None else f"={values[first].tolist()!r}"
    raise ValueError(
        f"{rule}. Received: {wrong.size} invalid of {len(is_wrong)}, the first "
        f"{row}[{first}]{shown}"
    )
