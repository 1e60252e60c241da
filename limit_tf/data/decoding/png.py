"""PNG: transparency, 16 bits, and turned cameras."""

import tensorflow as tf

from limit_tf.data.decoding import exif
from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import pixels

_FIRST_CHUNK = 8
# Bytes of a chunk beside its content: length, name, checksum.
_FRAME = 12
_CHUNKS = (b"tRNS", b"sBIT", b"eXIf")
# Looked for before the chunks are: most files have none of these.
_HAS_CHUNKS = r"(?s)\C*(?:tRNS|eXIf)\C*"
# Depths that 16 bits are known to hold.
_DEPTHS = (8, 10, 12, 14, 16)
_DEPTH, _COLOUR_TYPE = 24, 25  # Places in the file's head.
_WITH_ALPHA = 4  # Bit of the colour type.


def decoded(
    content: tf.Tensor, head: tf.Tensor, num_channels: int
) -> tf.Tensor:
    """Decodes a PNG file; what is transparent shows white.

    Samples of 16 bits are divided by the largest number of their true depth:
    that is the smallest of 8, 10, 12, 14 and 16 bits which holds all samples
    of the file, and no less than the chunk sBIT says.

    Args:
        content: The file's content, a scalar string.
        head: Its first bytes, shape `(32,)`, int32.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    data = file_bytes.of(content)
    transparency, bits, camera = tf.unstack(_chunks(data))
    has_alpha = (head[_COLOUR_TYPE] & _WITH_ALPHA != 0) | (transparency > 0)
    image = tf.cond(
        tf.equal(head[_DEPTH], 16),
        lambda: _deep(content, has_alpha, _significant_bits(data, bits)),
        lambda: tf.cond(
            has_alpha,
            lambda: pixels.on_white(tf.io.decode_png(content, 4)),
            lambda: tf.io.decode_png(content, 3),
        ),
    )
    image = tf.cond(
        camera > 0,
        lambda: pixels.upright(image, _orientation(data, camera)),
        lambda: image,
    )
    return pixels.with_channels(image, num_channels)


def is_plain(content: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Tells whether TensorFlow decodes a file well.

    Args:
        content: The file's content, a scalar string.
        head: Its first bytes, shape `(32,)`, int32.

    Returns:
        A scalar, bool.
    """
    return (
        (head[_DEPTH] != 16)
        & (head[_COLOUR_TYPE] & _WITH_ALPHA == 0)
        & ~tf.strings.regex_full_match(content, _HAS_CHUNKS)
    )


def _chunks(data):
    """Returns the places of chunks, 0 of those that are not there."""
    names = tf.constant(
        [int.from_bytes(name, "big") for name in _CHUNKS], tf.int64
    )
    size = tf.size(data, tf.int64)

    def look_at(position, places):
        length = file_bytes.number(data, position, 4, big_endian=True)
        name = file_bytes.number(data, position + 4, 4, big_endian=True)
        places = tf.where((names == name) & (places == 0), position, places)
        return position + _FRAME + length, places

    _, places = tf.while_loop(
        lambda position, _: position + _FRAME <= size,
        look_at,
        (
            tf.constant(_FIRST_CHUNK, tf.int64),
            tf.zeros(len(_CHUNKS), tf.int64),
        ),
    )
    return places


def _significant_bits(data, place):
    """Returns the largest number of the chunk sBIT, or 0."""
    length = file_bytes.number(data, place, 4, big_endian=True)
    bits = file_bytes.taken(data, place + 8, 4)
    is_given = (tf.range(4, dtype=tf.int64) < length) & (place > 0)
    return tf.reduce_max(tf.where(is_given, bits, 0))


def _deep(content, has_alpha, significant_bits):
    """Decodes samples of 16 bits."""
    image = tf.cond(
        has_alpha,
        lambda: tf.io.decode_png(content, 4, tf.uint16),
        lambda: _opaque(tf.io.decode_png(content, 3, tf.uint16)),
    )
    numbers = tf.cast(image, tf.int32)
    shown = tf.where(numbers[..., 3:] > 0, numbers[..., :3], 0)
    white = tf.constant([2**depth - 1 for depth in _DEPTHS])
    depths = tf.constant(_DEPTHS, tf.int64)
    fits = (tf.reduce_max(shown) <= white) & (significant_bits <= depths)
    return pixels.on_white(image, white[tf.argmax(fits)])


def _opaque(image):
    opacity = tf.fill(tf.shape(image[..., :1]), tf.constant(65535, tf.uint16))
    return tf.concat([image, opacity], -1)


def _orientation(data, place):
    length = file_bytes.number(data, place, 4, big_endian=True)
    return exif.orientation(data[place + 8 : place + 8 + length])
