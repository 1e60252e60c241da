"""GIF: transparency, and frames that do not fill their canvas."""

import tensorflow as tf

from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import pixels

_HEADER_BYTES = 13
_PACKED = 10  # Place of the flags in the header.
_HAS_TABLE, _IS_TRANSPARENT = 0x80, 0x01
_EXTENSION, _GRAPHIC_CONTROL = 0x21, 0xF9


def decoded(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes the first image of a GIF file; what is transparent shows white.

    Args:
        content: The file's content, a scalar string.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    data = file_bytes.of(content)
    frame, control = _first_frame(data)
    content = tf.cond(
        (control > 0) & (_flags(data, control + 3) & _IS_TRANSPARENT > 0),
        lambda: _with_white(content, data, frame, control),
        lambda: content,
    )
    image = tf.io.decode_image(content, 3, expand_animations=False)
    rgb = _on_canvas(tf.ensure_shape(image, (None, None, 3)), data, frame)
    return pixels.with_channels(rgb, num_channels)


def _first_frame(data):
    """Returns the places of the first image and of what controls it, or 0."""
    size = tf.size(data, tf.int64)

    def is_before(position, is_inside, control):
        del control
        byte = file_bytes.number(data, position, 1)
        return (position < size) & (is_inside | (byte == _EXTENSION))

    def step(position, is_inside, control):
        """Goes over the head of an extension, or over one of its blocks."""
        byte = file_bytes.number(data, position, 1)
        label = file_bytes.number(data, position + 1, 1)
        is_control = ~is_inside & (label == _GRAPHIC_CONTROL)
        return (
            position + tf.where(is_inside, 1 + byte, 2),
            tf.where(is_inside, byte > 0, True),
            tf.where(is_control, position, control),
        )

    start = _HEADER_BYTES + _table_bytes(_flags(data, _PACKED))
    frame, _, control = tf.while_loop(
        is_before,
        step,
        (start, tf.constant(False), tf.constant(0, tf.int64)),
    )
    return frame, control


def _with_white(content, data, frame, control):
    """Makes white of the transparent colour."""
    index = file_bytes.number(data, control + 6, 1)
    has_own_table = _flags(data, frame + 9) & _HAS_TABLE > 0
    table = tf.where(has_own_table, frame + 10, _HEADER_BYTES)
    content = file_bytes.replaced(content, table + 3 * index, b"\xff\xff\xff")
    # All flags but that of transparency say what is to follow a frame.
    return file_bytes.replaced(content, control + 3, b"\0")


def _on_canvas(image, data, frame):
    """Makes white of what the first frame does not cover."""
    canvas_width, canvas_height, left, top, width, height = (
        file_bytes.number(data, place, 2)
        for place in (6, 8, frame + 1, frame + 3, frame + 5, frame + 7)
    )
    # TensorFlow gives the canvas, or the frame where that is an odd one.
    is_canvas = tf.reduce_all(
        tf.shape(image, tf.int64)[:2] == (canvas_height, canvas_width)
    )
    image = tf.cond(
        is_canvas,
        lambda: image[top : top + height, left : left + width],
        lambda: image,
    )
    shape = tf.shape(image, tf.int64)
    below = tf.maximum(canvas_height - top - shape[0], 0)
    right = tf.maximum(canvas_width - left - shape[1], 0)
    return tf.pad(
        image, [[top, below], [left, right], [0, 0]], constant_values=255
    )


def _flags(data, place):
    return file_bytes.number(data, place, 1)


def _table_bytes(flags):
    """Returns how long a table of colours is."""
    entries = tf.bitwise.left_shift(tf.constant(2, tf.int64), flags & 7)
    return tf.where(flags & _HAS_TABLE > 0, 3 * entries, 0)
