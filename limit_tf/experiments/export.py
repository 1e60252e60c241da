"""The classifier as a SavedModel, in numbered versions."""

import contextlib
import pathlib

import keras
import tensorflow as tf
from absl import logging

from limit_tf.experiments import atomic_files


def export_classifier(
    classifier: keras.Model, folder: pathlib.Path
) -> pathlib.Path:
    """Writes the classifier as the next version in a folder.

    Args:
        classifier: Built network.
        folder: Folder of numbered versions; made if absent. A server that
            polls it never sees half a model.

    Returns:
        Folder of the new version, from images to logits.
    """
    with atomic_files.new_version(folder) as (temporary, publish):
        with _quiet():
            classifier.export(temporary, verbose=False)
        return publish()


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow's notes on renamed resources from the user."""
    logger = tf.get_logger()
    levels = logging.get_verbosity(), logger.level
    logging.set_verbosity(logging.WARNING)
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        logger.setLevel(levels[1])
