"""Labels as people write them: names, numbers, and places left empty."""

import math
import re
from collections.abc import Sequence

import numpy as np
from absl import logging

from limit_tf.noise.arguments import check_integer

# What programs write where there is no value.
MISSING = ("", "nan", "NaN", "NAN", "None", "NULL", "null", "NA", "N/A", "<NA>")
_WHOLE = re.compile(r"-?[0-9]+(\.0*)?")
_PLAIN = re.compile("0|[1-9][0-9]*")
_MOST_SHOWN = 3


def as_texts(values: Sequence) -> np.ndarray:
    """Writes labels as texts, the same one for the same label.

    Args:
        values: Labels, shape `(n,)`: strings, numbers, or both.

    Returns:
        Texts without blanks around them, `(n,)`, objects; "" where a label is
        missing. If all are whole numbers, `1.0` and `1` are one.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        different, inverse = np.unique(values, return_inverse=True)
        return as_texts(different.astype(object))[inverse]
    texts = np.empty(len(values), object)
    texts[:] = [_text(value) for value in values]
    if all(_WHOLE.fullmatch(text) for text in set(texts) - {""}):
        texts[:] = [text.partition(".")[0] for text in texts]
    return texts


def numbered(
    texts: np.ndarray,
    *,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Numbers the classes of labels.

    Labels are names of classes, also if they are numbers; but if they are
    exactly 0 to K-1, or `num_classes` is given, they are positions.

    Args:
        texts: Labels as `as_texts` returns them, `(n,)`.
        num_classes: If given, the number `K` of classes.
        class_names: If given, the names: labels must be some of them, or
            else positions.

    Returns:
        The `K` names, in the order of numbers if all are such, and the labels,
        `(n,)`, int64; -1 where one is missing.

    Raises:
        TypeError: If `num_classes` is not an integer.
        ValueError: If a label is none of the classes, or all are missing.
    """
    found = sorted(set(texts) - {""}, key=_by_number)
    if not found:
        raise ValueError(
            "`labels` must name at least one class. Received: "
            f"{len(texts)} labels, all of them missing"
        )
    if class_names is not None:
        names = tuple(class_names)
        positions = places(names)
    elif num_classes is not None:
        check_integer(num_classes, "num_classes", low=2)
        names = tuple(str(i) for i in range(num_classes))
        positions = places(names)
    else:
        names = tuple(found)
        positions = places(names)
        if _are_numbers(names) and not are_positions(names):
            logging.info(
                "Labels are the names of %d classes, %s; num_classes would "
                "make them positions",
                len(names),
                some(names),
            )
    unknown = [name for name in found if name not in positions]
    if unknown:
        raise ValueError(
            f"`labels` must be some of the {len(names)} classes "
            f"{some(names)}, or their positions. Received: {some(unknown)}"
        )
    positions[""] = -1
    return names, np.array([positions[text] for text in texts], np.int64)


def places(class_names: Sequence[str]) -> dict[str, int]:
    """Returns the place of each class by all that may stand for it.

    Args:
        class_names: The `K` names.

    Returns:
        Places by name; by number, too, unless a name is a number itself.
    """
    by_name = {name: i for i, name in enumerate(class_names)}
    if any(_WHOLE.fullmatch(name) for name in class_names):
        return by_name
    return {str(i): i for i in range(len(class_names))} | by_name


def are_positions(names: Sequence[str]) -> bool:
    """Whether names are exactly the numbers from 0 to K-1."""
    return set(names) == {str(i) for i in range(len(names))}


def place(text: str | None, positions: dict[str, int]) -> int | None:
    """Finds the class that a text stands for.

    Args:
        text: The text, or None.
        positions: What `places` returned.

    Returns:
        Its place; -1 for a missing label, None for no class.
    """
    if text is None:
        return None
    for form in (text, text.strip()):
        if form in positions:
            return positions[form]
    if text.strip() in MISSING:
        return -1
    if _WHOLE.fullmatch(text.strip()):
        return positions.get(text.strip().partition(".")[0])
    return None


def left_out(
    values: Sequence, ids: Sequence, is_labelled: np.ndarray, where: object
) -> list[str]:
    """Says in one line which examples have no label.

    Args:
        values: Labels as they were written, `(n,)`.
        ids: Identifiers of the examples, `(n,)`.
        is_labelled: Whether a label is there, `(n,)`, bool.
        where: What the examples are in, for the message.

    Returns:
        Identifiers of the examples without one, as texts.
    """
    missing = np.flatnonzero(~is_labelled)
    if not len(missing):
        return []
    written = sorted({repr(str(values[i])) for i in missing})
    logging.warning(
        "%s: %d of %d examples have no label (%s) and are left out, the first "
        "%s",
        where,
        len(missing),
        len(is_labelled),
        ", ".join(written),
        ids[missing[0]],
    )
    return [str(ids[i]) for i in missing]


def some(names: Sequence[str]) -> str:
    """Shows the first few names, and how many more there are."""
    shown = ", ".join(repr(str(name)) for name in names[:_MOST_SHOWN])
    more = len(names) - _MOST_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _text(value):
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = str(value).strip()
    return "" if text in MISSING else text


def _are_numbers(names):
    return all(_PLAIN.fullmatch(name) for name in names)


def _by_number(name):
    """Numbers first, in their order, then names."""
    number = float(name) if _WHOLE.fullmatch(name) else math.inf
    return number, name
