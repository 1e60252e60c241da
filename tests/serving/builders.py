"""Finished runs that the tests of exports share: one training a process."""

import functools
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.serving.export import ClassifierExport
from tests import testing

CLASS_NAMES = ("bird", "cat", "dog")


@functools.cache
def digits_run():
    """Returns the folder of a finished run of LIMIT on digits."""
    folder = tempfile.mkdtemp()
    config = testing.tiny_config(folder)
    return _finished(config, folder)


@functools.cache
def folder_run():
    """Returns the folder of a run on JPEG and PNG files of many sizes."""
    folder = tempfile.mkdtemp()
    config = testing.tiny_config(
        folder,
        data={
            "name": "folder",
            "data_dir": str(write_images(pathlib.Path(folder, "images"))),
            "image_size": 16,
            "num_train_examples": None,
        },
        training={"epochs": 1},
    )
    config.name = "photos"
    return _finished(config, folder)


@functools.cache
def exported_digits():
    """Returns the folder of a digits model with its gradient predictor."""
    return _exported(digits_run(), "digits")


@functools.cache
def exported_photos():
    """Returns the folder of a model of `folder_run`."""
    return _exported(folder_run(), "photos")


def write_images(root):
    """Writes RGB files: 16 x 16 and others, JPEG and PNG by turns."""
    rng = np.random.default_rng(0)
    for split, number in (("train", 20), ("test", 10)):
        for label, name in enumerate(CLASS_NAMES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                size = (16, 16) if i % 4 == 0 else rng.integers(9, 40, 2)
                low = 80 * label
                image = rng.integers(low, low + 80, (*size, 3), np.uint8)
                if i % 2:
                    content = tf.io.encode_jpeg(image)
                else:
                    content = tf.io.encode_png(image)
                suffix = "jpg" if i % 2 else "png"
                path = folder / f"{i}.{suffix}"
                path.write_bytes(content.numpy())
    return root


def signature_defs(version):
    """Returns the signatures of a SavedModel as messages, by their names."""
    return graph(version).signature_def


def graph(version):
    """Returns the graph of a SavedModel that has the tag `serve`."""
    saved = saved_model_pb2().SavedModel()
    saved.ParseFromString(pathlib.Path(version, "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    assert list(meta_graph.meta_info_def.tags) == ["serve"]
    return meta_graph


def saved_model_pb2():
    """Returns TensorFlow's module of the message."""
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415

    return saved_model_pb2


def _exported(workdir, name):
    output = pathlib.Path(tempfile.mkdtemp(), "saved_models", name)
    run = FinishedRun(workdir)
    ClassifierExport(run, str(output), with_predictor=True).run()
    return output


def _finished(config, folder):
    workdir = str(pathlib.Path(folder, "run"))
    Experiment(config, workdir).run()
    return workdir
