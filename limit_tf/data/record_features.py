"""Where the records of TFRecord files have the image and the label."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from limit_tf.data.image_files import check_image_size
from limit_tf.data.normalisation import NORMALISATION
from limit_tf.noise.arguments import check_integer


@dataclasses.dataclass(frozen=True)
class RecordFeatures:
    """Where the records of a TFRecord file have the image and the label.

    Args:
        image_key: Name of the feature that is the image: one string of bytes.
        label_key: Name of the feature that is the label: one integer.
        id_key: If given, name of the feature that identifies the example: one
            string or one integer.
        label_offset: Number that is subtracted from every label: 1 if they
            count from 1.
        class_names: The `K` names; by default those that the labels are:
            numbers are names unless they are exactly 0 to K-1.
        num_classes: Number of classes without names, where labels are positions
            of which some do not occur.
        image_format: `"encoded"` for image files; `"raw"` for the
            pixels themselves, uint8.
        image_shape: `(height, width, channels)` of raw images.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    image_key: str = "image/encoded"
    label_key: str = "image/class/label"
    id_key: str | None = None
    label_offset: int = 0
    class_names: tuple[str, ...] | None = None
    image_format: str = "encoded"
    image_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None

    def __post_init__(self):
        """Checks the arguments."""
        for name in ("image_key", "label_key", "id_key"):
            key = getattr(self, name)
            if not isinstance(key, str) and (name, key) != ("id_key", None):
                raise TypeError(
                    f"`{name}` must be the name of a feature. "
                    f"Received: {name}={key!r}"
                )
        check_integer(self.label_offset, "label_offset", low=-(2**31))
        if self.image_format not in ("encoded", "raw"):
            raise ValueError(
                '`image_format` must be "encoded" or "raw". '
                f"Received: image_format={self.image_format!r}"
            )
        shape = self.image_shape
        if self.image_format == "encoded":
            if shape is not None:
                raise ValueError(
                    "`image_shape` is for raw images only. "
                    f"Received: image_shape={shape!r}"
                )
            return
        if not isinstance(shape, tuple | list) or len(shape) != 3:
            raise ValueError(
                "`image_shape` must be (height, width, channels) for raw "
                f"images. Received: image_shape={shape!r}"
            )
        check_image_size(shape[:2], "image_shape")
        if shape[-1] not in NORMALISATION:
            raise ValueError(
                "`image_shape` must have 1 or 3 channels. "
                f"Received: image_shape={shape!r}"
            )


def record_features(tfrecord: Mapping[str, object] | None) -> RecordFeatures:
    """Returns `RecordFeatures` of a mapping.

    Args:
        tfrecord: Arguments of `RecordFeatures`; `None` for none.

    Returns:
        The `RecordFeatures`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is unknown or out of range.
    """
    names = [field.name for field in dataclasses.fields(RecordFeatures)]
    arguments = dict(tfrecord or {})
    unknown = [name for name in arguments if name not in names]
    if unknown:
        raise ValueError(
            f"`tfrecord` must have no other keys than {', '.join(names)}. "
            f"Received: {', '.join(map(str, unknown))}"
        )
    return RecordFeatures(**arguments)


def check_first_record(
    file: pathlib.Path, features: RecordFeatures
) -> tf.DType:
    """Checks that the first record of a file has the features.

    Args:
        file: A TFRecord file, compressed if its name ends in .gz.
        features: Where the image and the label should be.

    Returns:
        The dtype of the identifier: int64 or string.

    Raises:
        ValueError: If it is no such file, or lacks a feature.
    """
    compression = "GZIP" if file.suffix == ".gz" else ""
    try:
        record = next(iter(tf.data.TFRecordDataset(str(file), compression)))
        example = tf.train.Example.FromString(record.numpy())
    except StopIteration:
        return tf.string  # A part without any record is refused later.
    except (tf.errors.OpError, DecodeError) as error:
        raise ValueError(
            "`data_dir` must have TFRecord files of tf.train.Example. "
            f"Received: {file} ({type(error).__name__})"
        ) from error
    given = {
        key: feature.WhichOneof("kind")
        for key, feature in example.features.feature.items()
    }
    for name, kinds in (
        ("image_key", ("bytes_list",)),
        ("label_key", ("int64_list",)),
        ("id_key", ("bytes_list", "int64_list")),
    ):
        key = getattr(features, name)
        if key is not None and given.get(key) not in kinds:
            raise ValueError(
                f"`{name}` must name a feature of type {' or '.join(kinds)}. "
                f"Received: {name}={key!r} for records of {file} with {given}"
            )
    if features.image_format == "raw":
        pixels = example.features.feature[features.image_key].bytes_list.value
        if len(pixels[0]) != np.prod(features.image_shape):
            raise ValueError(
                "`image_shape` must have as many numbers as a raw image has "
                f"bytes, {len(pixels[0])}. "
                f"Received: image_shape={features.image_shape}"
            )
    is_integer = given.get(features.id_key) == "int64_list"
    return tf.int64 if is_integer else tf.string
