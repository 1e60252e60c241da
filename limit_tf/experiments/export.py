"""The classifier as a SavedModel, in numbered versions."""

import contextlib
import pathlib
import tempfile

import keras
import tensorflow as tf
from absl import logging

from limit_tf import atomic_files


def make_folder(export_dir: str, name: str) -> pathlib.Path:
    """Makes the folder of a model's versions.

    Args:
        export_dir: Folder of all exports.
        name: Name of the model.

    Returns:
        The folder `export_dir/name`.

    Raises:
        ValueError: If it cannot be made or written to.
    """
    folder = pathlib.Path(export_dir) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            "`config.export_dir` must be a folder that can be written to. "
            f"Received: {export_dir!r} ({error.strerror})"
        ) from error
    return folder


def export_classifier(
    classifier: keras.Model, folder: pathlib.Path
) -> pathlib.Path:
    """Writes the classifier as the next version in a folder.

    Args:
        classifier: Built network.
        folder: Folder of numbered versions. A server that polls it never
            sees half a model.

    Returns:
        Folder of the new version, from images to logits.
    """
    with atomic_files.new_version(folder) as (temporary, publish):
        with quiet():
            classifier.export(temporary, verbose=False)
        return publish()


@contextlib.contextmanager
def quiet():
    """Keeps TensorFlow's notes on what it saves from the user."""
    logger = tf.get_logger()
    levels = logging.get_verbosity(), logger.level
    logging.set_verbosity(logging.WARNING)
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        logger.setLevel(levels[1])
