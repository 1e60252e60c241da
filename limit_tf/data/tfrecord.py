"""Labelled images in TFRecord files of one's own."""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import logging

from limit_tf import image_listing
from limit_tf.data import class_labels
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.image_files import check_image_size
from limit_tf.data.image_files import refuse_unreadable
from limit_tf.data.labelled_files import UNREADABLE
from limit_tf.data.labelled_files import check_max_unreadable
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labelled_files import take_readable
from limit_tf.data.normalisation import NORMALISATION
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.record_features import check_first_record
from limit_tf.data.record_features import record_features
from limit_tf.data.record_images import RecordImages
from limit_tf.data.record_images import check_stream
from limit_tf.data.record_images import decoded_record
from limit_tf.data.record_index import read_index
from limit_tf.data.skipped import Skipped
from limit_tf.noise.arguments import check_integer

# How the names of the files of a part begin.
_PREFIXES = {"train": "train", "validation": "val", "test": "test"}
# What other readers keep beside the files.
_INDICES = (".idx", ".index")
_BATCH_SIZE = 256


def load(
    data_dir: str,
    image_size: tuple[int, int] | None = None,
    *,
    train_size: tuple[int, int] | None = None,
    num_channels: int | None = None,
    max_unreadable: float = 0.01,
    check_images: bool = True,
    tfrecord: Mapping[str, object] | None = None,
    stream: bool = False,
    max_bytes: int = 16 * 2**30,
) -> Source:
    """Reads the images of TFRecord files into memory, or streams them.

    `data_dir` holds files `train*.tfrecord*`, `test*.tfrecord*` and perhaps
    `val*.tfrecord*`, in small letters or capitals, which are read in sorted
    order; those that end in .gz are decompressed. Other files are in `skipped`
    of the `Source` and in a warning.

    In a stream, memory holds the labels, the identifiers and the places of the
    records, and what waits to be trained on; data may be larger than memory.
    Compressed files must be small then: they are mixed as wholes. Without a
    validation part, validating passes over all training files.

    Args:
        data_dir: The folder.
        image_size: If given, `(height, width)` to resize every image to;
            needed if the images differ in size.
        train_size: If given, for a stream, `(height, width)` that training
            images are resized to before a random crop of `image_size`.
        num_channels: 3 to decode images as RGB, 1 to decode them as grey; by
            default 3. Raw images have those of their shape.
        max_unreadable: Share in `[0, 1]` of the images that may be broken.
            They are left out; if there are more, the data is refused.
        check_images: Whether every image of a stream is decoded once before
            training starts, to find those that are broken. If not, training
            stops with an error when it reaches one.
        tfrecord: Arguments of
            `limit_tf.data.record_features.RecordFeatures`.
        stream: Whether to read the images whenever they are needed.
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
    check_stream(stream, image_size, train_size)
    _check_images_option(check_images, stream)
    root = check_path(data_dir, "folder")
    files, skipped = _files(root)
    id_dtype = check_first_record(files["train"][0], features)
    indices = {
        split: read_index(split, files[split], features, id_dtype)
        for split in files
    }
    size = image_size or _first_image_size(
        indices["train"], features, num_channels
    )
    parts = {
        split: ImageData(
            RecordImages(
                index.blocks,
                np.arange(len(index.labels)),
                features,
                size,
                num_channels,
                resize=image_size is not None,
                train_size=train_size,
            ),
            index.labels,
            index.example_ids,
        )
        for split, index in indices.items()
    }
    # Before broken images are left out, which may be all of a class.
    class_names, parts = _with_classes(parts, features)
    num_bytes = sum(
        int(np.prod(data.images.shape, dtype=np.int64))
        for data in parts.values()
    )
    if not stream and num_bytes > max_bytes:
        raise ValueError(
            f"`max_bytes` must not be less than the {num_bytes:,} bytes that "
            f"the images in {root} take, unless stream=True. "
            f"Received: max_bytes={max_bytes:,}"
        )
    unreadable = {}
    if check_images or not stream:
        for split, data in parts.items():
            parts[split], ids = _read(split, data, in_memory=not stream)
            unreadable |= {str(i): "not decodable" for i in ids}
        total = sum(len(index.labels) for index in indices.values())
        refuse_unreadable(unreadable, total, max_unreadable)
    pixel_mean, pixel_std = NORMALISATION[num_channels]
    return Source(
        name="tfrecord",
        class_names=tuple(class_names),
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        pixel_max=255.0,
        labels_are_clean=False,
        unreadable=unreadable,
        skipped=skipped,
        left_out={UNREADABLE: list(unreadable)} if unreadable else {},
        **parts,
    )


def _with_classes(parts, features):
    """Returns the names of the classes, and the parts with their numbers."""
    if features.class_names is not None:
        return tuple(features.class_names), parts
    ends = np.cumsum([len(data) for data in parts.values()])[:-1]
    names, labels = class_labels.numbered(
        class_labels.as_texts(
            np.concatenate([p.labels for p in parts.values()])
        ),
        num_classes=features.num_classes,
    )
    return names, {
        split: dataclasses.replace(data, labels=own)
        for (split, data), own in zip(
            parts.items(), np.split(labels, ends), strict=True
        )
    }


def _check_images_option(check_images, stream):
    if not isinstance(check_images, bool):
        raise TypeError(
            "`check_images` must be a bool. "
            f"Received: check_images={check_images!r}"
        )
    if not stream and not check_images:
        raise ValueError(
            "`check_images` must be True unless stream=True: images that are "
            "read into memory are decoded. Received: check_images=False"
        )


def _first_image_size(index, features, num_channels):
    """Returns the height and the width of the first readable image."""
    blocks = tf.data.Dataset.range(len(index.blocks))
    records = blocks.flat_map(index.blocks.reader()).unbatch()
    images = records.map(
        lambda _, record: decoded_record(record, features, num_channels)
    )
    for image in images.ignore_errors().take(1).as_numpy_iterator():
        return image.shape[:2]
    raise ValueError(
        "`tfrecord` must name a feature that holds images. Received: none "
        f"that is decodable in {features.image_key!r}"
    )


def _read(split, data, in_memory):
    """Decodes all images once.

    Args:
        split: Name of the part.
        data: Its `ImageData`, whose images are `RecordImages`.
        in_memory: Whether to keep the images.

    Returns:
        The readable images, an array or `RecordImages`, and the ids of the
        others.
    """
    batches = (
        data.images.readable(_BATCH_SIZE)
        .prefetch(2)
        .apply(with_fixed_parallelism)
    )
    if in_memory:
        images = np.zeros(data.images.shape, np.uint8)
    is_readable = np.zeros(len(data), bool)
    for indices, batch, fits in batches.as_numpy_iterator():
        if not fits.all():
            raise ValueError(
                "`image_size` must be given for images of varying size. "
                "Received: image_size=None for "
                f"{data.example_ids[indices[np.argmin(fits)]]}, whose "
                f"size is not {data.images.image_size}"
            )
        if in_memory:
            images[indices] = batch
        is_readable[indices] = True
    if in_memory:
        data = dataclasses.replace(data, images=images)
    return (
        take_readable(data, is_readable, split),
        data.example_ids[~is_readable],
    )


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


def _files(
    root: pathlib.Path,
) -> tuple[dict[str, list[pathlib.Path]], Skipped]:
    """Returns the sorted files of each part, and what else is there."""
    files = {part: [] for part in _PREFIXES}
    others = collections.Counter()
    for file in sorted(root.iterdir()):
        name = file.name.casefold()
        if image_listing.is_ignored(file.name) or not file.is_file():
            continue
        part = next((p for p in _PREFIXES if name.startswith(_PREFIXES[p])), "")
        if part and ".tfrecord" in name and not name.endswith(_INDICES):
            files[part].append(file)
        else:
            others[image_listing.suffix_of(file.name)] += 1
    for part in ("train", "test"):
        if not files[part]:
            raise FileNotFoundError(
                f"`data_dir` must be a folder with files {part}*.tfrecord*. "
                f"Received: {root} without any"
            )
    skipped = Skipped(files=dict(others))
    if others:
        logging.warning("%s: %s", root, skipped.in_words())
    return {part: names for part, names in files.items() if names}, skipped
