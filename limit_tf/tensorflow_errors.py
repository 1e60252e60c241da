"""What was wrong, of what TensorFlow says of it."""

import re

# Where TensorFlow was when it raised an error, around what the error was; and
# what stands before a message of `data.decoding`.
_PLACES = re.compile(
    r"\{\{.*?\}\}|\[Op:.*|^Graph execution error:"
    r"|StringToNumberOp could not correctly convert string: "
)
_STACK = ("Detected at node", "File ", "<", "[[")


def reason(error: Exception) -> str:
    """Returns the first line that says something, without stacks.

    Args:
        error: An error that TensorFlow raised.

    Returns:
        The line, or the name of the error's type if there is none.
    """
    text = getattr(error, "message", str(error))
    lines = (_PLACES.sub("", line).strip() for line in text.splitlines())
    lines = [line for line in lines if line and not line.startswith(_STACK)]
    return lines[0] if lines else type(error).__name__
