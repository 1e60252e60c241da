"""Image classification data sets of TensorFlow Datasets (TFDS)."""

import json
import os
import re

import numpy as np
import tensorflow as tf
from absl import logging

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.labels import check_labels
from limit_tf.noise.arguments import check_integer

_NAME = re.compile(
    r"(?P<dataset>[A-Za-z]\w*)"
    r"(/(?P<config>[^/:]+))?"
    r"(:(?P<version>[\d*]+\.[\d*]+\.[\d*]+))?"
)
# By number of channels: the mean and the standard deviation with which the
# LIMIT experiments normalise grey images (MNIST) and RGB images (CIFAR).
_NORMALISATION = {
    1: ((0.456,), (0.224,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_READ_BATCH_SIZE = 1024


def load(
    name: str,
    data_dir: str | None = None,
    download: bool = True,
    *,
    image_size: tuple[int, int] | None = None,
    max_bytes: int = 16 * 2**30,
) -> Source:
    """Loads the train and test splits of a TFDS data set into memory.

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
        image_size = _checked_image_size(image_size)
    builder = _prepared_builder(name, data_dir, download)
    info = builder.info
    for split in ("train", "test"):
        if split not in info.splits:
            raise ValueError(
                f"`name` must be a data set with a {split} split. Received: "
                f"{info.full_name} with the splits {', '.join(info.splits)}"
            )
    image_key, label_key = _feature_keys(info)
    shape = _image_shape(info, image_key, image_size)
    num_bytes = int(np.prod(shape, dtype=np.int64)) * sum(
        info.splits[split].num_examples for split in ("train", "test")
    )
    if num_bytes > max_bytes:
        raise ValueError(
            f"`max_bytes` must not be less than the {num_bytes:,} bytes that "
            f"the images of {info.full_name} take. Received: "
            f"max_bytes={max_bytes:,}"
        )
    class_names = tuple(info.features[label_key].names)
    train, test = (
        _read_split(
            builder, split, image_key, label_key, shape, len(class_names)
        )
        for split in ("train", "test")
    )
    pixel_mean, pixel_std = _NORMALISATION[shape[-1]]
    return Source(
        name=name,
        train=train,
        test=test,
        class_names=class_names,
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        pixel_max=255.0,
    )


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
    """Returns the names of the image and of the label among the features."""
    import tensorflow_datasets as tfds

    images = _keys_of_type(info.features, tfds.features.Image)
    labels = _keys_of_type(info.features, tfds.features.ClassLabel)
    supervised = info.supervised_keys
    if supervised and supervised[0] in images and supervised[1] in labels:
        return supervised[0], supervised[1]
    if len(images) != 1 or len(labels) != 1:
        raise ValueError(
            "`name` must be a data set with one image and one class label. "
            f"Received: {info.full_name} with images {images} and labels "
            f"{labels}"
        )
    return images[0], labels[0]


def _keys_of_type(features, feature_type):
    return [
        key
        for key, feature in features.items()
        if isinstance(feature, feature_type)
    ]


def _image_shape(info, image_key, image_size):
    """Returns the shape `(height, width, channels)` of every image read."""
    feature = info.features[image_key]
    if feature.np_dtype != np.uint8 or feature.shape[-1] not in _NORMALISATION:
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


def _read_split(builder, split, image_key, label_key, shape, num_classes):
    import tensorflow_datasets as tfds

    name = f"{builder.info.full_name} {split}"
    logging.info("Reading %s", name)
    # AUTOTUNE would need seconds to find out how many calls are useful.
    num_parallel_calls = os.cpu_count()
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(
            {image_key: True, label_key: True}
        ),
        read_config=tfds.ReadConfig(
            add_tfds_id=True,
            try_autocache=False,
            num_parallel_calls_for_decode=num_parallel_calls,
        ),
    )
    if builder.info.features[image_key].shape != shape:

        def resized(example):
            image = _resized(example[image_key], shape)
            return {**example, image_key: image}

        dataset = dataset.map(resized, num_parallel_calls)
    num_examples = builder.info.splits[split].num_examples
    images = np.empty((num_examples, *shape), np.uint8)
    labels = np.empty(num_examples, np.int64)
    example_ids = []
    batches = dataset.batch(_READ_BATCH_SIZE).prefetch(2)
    for batch in batches.as_numpy_iterator():
        start = len(example_ids)
        stop = start + len(batch[label_key])
        images[start:stop] = batch[image_key]
        labels[start:stop] = batch[label_key]
        example_ids.extend(i.decode() for i in batch["tfds_id"])
    labels = check_labels(labels, num_classes, f"labels of {name}")
    return ImageData(images, labels, np.array(example_ids))


def _resized(image, shape):
    image = tf.image.resize(image, shape[:2], antialias=True)
    return tf.ensure_shape(tf.cast(tf.round(image), tf.uint8), shape)


def _checked_image_size(image_size):
    if not isinstance(image_size, tuple | list) or len(image_size) != 2:
        raise TypeError(
            "`image_size` must be a pair (height, width). "
            f"Received: image_size={image_size!r}"
        )
    return tuple(check_integer(i, "image_size", low=1) for i in image_size)
