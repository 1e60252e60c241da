"""Every model exports its classifier: plain inputs in, logits out."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers

import limit_tf
from tests import testing


def served(folder, x):
    """Returns what an export answers by the function and the signature."""
    loaded = tf.saved_model.load(folder)
    (answer,) = loaded.signatures["serving_default"](
        **{loaded_input_name(loaded): tf.constant(x)}
    ).values()
    return loaded.serve(x).numpy(), answer.numpy()


def loaded_input_name(loaded):
    _, inputs = loaded.signatures["serving_default"].structured_input_signature
    (name,) = inputs
    return name


def pair():
    """Returns a network of two inputs."""
    inputs = [keras.Input((3,)), keras.Input((2,), dtype="uint8")]
    second = keras.ops.cast(inputs[1], "float32")
    hidden = layers.Concatenate()([inputs[0], second])
    return keras.Model(inputs, layers.Dense(2, use_bias=False)(hidden))


def by_name():
    """Returns a network of inputs by name."""
    inputs = {
        "a": keras.Input((3,), name="a"),
        "b": keras.Input((2,), name="b"),
    }
    hidden = layers.Concatenate()([inputs["a"], inputs["b"]])
    return keras.Model(inputs, layers.Dense(2, use_bias=False)(hidden))


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class ByName(keras.Model):
    """Network of inputs by name, whose structure Keras cannot see."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = layers.Dense(2)

    def call(self, inputs):
        second = keras.ops.cast(inputs["b"], "float32")
        return self.head(keras.ops.concatenate([inputs["a"], second], axis=-1))


class ExportTest(parameterized.TestCase):
    @parameterized.parameters(*testing.METHODS)
    def test_export_before_and_after_loading(self, method):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_model(method, seed=1)
        folder = self.create_tempdir().full_path
        model.save(os.path.join(folder, "model.keras"))
        loaded = keras.models.load_model(os.path.join(folder, "model.keras"))
        for number, one in enumerate((model, loaded)):
            path = os.path.join(folder, str(number))
            one.export(path, verbose=False)
            for answer in served(path, x):
                testing.assert_close(answer, model(x), atol=1e-5)

    def test_labels_and_the_predictor_stay_out(self):
        model = testing.toy_limit_model(seed=1)
        folder = self.create_tempdir().full_path
        model.export(folder, verbose=False)
        count = len(tf.saved_model.load(folder).variables)
        self.assertEqual(count, len(model.classifier.weights))

    @parameterized.parameters(
        (pair, [np.ones((4, 3), "float32"), np.ones((4, 2), "uint8")]),
        (
            by_name,
            {"a": np.ones((4, 3), "float32"), "b": np.ones((4, 2), "float32")},
        ),
        (
            ByName,
            {"a": np.ones((4, 3), "float32"), "b": np.ones((4, 2), "uint8")},
        ),
        (
            lambda: keras.Sequential([layers.Dense(3)]),
            np.ones((4, 3), "float64"),
        ),
    )
    def test_structures_of_inputs(self, build, x):
        model = limit_tf.LimitModel(build())
        model.compile(run_eagerly=True)
        model.fit(x, np.array([0, 1, 0, 1]), verbose=0)
        folder = self.create_tempdir().full_path
        model.save(os.path.join(folder, "model.keras"))
        loaded = keras.models.load_model(os.path.join(folder, "model.keras"))
        x = keras.tree.map_structure(
            lambda a: tf.cast(a, "float32") if a.dtype == "float64" else a, x
        )
        x = keras.tree.map_structure(tf.constant, x)
        for number, one in enumerate((model, loaded)):
            path = os.path.join(folder, str(number))
            one.export(path, verbose=False)
            artifact = tf.saved_model.load(path)
            testing.assert_close(artifact.serve(x), model(x), atol=1e-5)

    @parameterized.parameters("limit", "elr_plus")
    def test_export_archive_takes_a_model(self, method):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_model(method, seed=1)
        archive = keras.export.ExportArchive()
        archive.track(model)
        spec = keras.InputSpec(shape=(None, x.shape[1]), dtype="float32")
        archive.add_endpoint("serve", model.call, [spec])
        folder = self.create_tempdir().full_path
        archive.write_out(folder, verbose=False)
        artifact = tf.saved_model.load(folder)
        testing.assert_close(artifact.serve(x), model(x), atol=1e-5)

    def test_vocabulary_is_exported(self):
        texts = tf.constant(["a b", "b c c", "d", "a"])
        vectorize = layers.TextVectorization(output_mode="count")
        vectorize.adapt(texts)
        model = limit_tf.LimitModel(
            keras.Sequential([vectorize, layers.Dense(2)])
        )
        model(texts)
        folder = self.create_tempdir().full_path
        model.export(folder, verbose=False)
        artifact = tf.saved_model.load(folder)
        testing.assert_close(artifact.serve(texts), model(texts), atol=1e-5)

    def test_model_must_be_built(self):
        model = limit_tf.LimitModel(keras.Sequential([layers.Dense(2)]))
        with self.assertRaisesRegex(ValueError, "`export` must.*built"):
            model.export(self.create_tempdir().full_path)


if __name__ == "__main__":
    absltest.main()
