"""JPEG: CMYK as grey, and photos that were taken with a turned camera."""

import tensorflow as tf

from limit_tf.data.decoding import exif
from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import pixels

_EXIF = b"Exif\0\0"
# Looked for before the segments are: most files have none.
_HAS_EXIF = r"(?s)\C*Exif\x00\x00\C*"
_START_OF_SCAN, _END_OF_IMAGE, _APP1, _FILL = 0xDA, 0xD9, 0xE1, 0xFF


def decoded(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes a JPEG file, turned as its EXIF orientation says.

    Args:
        content: The file's content, a scalar string.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    image = as_stored(content, num_channels)
    return pixels.upright(image, _orientation(file_bytes.of(content)))


def may_be_turned(content: tf.Tensor) -> tf.Tensor:
    """Tells whether there may be an EXIF orientation, a scalar, bool."""
    return tf.strings.regex_full_match(content, _HAS_EXIF)


def as_stored(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes a JPEG file, whatever its EXIF orientation.

    Args:
        content: The file's content, a scalar string.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """

    def rgb():
        return tf.io.decode_jpeg(content, 3)

    if num_channels == 3:
        return rgb()
    # TensorFlow refuses to decode CMYK as grey.
    is_cmyk = tf.equal(tf.io.extract_jpeg_shape(content)[2], 4)
    return tf.cond(
        is_cmyk,
        lambda: pixels.with_channels(rgb(), num_channels),
        lambda: tf.io.decode_jpeg(content, num_channels),
    )


def _orientation(data):
    """Walks from segment to segment, up to the one that is EXIF."""

    def is_other(position):
        prefix, marker = tf.unstack(file_bytes.taken(data, position, 2))
        is_last = (marker == _START_OF_SCAN) | (marker == _END_OF_IMAGE)
        return (prefix == 0xFF) & ~is_last & ~_is_exif(data, position)

    def next_one(position):
        marker = file_bytes.number(data, position + 1, 1)
        length = file_bytes.number(data, position + 2, 2, big_endian=True)
        # A marker may be filled up with 0xFF, and some have no length.
        is_single = (marker == 0x01) | ((marker >= 0xD0) & (marker <= 0xD7))
        step = 2 + tf.where(~is_single, length, 0)
        return position + tf.where(marker != _FILL, step, 1)

    start = tf.constant(2, tf.int64)
    (position,) = tf.while_loop(is_other, lambda p: (next_one(p),), (start,))
    length = file_bytes.number(data, position + 2, 2, big_endian=True)
    return tf.cond(
        _is_exif(data, position),
        lambda: exif.orientation(data[position + 10 : position + 2 + length]),
        lambda: tf.constant(1, tf.int64),
    )


def _is_exif(data, position):
    is_app1 = tf.equal(file_bytes.number(data, position + 1, 1), _APP1)
    return is_app1 & file_bytes.matches(data, position + 4, _EXIF)
