"""Image classification data sets of TensorFlow Datasets (TFDS)."""

import json
import os
import pathlib
import re

import numpy as np
import tensorflow as tf
from absl import logging

from limit_tf.data.decoding import decoded_here
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.image_files import check_image_size
from limit_tf.data.image_files import resized
from limit_tf.data.labels import check_labels
from limit_tf.data.normalisation import NORMALISATION
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.record_features import RecordFeatures
from limit_tf.data.record_images import RecordImages
from limit_tf.data.record_images import check_stream
from limit_tf.data.record_index import read_index
from limit_tf.data.tfds_network import check_reachable

_NAME = re.compile(
    r"(?P<dataset>[A-Za-z]\w*)"
    r"(/(?P<config>[^/:]+))?"
    r"(:(?P<version>[\d*]+\.[\d*]+\.[\d*]+))?"
)
_READ_BATCH_SIZE = 1024


def load(
    name: str,
    data_dir: str | None = None,
    download: bool = True,
    *,
    image_size: tuple[int, int] | None = None,
    label_key: str | None = None,
    pixel_mean: tuple[float, ...] | None = None,
    pixel_std: tuple[float, ...] | None = None,
    train_size: tuple[int, int] | None = None,
    stream: bool = False,
    max_bytes: int = 16 * 2**30,
) -> Source:
    """Loads the train and test splits of a TFDS data set.

    Data that was prepared before is read from its folder alone: this needs
    no network, nor the code that built the data set.

    Args:
        name: Name in TFDS: `"mnist"`, `"name/config"`, `"name:1.0.0"` or
            `"name/config:1.0.0"`. Without a version, the newest prepared one.
        data_dir: Folder of prepared data sets; by default the environment
            variable `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        download: Whether TFDS may download and prepare the data set if it is
            not there.
        image_size: If given, `(height, width)` to resize every image to;
            needed if the images differ in size.
        label_key: Name of the feature that holds the labels to train on, if
            the true ones are not meant: those of CIFAR-10N, `"cifar10_n"`,
            are `"aggre_label"`, `"random_label1"`, `"random_label2"`,
            `"random_label3"` and `"worse_label"`; that of `"cifar100_n"` is
            `"noise_label"`. They become the `given_labels` of the training
            split; the test split keeps the true labels.
        pixel_mean: One number per channel, instead of the constants of the
            LIMIT experiments.
        pixel_std: One positive number per channel, likewise.
        train_size: If given, for a stream, `(height, width)` that training
            images are resized to before a random crop of `image_size`.
        stream: Whether to read the images whenever they are needed, instead
            of into memory; see `limit_tf.data.tfrecord.load`.
        max_bytes: Refuse data whose images take more memory than this.

    Returns:
        The `Source`. Identifiers are those of TFDS
        (`tfds.ReadConfig(add_tfds_id=True)`).

    Raises:
        FileNotFoundError: If the data is not prepared, and may not or cannot
            be downloaded.
        RuntimeError: If download or preparation fails.
        TypeError: If an argument has the wrong type.
        ValueError: If the name is malformed, or the data set is not one that
            this function can read; the message says why.
    """
    if image_size is not None:
        image_size = check_image_size(image_size)
    builder = _prepared_builder(name, data_dir, download)
    info = builder.info
    for split in ("train", "test"):
        if split not in info.splits:
            raise ValueError(
                f"`name` must be a data set with a {split} split. Received: "
                f"{info.full_name} with the splits {', '.join(info.splits)}"
            )
    check_stream(stream, image_size, train_size)
    image_key, true_key = _feature_keys(info)
    if label_key is not None:
        _check_label_key(label_key, true_key, info)
    shape = _image_shape(info, image_key, image_size)
    num_bytes = int(np.prod(shape, dtype=np.int64)) * sum(
        info.splits[split].num_examples for split in ("train", "test")
    )
    if not stream and num_bytes > max_bytes:
        raise ValueError(
            f"`max_bytes` must not be less than the {num_bytes:,} bytes that "
            f"the images of {info.full_name} take, unless stream=True. "
            f"Received: max_bytes={max_bytes:,}"
        )
    default_mean, default_std = NORMALISATION[shape[-1]]
    if stream:
        _check_is_streamable(info, label_key)
        parts = {
            split: _streamed(
                builder,
                split,
                RecordFeatures(image_key, true_key),
                shape,
                resize=image_size is not None,
                train_size=train_size,
            )
            for split in ("train", "test")
        }
    else:
        parts = {
            split: _read_split(
                builder,
                split,
                image_key,
                true_key,
                label_key if split == "train" else None,
                shape,
            )
            for split in ("train", "test")
        }
    return Source(
        name=name,
        class_names=tuple(info.features[true_key].names),
        pixel_mean=default_mean if pixel_mean is None else pixel_mean,
        pixel_std=default_std if pixel_std is None else pixel_std,
        pixel_max=255.0,
        **parts,
    )


def _check_is_streamable(info, label_key):
    if label_key is not None:
        raise ValueError(
            "`stream` must be False for labels beside the true ones. "
            f"Received: stream=True and label_key={label_key!r}"
        )
    if info.file_format.value != "tfrecord":
        raise ValueError(
            "`stream` must be False unless the data set is in TFRecord files. "
            f"Received: stream=True for {info.full_name} in the format "
            f"{info.file_format.value}"
        )


def _streamed(builder, split, features, shape, resize, train_size):
    files = [pathlib.Path(f) for f in builder.info.splits[split].filepaths]
    # Identifiers as TFDS makes them: file, two underscores, number.
    index = read_index(split, files, features, tf.string, separator="__")
    num_classes = builder.info.features[features.label_key].num_classes
    name = f"{features.label_key} of {builder.info.full_name} {split}"
    check_labels(index.labels, num_classes, name)
    images = RecordImages(
        index.blocks,
        np.arange(len(index.labels)),
        features,
        shape[:2],
        shape[-1],
        resize=resize,
        train_size=train_size,
    )
    return ImageData(images, index.labels, index.example_ids)


def _prepared_builder(name, data_dir, download):
    """Returns a builder of data that is on disk, prepared now if need be."""
    import tensorflow_datasets as tfds

    parts = _NAME.fullmatch(name) if isinstance(name, str) else None
    if parts is None:
        raise ValueError(
            "`name` must be of the form name, name/config, name:1.0.0 or "
            f"name/config:1.0.0. Received: name={name!r}"
        )
    data_dir = data_dir or os.environ.get(
        "TFDS_DATA_DIR", os.path.join("~", "tensorflow_datasets")
    )
    data_dir = tfds.core.Path(data_dir).expanduser()
    folder = _newest_version_folder(
        data_dir, parts["dataset"], parts["config"], parts["version"]
    )
    if folder is not None:
        return tfds.builder_from_directory(folder)

    missing = f"No prepared data set {name!r} under {data_dir}"
    if parts["dataset"] not in tfds.list_builders(
        with_community_datasets=False
    ):
        raise FileNotFoundError(
            f"{missing}, and TFDS cannot build it: it knows no data set of "
            "that name. Check the name, or copy the prepared folder there."
        )
    remedy = (
        f"On a machine with network run: tfds build {name} "
        f"--data_dir={data_dir}"
    )
    if not download:
        raise FileNotFoundError(f"{missing}, and download=False. {remedy}")
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
        check_reachable(builder.url_infos or (), data_dir / "downloads")
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    except Exception as error:  # TFDS lets errors of many libraries through.
        reason = (str(error).splitlines() or [""])[0]
        raise RuntimeError(
            f"{missing}, and TFDS could not prepare it "
            f"({type(error).__name__}: {reason}). {remedy}"
        ) from error
    return builder


def _newest_version_folder(data_dir, dataset, config, version):
    """Returns the folder that fits the name and was prepared, or None."""
    from tensorflow_datasets.core import Version

    folder = data_dir / dataset
    config = config or _default_config(folder)
    if config:
        folder = folder / config
    if not folder.exists():
        return None
    versions = [
        Version(path.name)
        for path in folder.iterdir()
        if Version.is_valid(path.name)
        and (path / "dataset_info.json").exists()
        and (version is None or Version(path.name).match(version))
    ]
    return folder / str(max(versions)) if versions else None


def _default_config(folder):
    """Returns the name of the config that TFDS takes if none is named."""
    metadata = folder / ".config" / "metadata.json"
    if not metadata.exists():
        return None
    return json.loads(metadata.read_text()).get("default_config_name")


def _feature_keys(info):
    """Returns the names of the image and of the true label."""
    import tensorflow_datasets as tfds

    images = _keys_of_type(info.features, tfds.features.Image)
    labels = _keys_of_type(info.features, tfds.features.ClassLabel)
    supervised = info.supervised_keys
    if supervised and supervised[0] in images and supervised[1] in labels:
        return supervised[0], supervised[1]
    if len(images) == 1 and "label" in labels:
        return images[0], "label"
    if len(images) != 1 or len(labels) != 1:
        raise ValueError(
            "`name` must be a data set with one image and one class label. "
            f"Received: {info.full_name} with images {images} and labels "
            f"{labels}"
        )
    return images[0], labels[0]


def _check_label_key(label_key, true_key, info):
    """Checks that a feature holds other labels of the same classes."""
    import tensorflow_datasets as tfds

    num_classes = info.features[true_key].num_classes
    possible = [
        key
        for key in _keys_of_type(info.features, tfds.features.ClassLabel)
        if key != true_key and info.features[key].num_classes == num_classes
    ]
    if label_key not in possible:
        raise ValueError(
            "`label_key` must be a class label beside the true one, "
            f"{true_key!r}, with the same {num_classes} classes: one of "
            f"{possible} in {info.full_name}. Received: label_key={label_key!r}"
        )


def _keys_of_type(features, feature_type):
    return [
        key
        for key, feature in features.items()
        if isinstance(feature, feature_type)
    ]


def _image_shape(info, image_key, image_size):
    """Returns the shape `(height, width, channels)` of every image read."""
    feature = info.features[image_key]
    if feature.np_dtype != np.uint8 or feature.shape[-1] not in NORMALISATION:
        raise ValueError(
            "`name` must be a data set of uint8 images with 1 or 3 channels. "
            f"Received: {info.full_name} with {np.dtype(feature.np_dtype)} "
            f"images of shape {feature.shape}"
        )
    height, width, num_channels = feature.shape
    if image_size is not None:
        height, width = image_size
    elif height is None or width is None:
        raise ValueError(
            "`image_size` must be given for images of varying size. Received: "
            f"image_size=None for {info.full_name} with images of shape "
            f"{feature.shape}"
        )
    return height, width, num_channels


def _read_split(builder, split, image_key, true_key, label_key, shape):
    import tensorflow_datasets as tfds

    name = f"{builder.info.full_name} {split}"
    logging.info("Reading %s", name)
    label_keys = [key for key in (true_key, label_key) if key is not None]
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(
            {key: True for key in (image_key, *label_keys)},
            decoders={image_key: tfds.decode.SkipDecoding()},
        ),
        read_config=tfds.ReadConfig(
            add_tfds_id=True,
            try_autocache=False,
            num_parallel_calls_for_decode=NUM_PARALLEL_CALLS,
        ),
    )
    is_resized = builder.info.features[image_key].shape != shape

    def with_image(example):
        image = decoded_here(example[image_key], shape[-1])
        if is_resized:
            image = resized(image, shape)
        return {**example, image_key: tf.ensure_shape(image, shape)}

    dataset = dataset.map(with_image, NUM_PARALLEL_CALLS)
    num_examples = builder.info.splits[split].num_examples
    images = np.empty((num_examples, *shape), np.uint8)
    labels = {key: np.empty(num_examples, np.int64) for key in label_keys}
    example_ids = []
    batches = dataset.batch(_READ_BATCH_SIZE).prefetch(2)
    batches = with_fixed_parallelism(batches)
    for batch in batches.as_numpy_iterator():
        start = len(example_ids)
        stop = start + len(batch["tfds_id"])
        images[start:stop] = batch[image_key]
        for key in label_keys:
            labels[key][start:stop] = batch[key]
        example_ids.extend(i.decode() for i in batch["tfds_id"])
    num_classes = builder.info.features[true_key].num_classes
    for key in label_keys:
        check_labels(labels[key], num_classes, f"{key} of {name}")
    return ImageData(
        images,
        labels[true_key],
        np.array(example_ids),
        given_labels=labels.get(label_key),
    )
