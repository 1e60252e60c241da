"""Inputs that carry the ids of their examples, or are ids alone."""

import numpy as np
import tensorflow as tf

from limit_tf.models import row_assertions

INPUTS = "inputs"
EXAMPLE_IDS = "example_ids"


def split(x):
    """Separates inputs from example ids.

    Args:
        x: `{"inputs": ..., "example_ids": ...}`, or inputs alone.

    Returns:
        The inputs, and the ids or None.
    """
    if isinstance(x, dict) and set(x) == {INPUTS, EXAMPLE_IDS}:
        return x[INPUTS], x[EXAMPLE_IDS]
    return x, None


def ids_alone(x):
    """Returns the ids if x is `{"example_ids": ids}`, else None.

    The inputs are then those that the model holds.
    """
    if isinstance(x, dict) and set(x) == {EXAMPLE_IDS}:
        return x[EXAMPLE_IDS]
    return None


def require(example_ids) -> None:
    """Refuses training inputs without ids.

    Args:
        example_ids: Ids, or None.

    Raises:
        ValueError: If they are missing.
    """
    if example_ids is None:
        raise ValueError(
            '`x` must be {"inputs": ..., "example_ids": ...} in training: '
            "targets are kept for every example by its id. Received: inputs "
            "without ids"
        )


def check_ids(ids, num_rows: int, rows: str) -> None:
    """Refuses ids that no row belongs to.

    Args:
        ids: Array of ids, or None.
        num_rows: Number of rows.
        rows: What the rows are, for the error message.

    Raises:
        ValueError: If an id is no integer or outside `[0, num_rows)`.
    """
    if ids is None:
        return
    ids = np.asarray(ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            "`example_ids` must be integers of shape (batch,). Received: "
            f"dtype {ids.dtype}, shape {ids.shape}"
        )
    outside = np.flatnonzero((ids < 0) | (ids >= num_rows))
    if outside.size:
        first = int(outside[0])
        raise ValueError(
            f"`example_ids` must lie in [0, {num_rows}), {rows}. Received: "
            f"{outside.size} outside of {ids.size}, the first "
            f"example_ids[{first}]={int(ids[first])}"
        )


def id_assertions(ids, num_rows: int, rows: str) -> list:
    """Assertions on the ids of a data set, as `check_ids`."""
    if ids is None:
        return []
    if ids.shape.rank != 1 or not ids.dtype.is_integer:
        raise ValueError(
            "`example_ids` must be integers of shape (batch,). Received: "
            f"dtype {ids.dtype.name}, shape {tuple(ids.shape)}"
        )
    wide = tf.cast(ids, tf.int64)
    return [
        row_assertions.refuse_rows(
            (wide < 0) | (wide >= num_rows),
            f"`example_ids` must lie in [0, {num_rows}), {rows}",
            "example_ids",
            ids,
        )
    ]
