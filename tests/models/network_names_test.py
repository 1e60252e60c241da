"""Networks of equal names are told apart by all that goes by names."""

import collections
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from tensorflow.core.util import event_pb2

import limit_tf
from tests import testing


def network(name="mine"):
    """Returns a functional network, whose weights go by its layers' names."""
    inputs = keras.Input((testing.NUM_FEATURES,))
    hidden = keras.layers.Dense(5, name="hidden")(inputs)
    head = keras.layers.Dense(testing.NUM_CLASSES, use_bias=False, name="head")
    return keras.Model(inputs, head(hidden), name=name)


def model_of(method):
    """Returns a model of equally named networks, where it has several."""
    networks = [network()]
    if method in ("elr_plus", "limit", "soft_regularization"):
        networks.append(network())
    ids = {"num_examples": 16} if method.startswith("elr") else {}
    return testing.METHODS[method](*networks, seed=0, **ids)


class NetworkNamesTest(parameterized.TestCase):
    @parameterized.parameters(*testing.METHODS)
    def test_names_and_paths_are_distinct(self, method):
        model = model_of(method)
        names = [layer.name for layer in model.layers]
        self.assertLen(set(names), len(names))
        paths = [weight.path for weight in model.weights]
        self.assertLen(set(paths), len(paths))

    @parameterized.parameters(*testing.METHODS)
    def test_hdf5_file_holds_the_whole_model(self, method):
        x, y = testing.toy_batch(seed=0)
        inputs = testing.training_inputs(method, x)
        model = testing.compiled(model_of(method), run_eagerly=True)
        model.train_on_batch(inputs, y)
        path = os.path.join(self.create_tempdir(), "model.h5")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertIs(type(loaded), type(model))
        np.testing.assert_array_equal(testing.flat(loaded), testing.flat(model))
        loaded.run_eagerly = True
        testing.assert_logs_close(
            *(one.train_on_batch(inputs, y) for one in (model, loaded))
        )
        testing.assert_close(testing.flat(loaded), testing.flat(model))

    def test_copies_and_unbuilt_networks_get_names_too(self):
        copied = limit_tf.LimitModel(network())
        unbuilt = limit_tf.LimitModel(
            keras.Sequential([keras.layers.Dense(2)], name="mine")
        )
        unbuilt(np.ones((2, 3), "float32"))
        for model in (copied, unbuilt):
            self.assertEqual(
                [layer.name for layer in model.layers],
                ["mine", "mine_gradient_predictor"],
            )
            self.assertIs(
                model.get_layer("mine_gradient_predictor"),
                model.gradient_predictor,
            )
            paths = [weight.path for weight in model.weights]
            self.assertLen(set(paths), len(paths))
        elr_plus = limit_tf.ElrPlusModel(network(), num_examples=4)
        self.assertEqual(
            [layer.name for layer in elr_plus.layers[:2]],
            ["mine", "mine_second_classifier"],
        )

    def test_summary_tells_the_networks_apart(self):
        lines = []
        limit_tf.LimitModel(network()).summary(
            print_fn=lambda text, **_: lines.append(text), line_length=90
        )
        text = "\n".join(lines)
        self.assertIn("mine (Functional)", text)
        self.assertIn("mine_gradient_predictor (Functional)", text)

    def test_histograms_have_a_tag_each(self):
        x, y = testing.toy_batch(seed=0)
        folder = self.create_tempdir().full_path
        model = testing.compiled(limit_tf.LimitModel(network()))
        board = keras.callbacks.TensorBoard(folder, histogram_freq=1)
        model.fit(x, y, verbose=0, callbacks=[board])
        tags = [
            value.tag
            for file in pathlib.Path(folder, "train").iterdir()
            for record in tf.data.TFRecordDataset(str(file))
            for value in event_pb2.Event.FromString(
                record.numpy()
            ).summary.value
        ]
        counts = collections.Counter(t for t in tags if "histogram" in t)
        self.assertEqual(
            counts,
            {
                f"{prefix}{weight}/histogram": 1
                for prefix in ("", "gradient_predictor/")
                for weight in ("hidden/kernel", "hidden/bias", "head/kernel")
            },
        )


if __name__ == "__main__":
    absltest.main()
