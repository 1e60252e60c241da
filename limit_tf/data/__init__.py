"""Data: loading, splitting and corrupting it, and batching it as `tf.data`."""

from limit_tf.data import digits
from limit_tf.data import tfds_source
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source
from limit_tf.data.labels import check_labels
from limit_tf.data.pipeline import evaluation_dataset
from limit_tf.data.pipeline import num_batches
from limit_tf.data.pipeline import training_dataset
from limit_tf.data.splits import LabelledImages
from limit_tf.data.splits import NoisySplits
from limit_tf.data.splits import noisy_splits

__all__ = [
    "SOURCES",
    "ImageData",
    "LabelledImages",
    "NoisySplits",
    "Source",
    "check_labels",
    "evaluation_dataset",
    "load",
    "noisy_splits",
    "num_batches",
    "training_dataset",
]

# Data sets that do not come from TFDS.
SOURCES = {
    "digits": digits.load,
}


def load(
    name: str,
    *,
    data_dir: str | None = None,
    download: bool = True,
    image_size: tuple[int, int] | None = None,
) -> Source:
    """Loads a data set by its name.

    Args:
        name: A key of `SOURCES`, or else the name of a TFDS data set, as
            `limit_tf.data.tfds_source.load` takes it.
        data_dir: Folder of prepared TFDS data sets; by default that of TFDS.
        download: Whether TFDS may download what is not there.
        image_size: `(height, width)` to resize the images of TFDS to.

    Returns:
        The `Source`.

    Raises:
        FileNotFoundError: If the data is not there and is not downloaded.
        RuntimeError: If the download fails.
        TypeError: If an argument has the wrong type.
        ValueError: If the data set cannot be used, and why.
    """
    if name not in SOURCES:
        return tfds_source.load(name, data_dir, download, image_size=image_size)
    if image_size is not None:
        raise ValueError(
            f"`image_size` does not belong to the data set {name!r}. "
            f"Received: image_size={image_size}"
        )
    return SOURCES[name]()
