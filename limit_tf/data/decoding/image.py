"""An image file of any kind, told by its first bytes."""

import contextlib
import contextvars
import functools

import tensorflow as tf

from limit_tf import tensorflow_errors
from limit_tf.data.decoding import bmp
from limit_tf.data.decoding import gif
from limit_tf.data.decoding import jpeg
from limit_tf.data.decoding import png
from limit_tf.data.decoding import webp

_HEAD_BYTES = 32
_for_other_processes = contextvars.ContextVar("for others", default=False)


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
    return _decoded(content, num_channels, _with_care)


def decoded_here(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes as `decoded`, in a `tf.data` graph of this process alone.

    What is no plain JPEG or PNG file is decoded by a call back into Python: in
    the graph its operations would make each iterator take most of a second to
    be made, however few such files there are.

    Args:
        content: As in `decoded`.
        num_channels: As there.

    Returns:
        As there.
    """
    if _for_other_processes.get():
        return decoded(content, num_channels)
    return _decoded(content, num_channels, _called_with_care)


@contextlib.contextmanager
def for_other_processes():
    """Pipelines that are built meanwhile may be sent to other processes."""
    token = _for_other_processes.set(True)
    try:
        yield
    finally:
        _for_other_processes.reset(token)


def _decoded(content, num_channels, with_care):
    head = _head(content)
    is_jpeg = _is(head, b"\xff\xd8\xff") & ~jpeg.may_be_turned(content)
    is_png = _is(head, b"\x89PNG\r\n\x1a\n") & png.is_plain(content, head)
    image = tf.switch_case(
        tf.where(is_jpeg, 0, tf.where(is_png, 1, 2)),
        [
            lambda: jpeg.as_stored(content, num_channels),
            lambda: tf.io.decode_png(content, num_channels),
            lambda: with_care(content, num_channels),
        ],
    )
    return tf.ensure_shape(image, (None, None, num_channels))


def _not_inlined(function):
    """Returns a function that is one operation in the graph of its caller.

    TensorFlow goes through all operations of a branch that is not taken,
    which would take longer than to decode a small image.
    """
    return tf.function(
        function,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


@_not_inlined
def _with_care(content, num_channels):
    """Decodes what is no plain JPEG or PNG file."""
    head = _head(content)
    kinds = (
        (_is(head, b"\xff\xd8\xff"), _jpeg),
        (_is(head, b"\x89PNG\r\n\x1a\n"), _png),
        (_is(head, b"GIF8"), _gif),
        (_is(head, b"BM"), _bmp),
        (_is(head, b"RIFF") & _is(head, b"WEBP", start=8), _webp),
        (True, _unknown),
    )
    number = tf.argmax(tf.stack([is_kind for is_kind, _ in kinds]))
    return tf.switch_case(
        tf.cast(number, tf.int32),
        [
            lambda decode=decode: decode(content, num_channels)
            for _, decode in kinds
        ],
    )


def _called_with_care(content, num_channels):
    """Calls the same function from Python, once a file."""
    return tf.numpy_function(
        functools.partial(_care_of, num_channels=num_channels),
        [content],
        tf.uint8,
        stateful=False,
    )


def _care_of(content, num_channels):
    try:
        with tf.device("CPU:0"):
            return _with_care(tf.constant(content), num_channels).numpy()
    except tf.errors.OpError as error:  # whose stack nobody needs
        raise ValueError(tensorflow_errors.reason(error)) from None


_jpeg = _not_inlined(jpeg.decoded)
_gif = _not_inlined(gif.decoded)
_bmp = _not_inlined(bmp.decoded)


@_not_inlined
def _png(content, num_channels):
    return png.decoded(content, _head(content), num_channels)


@_not_inlined
def _webp(content, num_channels):
    return webp.decoded(content, _head(content), num_channels)


@_not_inlined
def _unknown(content, num_channels):
    """Refuses the file, in TensorFlow's words."""
    return tf.io.decode_image(content, num_channels, expand_animations=False)


def _head(content):
    return tf.cast(
        tf.io.decode_raw(content, tf.uint8, fixed_length=_HEAD_BYTES), tf.int32
    )


def _is(head, text, start=0):
    return tf.reduce_all(head[start : start + len(text)] == list(text))
