"""Checks of integer arguments."""

import numbers


def is_integer(value: object) -> bool:
    """Says whether a value is an integer; a bool is not one."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_integer(
    value: int, name: str, *, low: int, high: int | None = None
) -> int:
    """Checks an integer argument.

    Args:
        value: The argument.
        name: Its name, for error messages.
        low: The smallest value allowed.
        high: The largest value allowed, if there is one.

    Returns:
        The argument as an `int`.

    Raises:
        TypeError: If the value is not an integer.
        ValueError: If it is out of range.
    """
    if not is_integer(value):
        raise TypeError(
            f"`{name}` must be an integer. Received: {name}={value!r}"
        )
    if value < low or (high is not None and value > high):
        rule = (
            f"be at least {low}" if high is None else f"lie in [{low}, {high}]"
        )
        raise ValueError(f"`{name}` must {rule}. Received: {name}={value}")
    return int(value)
