"""Checks of arguments that are numbers between 0 and 1."""

import numbers


def check_probability(
    value: float, name: str, *, with_ends: bool = False
) -> float:
    """Checks a number between 0 and 1.

    Args:
        value: The argument.
        name: Its name, for error messages.
        with_ends: Whether 0 and 1 are allowed.

    Returns:
        The argument as a `float`.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If it is out of range.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(
            f"`{name}` must be a number. Received: {name}={value!r}"
        )
    if not (0.0 <= value <= 1.0 if with_ends else 0.0 < value < 1.0):
        rule = "[0, 1]" if with_ends else "(0, 1)"
        raise ValueError(
            f"`{name}` must lie in {rule}. Received: {name}={value}"
        )
    return float(value)
