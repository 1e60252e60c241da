"""BMP: palettes, bit fields and transparency, which TensorFlow misreads."""

import typing

import tensorflow as tf

from limit_tf.data.decoding import file_bytes
from limit_tf.data.decoding import pixels

_FILE_HEADER_BYTES = 14
_CORE, _WITH_ALPHA_MASK = 12, 56  # Sizes of headers.
_PLAIN, _BIT_FIELDS, _ALPHA_BIT_FIELDS = 0, 3, 6  # Kinds of compression.
_MASKS = 54  # Their place.
_MAX_SIDE = 2**16
_DEPTHS = (1, 2, 4, 8, 16, 24, 32)
_DEFAULT_MASKS = {
    16: (0x7C00, 0x3E0, 0x1F, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}


class _Header(typing.NamedTuple):
    """What the headers of a file say: scalars, int64."""

    pixels_start: tf.Tensor
    size: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor  # Negative where the first row is the highest.
    depth: tf.Tensor
    compression: tf.Tensor
    num_colours: tf.Tensor

    @property
    def row_bytes(self):
        return (self.width * self.depth + 31) // 32 * 4


def decoded(content: tf.Tensor, num_channels: int) -> tf.Tensor:
    """Decodes a BMP file; what is transparent shows white.

    Args:
        content: The file's content, a scalar string.
        num_channels: 1 for grey, 3 for RGB.

    Returns:
        Shape `(height, width, num_channels)`, uint8.
    """
    data = file_bytes.of(content)
    header = _checked(_header(data), data)
    rows = _rows(data, header)
    rgb = tf.case(
        [
            (header.depth <= 8, lambda: _of_palette(rows, data, header)),
            (header.depth < 24, lambda: _of_masks(rows, data, header, 16)),
            (header.depth < 32, lambda: _of_bytes(rows, header)),
        ],
        lambda: _of_masks(rows, data, header, 32),
    )
    return pixels.with_channels(rgb, num_channels)


def _header(data):
    size = file_bytes.number(data, 14, 4)
    is_core = tf.equal(size, _CORE)

    def either(core, info):
        """Reads a number from its place, size and place of the two headers."""
        return tf.where(
            is_core,
            file_bytes.number(data, *core)
            if core
            else tf.constant(0, tf.int64),
            file_bytes.number(data, *info),
        )

    return _Header(
        pixels_start=file_bytes.number(data, 10, 4),
        size=size,
        width=_signed(either((18, 2), (18, 4))),
        height=_signed(either((20, 2), (22, 4))),
        depth=either((24, 2), (28, 2)),
        compression=either((), (30, 4)),
        num_colours=either((), (46, 4)),
    )


def _signed(number):
    return tf.where(number >= 2**31, number - 2**32, number)


def _checked(header, data):
    """Returns the header; fails for what is not decoded."""
    height = tf.abs(header.height)
    has_size = (tf.minimum(header.width, height) > 0) & (
        tf.maximum(header.width, height) < _MAX_SIDE
    )
    has_masks = tf.reduce_any(
        header.compression == (_BIT_FIELDS, _ALPHA_BIT_FIELDS)
    ) & tf.reduce_any(header.depth == (16, 32))
    length = tf.size(data, tf.int64)
    is_whole = header.pixels_start + header.row_bytes * height <= length
    zeros = (
        file_bytes.zero_if(condition, message)
        for condition, message in (
            (has_size, "BMP without a proper size"),
            (
                tf.reduce_any(header.depth == _DEPTHS),
                "BMP of an unknown number of bits",
            ),
            (
                tf.equal(header.compression, _PLAIN) | has_masks,
                "BMP with compression, which is not supported",
            ),
            (is_whole | ~has_size, "BMP that is cut off"),
        )
    )
    return header._replace(pixels_start=tf.add_n([header.pixels_start, *zeros]))


def _rows(data, header):
    """Returns the bytes of the rows, the highest one first."""
    height = tf.abs(header.height)
    start = header.pixels_start
    rows = tf.reshape(
        data[start : start + header.row_bytes * height],
        (height, header.row_bytes),
    )
    return tf.cond(header.height > 0, lambda: rows[::-1], lambda: rows)


def _of_bytes(rows, header):
    """Decodes pixels of three bytes."""
    shape = (tf.shape(rows, tf.int64)[0], header.width, 3)
    return tf.reshape(rows[:, : 3 * header.width], shape)[..., ::-1]


def _of_palette(rows, data, header):
    """Decodes pixels that are numbers of colours."""
    depth = tf.cast(header.depth, tf.int32)
    shifts = 8 - depth * tf.range(1, 8 // depth + 1)
    numbers = tf.bitwise.right_shift(tf.cast(rows, tf.int32)[..., None], shifts)
    numbers &= tf.bitwise.left_shift(1, depth) - 1
    numbers = tf.reshape(numbers, (tf.shape(rows)[0], -1))
    return tf.gather(_palette(data, header), numbers[:, : header.width])


def _palette(data, header):
    """Returns 256 colours; those that the file does not have are black."""
    entry_bytes = tf.where(tf.equal(header.size, _CORE), 3, 4)
    entry_bytes = tf.cast(entry_bytes, tf.int64)
    start = _FILE_HEADER_BYTES + header.size
    numbers = tf.range(256, dtype=tf.int64)
    size = tf.size(data, tf.int64)
    places = start + entry_bytes * numbers
    places = tf.minimum(places[:, None] + (2, 1, 0), size - 1)
    is_known = (header.num_colours == 0) | (numbers < header.num_colours)
    colours = tf.gather(data, places)
    return tf.where(is_known[:, None], colours, tf.constant(0, tf.uint8))


def _of_masks(rows, data, header, depth):
    """Decodes pixels in which every colour has some of the bits."""
    num_bytes = depth // 8
    shape = (tf.shape(rows, tf.int64)[0], header.width, num_bytes)
    parts = tf.reshape(rows[:, : num_bytes * header.width], shape)
    weights = tf.constant([256**i for i in range(num_bytes)], tf.int64)
    numbers = tf.reduce_sum(tf.cast(parts, tf.int64) * weights, -1)
    masks = tf.where(
        tf.equal(header.compression, _PLAIN),
        tf.constant(_DEFAULT_MASKS[depth], tf.int64),
        _given_masks(data, header),
    )
    lowest = tf.maximum(tf.bitwise.bitwise_and(masks, -masks), 1)
    highest = masks // lowest
    values = tf.bitwise.bitwise_and(numbers[..., None], masks) // lowest
    shares = tf.cast(values, tf.float64) / tf.cast(
        tf.maximum(highest, 1), tf.float64
    )
    opaque = tf.constant([False, False, False, True]) & (masks == 0)
    shares = tf.where(opaque, tf.constant(1.0, tf.float64), shares)
    return pixels.on_white(tf.cast(tf.round(255.0 * shares), tf.uint8))


def _given_masks(data, header):
    """Returns the masks of red, green, blue and opacity."""
    red, green, blue, opacity = (
        file_bytes.number(data, _MASKS + 4 * i, 4) for i in range(4)
    )
    has_opacity = (header.size >= _WITH_ALPHA_MASK) | tf.equal(
        header.compression, _ALPHA_BIT_FIELDS
    )
    return tf.stack([red, green, blue, tf.where(has_opacity, opacity, 0)])
