"""How a camera was held, as EXIF says."""

import tensorflow as tf

from limit_tf.data.decoding import file_bytes

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRY_BYTES = 12
# Far more than any camera writes; what a broken file claims is not believed.
_MOST_ENTRIES = 1024


def orientation(exif: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of an image.

    Args:
        exif: An EXIF block from its byte order, `II` or `MM`, on, shape
            `(n,)`, uint8.

    Returns:
        1 to 8 as EXIF counts them; 1 where the block says nothing. A scalar,
        int64.
    """
    data = tf.concat([exif, [0]], 0)  # Never empty.
    is_big = file_bytes.matches(data, 0, b"MM\0*")
    is_exif = is_big | file_bytes.matches(data, 0, b"II*\0")
    start = file_bytes.number(data, 4, 4, is_big)
    count = file_bytes.number(data, start, 2, is_big)
    count = tf.minimum(count, _MOST_ENTRIES)
    room = (tf.size(data, tf.int64) - 1 - start - 2) // _ENTRY_BYTES
    count = tf.where(is_exif, tf.maximum(tf.minimum(count, room), 0), 0)
    begin = tf.where(count > 0, start + 2, 0)
    entries = tf.reshape(
        data[begin : begin + count * _ENTRY_BYTES], (-1, _ENTRY_BYTES)
    )
    entries = tf.cast(entries, tf.int64)
    is_found = (_pair(entries, 0, is_big) == _ORIENTATION) & (
        _pair(entries, 2, is_big) == _SHORT
    )
    found = tf.boolean_mask(_pair(entries, 8, is_big), is_found)
    value = tf.concat([found, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _pair(entries, column, is_big):
    """Returns two bytes of every entry as a number."""
    first, second = entries[:, column], entries[:, column + 1]
    return tf.where(is_big, 256 * first + second, first + 256 * second)
