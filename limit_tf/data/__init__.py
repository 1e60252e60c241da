"""Data: loading, splitting and corrupting it, and batching it as `tf.data`."""

import dataclasses
import functools
import inspect

from limit_tf.data import arrays
from limit_tf.data import clothing1m
from limit_tf.data import csv_list
from limit_tf.data import digits
from limit_tf.data import folder
from limit_tf.data import tfds_source
from limit_tf.data import tfrecord
from limit_tf.data.arrays import from_arrays
from limit_tf.data.given_labels import GivenLabels
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Images
from limit_tf.data.image_data import Source
from limit_tf.data.image_data import is_stored
from limit_tf.data.image_files import ImageFiles
from limit_tf.data.image_loading import load_images
from limit_tf.data.labelled_files import check_path
from limit_tf.data.labels import check_labels
from limit_tf.data.labels_file import apply_labels_file
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.pipeline import evaluation_dataset
from limit_tf.data.pipeline import num_batches
from limit_tf.data.pipeline import steps_per_execution
from limit_tf.data.pipeline import training_dataset
from limit_tf.data.record_images import RecordImages
from limit_tf.data.service import check_service
from limit_tf.data.splits import LabelledImages
from limit_tf.data.splits import NoisySplits
from limit_tf.data.splits import noisy_splits

__all__ = [
    "SOURCES",
    "OWN_SOURCES",
    "GivenLabels",
    "ImageData",
    "ImageFiles",
    "Images",
    "LabelledImages",
    "NoisySplits",
    "RecordImages",
    "Source",
    "apply_labels_file",
    "check_labels",
    "check_service",
    "evaluation_dataset",
    "from_arrays",
    "is_stored",
    "load",
    "load_images",
    "noisy_splits",
    "num_batches",
    "steps_per_execution",
    "training_dataset",
    "with_fixed_parallelism",
]

# Data sets that do not come from TFDS. A source takes those arguments of
# `load` that its function has.
SOURCES = {
    "digits": digits.load,
    "folder": folder.load,
    "csv": csv_list.load,
    "arrays": arrays.load,
    "tfrecord": tfrecord.load,
    "clothing1m": clothing1m.load,
}
# Those of one's own data, which nobody has split before.
OWN_SOURCES = ("folder", "csv", "arrays", "tfrecord")


def load(
    name: str,
    *,
    data_dir: str | None = None,
    download: bool = True,
    image_size: tuple[int, int] | None = None,
    labels_file: str | None = None,
    test_labels_are_checked: bool | None = None,
    stratify: bool = True,
    **options: object,
) -> Source:
    """Loads a data set by its name.

    Args:
        name: A key of `SOURCES`: `"digits"`; or `"folder"`, `"csv"`,
            `"arrays"`, `"tfrecord"` or `"clothing1m"` for data of one's own;
            or else the name of a TFDS data set, as
            `limit_tf.data.tfds_source.load` takes it.
        data_dir: Where the data is: the folder or file that the source reads.
            For TFDS the folder of prepared data sets, by default its own.
        download: Whether TFDS may download what is not there.
        image_size: `(height, width)` to resize the images to.
        labels_file: If given, a file of labels for the images of any source,
            as `apply_labels_file` takes it, those of a held-out test part
            included. `noisy_splits` applies it, to the images that are used.
        test_labels_are_checked: Whether you vouch for the labels of the test
            part. By default those of a part that the data has of itself are
            taken to be checked (a folder `test`, a column `split`, a TFDS
            split), and those of a part that was held out are not.
        stratify: Whether a part that is held out for the test is chosen class
            by class.
        **options: Further arguments of the source, such as `train_size`,
            `num_channels`, `num_classes`, `max_unreadable`, `check_images`,
            `test_fraction`, `tfrecord`, `stream` and `label_key`; `None` counts
            as not given.

    Returns:
        The `Source`.

    Raises:
        FileNotFoundError: If the data is not there and is not downloaded.
        RuntimeError: If the download fails.
        TypeError: If an argument has the wrong type.
        ValueError: If the data set cannot be used, and why; or if an argument
            is missing or does not belong to it.
    """
    read = SOURCES.get(name)
    if read is None:
        read = functools.partial(tfds_source.load, name, download=download)
    parameters = inspect.signature(read).parameters
    given = {"data_dir": data_dir, "image_size": image_size, **options}
    arguments = {}
    for key, value in given.items():
        if value is None:
            continue
        if key not in parameters:
            raise ValueError(
                f"`{key}` does not belong to the data set {name!r}. "
                f"Received: {key}={value!r}"
            )
        arguments[key] = value
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in arguments:
            raise ValueError(
                f"`{key}` is needed by the data set {name!r}. "
                f"Received: {key}=None"
            )
    if labels_file is not None:  # Before the data is read, which takes long.
        if "label_key" in arguments:
            raise ValueError(
                "`labels_file` must be left out where `label_key` names the "
                "labels already. Received: "
                f"label_key={arguments['label_key']!r} and "
                f"labels_file={str(labels_file)!r}"
            )
        labels_file = check_path(labels_file, "file", "labels_file")
    if test_labels_are_checked not in (None, True, False):
        raise TypeError(
            "`test_labels_are_checked` must be a bool. Received: "
            f"test_labels_are_checked={test_labels_are_checked!r}"
        )
    if "stratify" in parameters:
        arguments["stratify"] = stratify
    source = read(**arguments)
    changes = {}
    if test_labels_are_checked is not None:
        changes["test_labels_are_checked"] = test_labels_are_checked
    if labels_file is not None:
        changes["labels_file"] = GivenLabels.read(
            labels_file, source.class_names
        )
    return dataclasses.replace(source, **changes) if changes else source
