"""Errors that name an argument as the user of a command gave it."""

import contextlib
import re
from collections.abc import Iterator
from collections.abc import Mapping

# `name`, or name=value that is not the end of a longer name or of a path.
_NAMED = re.compile(r"`(\w+)`|(?<![\w./-])(\w+)(?==)")


def translated(text: str, names: Mapping[str, str]) -> str:
    """Renames the arguments that a message speaks of.

    Args:
        text: Message with `` `argument` `` and `argument=value`.
        names: What the user gave an argument by; others stay as they are.

    Returns:
        The message with the user's names.
    """

    def renamed(match):
        quoted, assigned = match.groups()
        if quoted is not None:
            return f"`{names.get(quoted, quoted)}`"
        return names.get(assigned, assigned)

    return _NAMED.sub(renamed, text)


@contextlib.contextmanager
def given_as(names: Mapping[str, str]) -> Iterator[None]:
    """Lets the errors of the body name arguments as the user gave them.

    Args:
        names: As in `translated`.

    Yields:
        Nothing.
    """
    try:
        yield
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        # Others, as OSErrors of the system, do not speak of arguments.
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (translated(error.args[0], names),)
        raise
