"""Refusals of rows in batches of a data set, worded as those of arrays."""

import contextlib
import re

import tensorflow as tf

_OURS = re.compile(
    r"(?:assertion failed: \[|(?P<kind>ValueError|TypeError): )"
    r"(?P<text>`[\w\[\]']+` must [^\n]*)"
)
_KINDS = {"TypeError": TypeError}


def refuse_rows(
    is_wrong: tf.Tensor, rule: str, row: str, values: tf.Tensor | None = None
) -> tf.Operation:
    """Refuses a batch with a wrong row when it arrives.

    Args:
        is_wrong: Marks the wrong rows, booleans `(batch,)`.
        rule: What is wanted: "`y` must ...".
        row: Name of the rows.
        values: What to show of a row, `(batch, ...)`.

    Returns:
        An assertion.
    """

    def refused():
        first = tf.argmax(tf.cast(is_wrong, tf.int32))
        shown = [
            tf.math.count_nonzero(is_wrong),
            tf.size(is_wrong),
            first,
        ]
        text = f"{rule}. Received: {{}} invalid of {{}} in a batch, the first "
        text += f"{row}[{{}}]"
        if values is not None:
            text, shown = text + "={}", [*shown, values[first]]
        return tf.debugging.Assert(False, [tf.strings.format(text, shown)])

    return tf.cond(tf.reduce_any(is_wrong), refused, tf.no_op)


@contextlib.contextmanager
def in_one_line():
    """Raises what a stream refuses as the error that arrays would raise.

    TensorFlow words an error in a data set by many lines of its own.

    Raises:
        TypeError: If that is what a wrong batch raised.
        ValueError: If a batch of a stream was refused otherwise.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        found = _OURS.search(error.message)
        if found is None:
            raise
        text = found["text"]
        if found["kind"] is None:
            text = text.rpartition("]")[0] or text
        raise _KINDS.get(found["kind"], ValueError)(text) from error
