"""Many small images in few files that a page can hold inside itself."""

import base64
import dataclasses
from collections.abc import Callable
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# Longer side of an image on the page, in pixels; larger ones are reduced.
MAX_SIDE = 112
# Up to this side every pixel counts, so images are kept without loss.
_PIXEL_ART_SIDE = 32
_COLUMNS = 10
_IMAGES_PER_SHEET = 100
_CHANNELS = (1, 3, 4)
# JPEG codes blocks of 8 x 8 pixels: images that begin on a block's edge do not
# bleed into their neighbours.
_BLOCK = 8


@dataclasses.dataclass(frozen=True)
class Thumbnails:
    """Sheets of equally large images, row by row.

    Args:
        sheets: Data URIs of PNG or JPEG files, `images_per_sheet` images in
            each but the last.
        num_images: Number of images in all sheets.
        width: Width of an image in pixels.
        height: Height of an image in pixels.
        column_step: Pixels from the left edge of an image to the next one's.
        row_step: Pixels from the upper edge of an image to that below.
        columns: Number of images in a row of a sheet.
        images_per_sheet: Number of images in a full sheet.
        pixelated: Whether to enlarge them without smoothing.
    """

    sheets: tuple[str, ...]
    num_images: int
    width: int
    height: int
    column_step: int
    row_step: int
    columns: int
    images_per_sheet: int
    pixelated: bool


def thumbnails(
    read_images: Callable[[np.ndarray], np.ndarray], positions: np.ndarray
) -> Thumbnails:
    """Packs images into sheets; in memory are those of one sheet at a time.

    Args:
        read_images: Function from positions `(m,)` to images of one size,
            `(m, height, width, channels)`, uint8, of 1, 3 or 4 channels.
        positions: Positions of the images in the order of the sheets, `(n,)`,
            at least one.

    Returns:
        The sheets: JPEG for colour images above 32 pixels, else PNG.

    Raises:
        ValueError: If what `read_images` returns is something else.
    """
    sheets = []
    shape = None
    for chunk in _chunks(np.asarray(positions)):
        images = np.asarray(read_images(chunk))
        _check(images, len(chunk), shape)
        shape = images.shape[1:]
        images = _reduced(images)
        as_jpeg = _is_photo(images)
        sheets.append(_data_uri(_sheet(images, as_jpeg), as_jpeg))
    height, width = images.shape[1:3]
    row_step, column_step = _steps(height, width, as_jpeg)
    return Thumbnails(
        sheets=tuple(sheets),
        num_images=len(positions),
        width=width,
        height=height,
        column_step=column_step,
        row_step=row_step,
        columns=_COLUMNS,
        images_per_sheet=_IMAGES_PER_SHEET,
        pixelated=max(height, width) <= _PIXEL_ART_SIDE,
    )


def _chunks(positions: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), _IMAGES_PER_SHEET):
        yield positions[start : start + _IMAGES_PER_SHEET]


def _check(images, num_images, shape):
    """Raises an error for what is not uint8 images of one size."""
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or len(images) != num_images
        or images.shape[-1] not in _CHANNELS
        or 0 in images.shape
        or shape not in (None, images.shape[1:])
    ):
        wanted = shape or "height, width, 1, 3 or 4"
        wanted = str(wanted).strip("()")
        raise ValueError(
            "`images` must give uint8 images of shape "
            f"({num_images}, {wanted}) for {num_images} positions. Received: "
            f"{images.dtype} of shape {images.shape}"
        )


def _reduced(images):
    """Images whose longer side is at most `MAX_SIDE`."""
    height, width = images.shape[1:3]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return images
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    small = tf.image.resize(images, size, method="area").numpy()
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def _is_photo(images):
    _, height, width, channels = images.shape
    return channels == 3 and max(height, width) > _PIXEL_ART_SIDE


def _steps(height, width, as_jpeg):
    if not as_jpeg:
        return height, width
    return -(-height // _BLOCK) * _BLOCK, -(-width // _BLOCK) * _BLOCK


def _sheet(images, as_jpeg):
    """One large image, the rows of the last line filled up with zeros."""
    num_images, height, width, channels = images.shape
    row_step, column_step = _steps(height, width, as_jpeg)
    edges = ((0, 0), (0, row_step - height), (0, column_step - width), (0, 0))
    images = np.pad(images, edges, mode="edge")
    num_rows = -(-num_images // _COLUMNS)
    missing = num_rows * _COLUMNS - num_images
    images = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
    grid = images.reshape(num_rows, _COLUMNS, row_step, column_step, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(
        num_rows * row_step, _COLUMNS * column_step, channels
    )


def _data_uri(sheet, as_jpeg):
    if as_jpeg:
        kind, content = "jpeg", tf.io.encode_jpeg(sheet, quality=85)
    else:
        kind, content = "png", tf.io.encode_png(sheet, compression=9)
    text = base64.b64encode(content.numpy()).decode("ascii")
    return f"data:image/{kind};base64,{text}"
