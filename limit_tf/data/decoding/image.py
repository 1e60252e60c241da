"""An image file of any kind, told by its first bytes."""

import tensorflow as tf

from limit_tf.data.decoding import bmp
from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import gif
from limit_tf.data.decoding import jpeg
from limit_tf.data.decoding import png
from limit_tf.data.decoding import webp

_HEAD_BYTES = 32


def decoded(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes an image of any size as a person sees it.

    Of an animation, it is the first image. What is transparent shows white; a
    photo is turned as its EXIF orientation says; samples of 16 bits are
    scaled as `png.decoded` says.

    Args:
        content: Content of a JPEG, PNG, GIF, BMP or WebP file, a scalar
            string. Its first bytes decide, whatever its name.
        num_channels: 1 to decode it as grey, 3 to decode it as RGB.

    Returns:
        The image, shape `(height, width, num_channels)`, uint8.
    """
    head = tf.cast(
        tf.io.decode_raw(content, tf.uint8, fixed_length=_HEAD_BYTES), tf.int32
    )
    kinds = (
        (
            _is(head, b"\xff\xd8\xff"),
            lambda: jpeg.decoded(content, num_channels),
        ),
        (
            _is(head, b"\x89PNG\r\n\x1a\n"),
            lambda: png.decoded(content, head, num_channels),
        ),
        (_is(head, b"GIF8"), lambda: gif.decoded(content, num_channels)),
        (_is(head, b"BM"), lambda: bmp.decoded(content, num_channels)),
        (
            _is(head, b"RIFF") & file_bytes.matches(head, 8, b"WEBP"),
            lambda: webp.decoded(content, head, num_channels),
        ),
        # Refused by its message.
        (
            True,
            lambda: tf.io.decode_image(
                content, num_channels, expand_animations=False
            ),
        ),
    )
    number = tf.argmax(tf.stack([is_kind for is_kind, _ in kinds]))
    image = tf.switch_case(
        tf.cast(number, tf.int32), [decode for _, decode in kinds]
    )
    return tf.ensure_shape(image, (None, None, num_channels))


def _is(head, text):
    return file_bytes.matches(head, 0, text)
