"""Labelled images in TFRecord files of one's own."""

import pathlib
import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.image_files import check_image_size
from limit_tf.data.image_files import decoded
from limit_tf.data.image_files import refuse_unreadable
from limit_tf.data.image_files import resized
from limit_tf.data.labelled_files import NORMALISATION
from limit_tf.data.labelled_files import check_max_unreadable
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import class_names_up_to
from limit_tf.data.labelled_files import take_readable
from limit_tf.data.labels import check_labels
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.record_features import check_first_record
from limit_tf.data.record_features import record_features
from limit_tf.noise.arguments import check_integer

_SPLITS = ("train", "validation", "test")
_BATCH_SIZE = 256


def load(
    data_dir: str,
    image_size: tuple[int, int] | None = None,
    *,
    num_channels: int | None = None,
    max_unreadable: float = 0.01,
    tfrecord: Mapping[str, object] | None = None,
    max_bytes: int = 16 * 2**30,
) -> Source:
    """Reads the images of TFRecord files into memory.

    `data_dir` holds files `train*.tfrecord*`, `test*.tfrecord*` and perhaps
    `validation*.tfrecord*`, which are read in sorted order; those that end in
    .gz are decompressed.

    Args:
        data_dir: The folder.
        image_size: If given, `(height, width)` to resize every image to;
            needed if the images differ in size.
        num_channels: 3 to decode images as RGB, 1 to decode them as grey; by
            default 3. Raw images have those of their shape.
        max_unreadable: Share in `[0, 1]` of the images that may be broken.
            They are left out; if there are more, the data is refused.
        tfrecord: Arguments of
            `limit_tf.data.record_features.RecordFeatures`.
        max_bytes: Refuse data whose images take more memory than this.

    Returns:
        The `Source`. An identifier is the value of the feature that is named
        for it, or else the name of the file, a colon and the position in it.

    Raises:
        FileNotFoundError: If there is no such folder, or no such file in it.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a record is not what it
            should be, or too many images are unreadable.
    """
    features = record_features(tfrecord)
    if image_size is not None:
        image_size = check_image_size(image_size)
    num_channels = _checked_num_channels(num_channels, features)
    check_max_unreadable(max_unreadable)
    check_integer(max_bytes, "max_bytes", low=1)
    root = check_path(data_dir, "folder")
    files = _files(root)
    id_dtype = check_first_record(files["train"][0], features)
    splits = {
        split: _Split(split, files[split], features, num_channels, id_dtype)
        for split in files
    }
    shape = (*(image_size or splits["train"].first_image_size()), num_channels)
    total = sum(len(split.labels) for split in splits.values())
    num_bytes = total * int(np.prod(shape, dtype=np.int64))
    if num_bytes > max_bytes:
        raise ValueError(
            f"`max_bytes` must not be less than the {num_bytes:,} bytes that "
            f"the images in {root} take. Received: max_bytes={max_bytes:,}"
        )
    parts, unreadable = {}, {}
    for name, split in splits.items():
        parts[name], ids = split.read(shape, image_size is not None)
        unreadable |= {str(example_id): "not decodable" for example_id in ids}
    refuse_unreadable(unreadable, total, max_unreadable)
    class_names = features.class_names
    if class_names is None:
        class_names = class_names_up_to(
            max(int(data.labels.max()) for data in parts.values())
        )
    pixel_mean, pixel_std = NORMALISATION[num_channels]
    return Source(
        name="tfrecord",
        class_names=tuple(class_names),
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        pixel_max=255.0,
        labels_are_clean=False,
        unreadable=unreadable,
        **parts,
    )


class _Split:
    """The records of one part: labels at once, images when asked for."""

    def __init__(self, name, files, features, num_channels, id_dtype):
        self.name = name
        self._features = features
        self._num_channels = num_channels
        with tf.device("CPU:0"):
            self._records = tf.data.Dataset.from_tensor_slices(
                (
                    [str(file) for file in files],
                    [file.name for file in files],
                    ["GZIP" * (file.suffix == ".gz") for file in files],
                )
            ).flat_map(_records_of_file)
        self.labels, self.example_ids = self._labels_and_ids(id_dtype, files)

    def _labels_and_ids(self, id_dtype, files):
        spec = {
            self._features.image_key: tf.io.FixedLenFeature([], tf.string),
            self._features.label_key: tf.io.FixedLenFeature([], tf.int64),
        }
        id_key = self._features.id_key
        if id_key is not None:
            spec[id_key] = tf.io.FixedLenFeature([], id_dtype)

        def parse(ids, records):
            parsed = tf.io.parse_example(records, spec)
            ids = ids if id_key is None else parsed[id_key]
            return parsed[self._features.label_key], ids

        batches = self._records.batch(_BATCH_SIZE).map(parse)
        try:
            batches = list(batches.as_numpy_iterator())
        except tf.errors.OpError as error:
            reason = re.sub(r"{{.*?}} ?", "", error.message.splitlines()[0])
            raise ValueError(
                "`data_dir` must have whole TFRecord files whose records all "
                f"have the features that `tfrecord` names. Received: {reason} "
                f"in {self.name} of {files[0].parent}"
            ) from error
        if not batches:
            raise ValueError(
                "`data_dir` must have files with records. "
                f"Received: none in {self.name} of {files[0].parent}"
            )
        labels, ids = (np.concatenate(i) for i in zip(*batches, strict=True))
        labels = check_labels(
            labels - self._features.label_offset,
            name=f"{self._features.label_key} - label_offset",
        )
        if ids.dtype.kind != "i":
            ids = np.array([i.decode(errors="backslashreplace") for i in ids])
        return labels, ids

    def first_image_size(self):
        """Returns the height and the width of the first readable image."""
        images = self._records.map(lambda _, record: self._decoded(record))
        for image in images.ignore_errors().take(1).as_numpy_iterator():
            return image.shape[:2]
        raise ValueError(
            "`tfrecord` must name a feature that holds images. Received: none "
            f"that is decodable in {self._features.image_key!r}"
        )

    def read(self, shape, resize):
        """Returns the readable images, and the ids of the others.

        Args:
            shape: `(height, width, channels)` of every image.
            resize: Whether images of another size are resized; else they are
                refused.
        """

        def read_one(position, identified_record):
            image = self._decoded(identified_record[1])
            if resize:
                return position, resized(image, shape), True
            fits = tf.reduce_all(tf.shape(image) == shape)
            empty = tf.zeros(shape, tf.uint8)
            image = tf.cond(fits, lambda: image, lambda: empty)
            return position, tf.ensure_shape(image, shape), fits

        batches = (
            self._records.enumerate()
            .map(read_one, NUM_PARALLEL_CALLS)
            .ignore_errors()
            .batch(_BATCH_SIZE)
            .prefetch(2)
            .apply(with_fixed_parallelism)
        )
        images = np.zeros((len(self.labels), *shape), np.uint8)
        is_readable = np.zeros(len(self.labels), bool)
        for positions, batch, fits in batches.as_numpy_iterator():
            if not fits.all():
                raise ValueError(
                    "`image_size` must be given for images of varying size. "
                    "Received: image_size=None for "
                    f"{self.example_ids[positions[np.argmin(fits)]]}, whose "
                    f"size is not {shape[:2]}"
                )
            images[positions] = batch
            is_readable[positions] = True
        data = ImageData(images, self.labels, self.example_ids)
        return (
            take_readable(data, is_readable, self.name),
            self.example_ids[~is_readable],
        )

    def _decoded(self, record):
        key = self._features.image_key
        spec = {key: tf.io.FixedLenFeature([], tf.string)}
        content = tf.io.parse_single_example(record, spec)[key]
        if self._features.image_format == "raw":
            pixels = tf.io.decode_raw(content, tf.uint8)
            return tf.reshape(pixels, self._features.image_shape)
        return decoded(content, self._num_channels)


def _records_of_file(path, name, compression):
    """Returns the records of a file, each after a name of its own."""

    def identified(i, record):
        return tf.strings.join([name, ":", tf.strings.as_string(i)]), record

    records = tf.data.TFRecordDataset(path, compression_type=compression)
    return records.enumerate().map(identified)


def _checked_num_channels(num_channels, features):
    if features.image_format == "encoded":
        expected, default = (1, 3), 3
    else:
        default = features.image_shape[-1]
        expected = (default,)
    if num_channels is None:
        num_channels = default
    if num_channels not in expected:
        raise ValueError(
            f"`num_channels` must be {' or '.join(map(str, expected))}. "
            f"Received: num_channels={num_channels!r}"
        )
    return num_channels


def _files(root: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the sorted files of each part."""
    files = {s: sorted(root.glob(f"{s}*.tfrecord*")) for s in _SPLITS}
    for split in ("train", "test"):
        if not files[split]:
            raise FileNotFoundError(
                f"`data_dir` must be a folder with files {split}*.tfrecord*. "
                f"Received: {root} without any"
            )
    return {split: names for split, names in files.items() if names}
