import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.nets.full_image_conv import FullImageConv2D

MODES = ("eager", "graph", "xla")
SHAPE = (5, 2, 3, 4)  # Five images of 2 x 3 pixels and 4 channels.


def ours_and_keras(filters=6, kernel_size=(2, 3), shape=SHAPE, **kwargs):
    """Returns both layers, built, with the same random weights."""
    layers = (
        FullImageConv2D(filters, kernel_size, **kwargs),
        keras.layers.Conv2D(filters, kernel_size, **kwargs),
    )
    for layer in layers:
        layer.build((None, *shape[1:]))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layers


def draw(shape=SHAPE, seed=0, dtype="float32"):
    values = np.random.default_rng(seed).normal(size=shape)
    return tf.constant(values.astype("float32"), dtype)


def outputs_and_gradients(layer, x, mode="eager"):
    """Returns outputs, gradients by inputs and weights of a random sum."""

    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.convert_to_tensor(layer(x))
            weights = draw(outputs.shape, seed=2, dtype=outputs.dtype)
            total = tf.reduce_sum(outputs * weights)
        variables = [v.value for v in layer.trainable_variables]
        return outputs, tape.gradient(total, [x, *variables])

    if mode != "eager":
        compute = tf.function(compute, jit_compile=mode == "xla")
    outputs, gradients = compute(x)
    return [outputs, *gradients]


class FullImageConv2DTest(parameterized.TestCase):
    def assert_all_close(self, actual, expected, rtol=1e-5, atol=1e-5):
        self.assertLen(actual, len(expected))
        for a, b in zip(actual, expected, strict=True):
            self.assertEqual((a.dtype, a.shape), (b.dtype, b.shape))
            a, b = (np.asarray(tf.cast(value, "float32")) for value in (a, b))
            scale = max(1.0, np.abs(b).max())
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol * scale)

    def assert_same_as_keras(self, mode="eager", **kwargs):
        ours, theirs = ours_and_keras(**kwargs)
        x = draw(kwargs.get("shape", SHAPE))
        self.assert_all_close(
            outputs_and_gradients(ours, x, mode),
            outputs_and_gradients(theirs, x),
        )

    @parameterized.product(mode=MODES, use_bias=(True, False))
    def test_outputs_and_gradients_are_those_of_keras(self, mode, use_bias):
        self.assert_same_as_keras(mode, use_bias=use_bias)

    @parameterized.parameters(
        dict(activation="tanh"),
        dict(strides=2),
        dict(strides=(1, 3)),
        dict(kernel_size=3, shape=(5, 3, 3, 4)),
        dict(kernel_size=1, shape=(5, 1, 1, 4)),
        dict(filters=1, shape=(1, 2, 3, 1)),
    )
    def test_other_arguments_give_the_layer_of_keras(self, **kwargs):
        self.assert_same_as_keras(**kwargs)

    def test_the_sum_is_over_the_whole_image(self):
        layer = FullImageConv2D(1, 2, kernel_initializer="ones")

        outputs = layer(np.arange(8, dtype="float32").reshape(1, 2, 2, 2))

        self.assertEqual(outputs.numpy().tolist(), [[[[28.0]]]])

    @parameterized.parameters("eager", "xla")
    def test_half_precision_stays_near_keras(self, mode):
        ours, theirs = ours_and_keras(dtype="mixed_bfloat16")
        x = draw(dtype="bfloat16")

        actual = outputs_and_gradients(ours, x, mode)

        self.assertEqual(actual[0].dtype, "bfloat16")
        self.assertEqual({w.dtype for w in ours.weights}, {"float32"})
        # Each rounds by up to 2 ** -9 several times.
        self.assert_all_close(
            actual, outputs_and_gradients(theirs, x), rtol=2**-6, atol=2**-6
        )

    def test_batches_of_any_size_run_in_one_graph(self):
        ours, theirs = ours_and_keras()
        function = tf.function(
            ours, input_signature=[tf.TensorSpec((None, *SHAPE[1:]))]
        )

        for size in (1, 7):
            x = draw((size, *SHAPE[1:]))
            np.testing.assert_allclose(
                function(x), theirs(x), rtol=1e-5, atol=1e-5
            )
        # Keras's layer fails without an image, on a CPU.
        self.assertEqual(function(draw((0, *SHAPE[1:]))).shape, (0, 1, 1, 6))
        self.assertEqual(function.experimental_get_tracing_count(), 1)

    @parameterized.parameters(None, 5)
    def test_symbolic_outputs_have_one_pixel(self, batch_size):
        inputs = keras.Input(SHAPE[1:], batch_size)

        self.assertEqual(
            FullImageConv2D(6, (2, 3))(inputs).shape, (batch_size, 1, 1, 6)
        )

    def test_a_saved_layer_computes_the_same(self):
        model = keras.Sequential(
            [
                keras.Input(SHAPE[1:]),
                FullImageConv2D(6, (2, 3), activation="relu"),
            ]
        )
        folder = self.enter_context(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "net.keras")

        model.save(path)
        loaded = keras.saving.load_model(path)

        self.assertIsInstance(loaded.layers[0], FullImageConv2D)
        np.testing.assert_allclose(
            loaded(draw()), model(draw()), rtol=1e-5, atol=1e-5
        )

    @parameterized.parameters(
        dict(kernel_size=2),
        dict(kernel_size=(3, 2)),
        dict(kernel_size=(3, 3)),
        dict(padding="same"),
        dict(groups=2),
        dict(dilation_rate=(1, 2)),
        dict(data_format="channels_first", kernel_size=(3, 4)),
    )
    def test_what_is_no_product_is_refused_in_one_line(self, **wrong):
        layer = FullImageConv2D(6, **dict(kernel_size=(2, 3)) | wrong)

        with self.assertRaisesRegex(
            ValueError, r"\A`kernel_size` must .*Received: kernel_size=.*\Z"
        ):
            layer(draw())

    @parameterized.parameters(((5, 4, 3, 4),), ((5, 3, 2, 4),), ((5, 6, 1, 4),))
    def test_a_built_layer_refuses_images_of_another_size(self, shape):
        layer, _ = ours_and_keras()

        with self.assertRaisesRegex(ValueError, "incompatible"):
            layer(draw(shape))


if __name__ == "__main__":
    absltest.main()
