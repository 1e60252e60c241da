"""Numbers and texts inside the bytes of a file."""

import tensorflow as tf


def of(content: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of a string.

    Args:
        content: A scalar string.

    Returns:
        Shape `(n,)`, uint8.
    """
    return tf.io.decode_raw(content, tf.uint8)


def number(
    data: tf.Tensor,
    start: tf.Tensor | int,
    size: int,
    big_endian: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Returns an unsigned number; bytes behind the end count as 0.

    Args:
        data: Bytes, shape `(n,)`, uint8, at least one.
        start: Position of its first byte.
        size: Number of its bytes.
        big_endian: Whether its first byte is the highest.

    Returns:
        The number, a scalar, int64.
    """
    digits = taken(data, start, size)
    weights = tf.constant([256**i for i in range(size)], tf.int64)
    weights = tf.where(big_endian, weights[::-1], weights)
    return tf.reduce_sum(digits * weights)


def matches(data: tf.Tensor, start: tf.Tensor | int, text: bytes) -> tf.Tensor:
    """Tells whether a text stands at a position.

    Args:
        data: Bytes, shape `(n,)`, uint8, at least one.
        start: The position.
        text: The text.

    Returns:
        Whether it does, a scalar, bool.
    """
    wanted = tf.constant(list(text), tf.int64)
    return tf.reduce_all(taken(data, start, len(text)) == wanted)


def taken(data: tf.Tensor, start: tf.Tensor | int, size: int) -> tf.Tensor:
    """Returns some bytes as numbers; those behind the end are 0.

    Args:
        data: Bytes, shape `(n,)`, uint8, at least one.
        start: Position of the first one.
        size: How many.

    Returns:
        Shape `(size,)`, int64.
    """
    places = tf.cast(start, tf.int64) + tf.range(size, dtype=tf.int64)
    length = tf.size(data, tf.int64)
    values = tf.gather(data, tf.clip_by_value(places, 0, length - 1))
    return tf.where(places < length, tf.cast(values, tf.int64), 0)


def replaced(content: tf.Tensor, start: tf.Tensor, text: bytes) -> tf.Tensor:
    """Writes a text over a part of a string.

    Args:
        content: A scalar string.
        start: Position of the part.
        text: What is to stand there.

    Returns:
        A scalar string, as long as before.
    """
    start = tf.cast(start, tf.int32)
    stop = start + len(text)
    rest = tf.strings.length(content) - stop
    return tf.strings.join(
        [
            tf.strings.substr(content, 0, start),
            text,
            tf.strings.substr(content, stop, rest),
        ]
    )


def zero_if(condition: tf.Tensor, message: str) -> tf.Tensor:
    """Returns 0, or fails with a message.

    An assertion would do as well, but has a state, and `tf.data` calls what
    has one for one element after the other where it is to be deterministic.
    What converts a text has none, and shows a text that is no number.

    Args:
        condition: What must be true, a scalar, bool.
        message: What is wrong otherwise.

    Returns:
        A scalar, int64; what is needed behind the check has to add it.
    """
    return tf.strings.to_number(tf.where(condition, "0", message), tf.int64)
