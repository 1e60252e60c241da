"""Checks of single values of a configuration, by type and range."""

import numbers
from collections.abc import Callable
from collections.abc import Iterable

# Takes the key and its value, and raises what is wrong with it.
Check = Callable[[str, object], None]


def whole(low: int, high: int | None = None, *, optional=False) -> Check:
    """A whole number from `low` to `high`."""
    rule = f"a whole number >= {low}"
    if high is not None:
        rule = f"a whole number in [{low}, {high}]"

    def is_right(value):
        is_whole = isinstance(value, numbers.Integral)
        return is_whole and low <= value and (high is None or value <= high)

    return _check(rule, is_right, optional)


def number(
    interval: str, low: float, high: float = float("inf"), *, optional=False
) -> Check:
    """A number in an interval, as `"[)"` for one that excludes its end."""

    def is_right(value):
        if not isinstance(value, numbers.Real) or value in (
            float("inf"),
            -float("inf"),
        ):
            return False
        return (low <= value if interval[0] == "[" else low < value) and (
            value <= high if interval[1] == "]" else value < high
        )

    if (interval, low, high) == ("()", 0, float("inf")):
        return _check("a positive number", is_right, optional)
    rule = f"a number in {interval[0]}{low:g}, {high:g}{interval[1]}"
    return _check(rule, is_right, optional)


def one_of(choices: Iterable, *, optional=False) -> Check:
    """One of a few words."""
    choices = list(choices)

    def is_right(value):
        return isinstance(value, str) and value in choices

    return _check(f"one of {choices}", is_right, optional)


def text(*, optional=False) -> Check:
    """Words."""
    return _check(
        "text", lambda value: isinstance(value, str) and value != "", optional
    )


def boolean(*, optional=False) -> Check:
    """True or False."""
    check = _check("True or False", lambda value: False, optional)

    def checked(key, value):
        if not isinstance(value, bool):
            check(key, value)

    return checked


def _check(rule, is_right, optional):
    if optional:
        rule += ", or left out"

    def check(key, value):
        if value is None and optional:
            return
        # NaN is in no interval; True is 1 to Python.
        if isinstance(value, bool) or not is_right(value):
            raise ValueError(f"`{key}` must be {rule}. Received: {value!r}")

    return check
