"""WebP: transparency, the first image of an animation, turned cameras."""

import tensorflow as tf

from limit_tf.data.decoding import exif
from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import pixels

_FIRST_CHUNK = 12
_FLAGS = 20  # Place of the byte in a file whose first chunk is VP8X.
_ANIMATED, _HAS_EXIF, _HAS_ALPHA = 0x02, 0x08, 0x10
_EXIF = b"Exif\0\0"


def decoded(
    content: tf.Tensor, head: tf.Tensor, num_channels: int
) -> tf.Tensor:
    """Decodes a WebP file; what is transparent shows white.

    Args:
        content: The file's content, a scalar string.
        head: Its first bytes, shape `(32,)`, int32.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    is_extended = file_bytes.matches(head, 12, b"VP8X")
    flags = tf.where(is_extended, head[_FLAGS], 0)
    content = tf.cond(
        flags & _ANIMATED > 0,
        lambda: _as_transparent(content, flags),
        lambda: content,
    )
    image = tf.io.decode_image(content, expand_animations=False)
    rgb = tf.cond(
        tf.equal(tf.shape(image)[-1], 4),
        lambda: pixels.on_white(image),
        lambda: image,
    )
    rgb = tf.ensure_shape(rgb, (None, None, 3))
    rgb = tf.cond(
        flags & _HAS_EXIF > 0,
        lambda: pixels.upright(rgb, _orientation(file_bytes.of(content))),
        lambda: rgb,
    )
    return pixels.with_channels(rgb, num_channels)


def _as_transparent(content, flags):
    """Says of an animation that it has transparency.

    TensorFlow 2.21 gives an animation room for three bytes a pixel where the
    file says that it has none, but writes four.
    """
    flags = tf.constant([bytes([i | _HAS_ALPHA]) for i in range(256)])[flags]
    return tf.strings.join(
        [
            tf.strings.substr(content, 0, _FLAGS),
            flags,
            tf.strings.substr(
                content, _FLAGS + 1, tf.strings.length(content) - _FLAGS - 1
            ),
        ]
    )


def _orientation(data):
    """Walks from chunk to chunk, up to the one that is EXIF."""
    size = tf.size(data, tf.int64)

    def next_one(position):
        length = file_bytes.number(data, position + 4, 4)
        return position + 8 + length + length % 2

    (place,) = tf.while_loop(
        lambda position: (
            (position + 8 <= size)
            & ~file_bytes.matches(data, position, b"EXIF")
        ),
        lambda position: (next_one(position),),
        (tf.constant(_FIRST_CHUNK, tf.int64),),
    )
    start = place + 8
    stop = start + file_bytes.number(data, place + 4, 4)
    # Some programs write the header that JPEG needs.
    has_header = file_bytes.matches(data, start, _EXIF)
    start += tf.where(has_header, tf.constant(len(_EXIF), tf.int64), 0)
    return exif.orientation(data[start:stop])
