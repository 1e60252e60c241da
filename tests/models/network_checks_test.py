"""What is no network that ends in logits is named in one line."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models import network_checks


class Foreign:
    """Stands for a class of a package that is not installed."""


def foreign(module, name):
    base = type(name, (Foreign,), {"__module__": module})
    return type("MyNetwork", (base,), {})()


def function(x):
    return x


def dense(units=2, **kwargs):
    return keras.layers.Dense(units, **kwargs)


def model(outputs):
    inputs = keras.Input((4,))
    return keras.Model(inputs, outputs(inputs))


class NetworkChecksTest(parameterized.TestCase):
    def refused(self, error, message, network):
        with self.assertRaisesRegex(error, message) as caught:
            network_checks.check_network(network, "classifier")
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        (foreign("tf_keras.src.engine.training", "Model"), "tf_keras.*Keras 3"),
        (foreign("torch.nn.modules.module", "Module"), "MyNetwork"),
        (function, "type function"),
        (["a", "b"], "type list"),
        ("resnet", "type str"),
        (np.zeros((99, 99)), "numpy.ndarray"),
        (keras.Sequential, "class Sequential itself"),
        (None, "NoneType"),
    )
    def test_other_types_are_named(self, value, message):
        self.refused(TypeError, f"`classifier` .*keras.Model.*{message}", value)

    def test_a_layer_is_no_model(self):
        self.refused(TypeError, "type keras.*Dense", dense())

    def test_models_without_layers(self):
        for network in (
            keras.Sequential(),
            keras.Sequential([keras.Input((4,))]),
        ):
            self.refused(ValueError, "must have layers", network)

    @parameterized.parameters(
        (lambda x: [dense()(x), dense()(x)],),
        (lambda x: [dense()(x)],),
        (lambda x: {"logits": dense()(x)},),
        (lambda x: dense(1)(x),),
        (lambda x: keras.layers.Reshape((2, 2))(dense(4)(x)),),
    )
    def test_outputs_of_another_form(self, outputs):
        self.refused(ValueError, "`classifier`.*num_classes", model(outputs))

    @parameterized.parameters(
        ("softmax", lambda x: keras.ops.softmax(dense()(x))),
        ("sigmoid", lambda x: keras.ops.sigmoid(dense()(x))),
        (
            "softmax",
            lambda x: keras.layers.Dropout(0.1)(dense(activation="softmax")(x)),
        ),
        (
            "softmax",
            lambda x: keras.layers.Activation("linear", dtype="float32")(
                keras.layers.Softmax()(dense()(x))
            ),
        ),
    )
    def test_probabilities_behind_other_operations(self, name, outputs):
        self.refused(ValueError, f"logits.*{name}", model(outputs))

    def test_logits_pass(self):
        for outputs in (
            lambda x: dense()(x),
            lambda x: keras.layers.Dropout(0.1)(dense()(x)),
            lambda x: dense()(keras.ops.softmax(x)),
        ):
            network_checks.check_network(model(outputs), "classifier")


if __name__ == "__main__":
    absltest.main()
