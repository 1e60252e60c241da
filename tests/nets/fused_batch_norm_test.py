import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.nets.fused_batch_norm import FusedBatchNormalization
from tests import testing

MODES = ("eager", "graph", "xla")
SHAPES = ((8, 5), (4, 3, 2, 5))


def ours_and_keras(shape, **kwargs):
    """Returns both layers, built, with the same random weights."""
    arguments = dict(momentum=0.9, epsilon=1e-3) | kwargs
    layers = (
        FusedBatchNormalization(**arguments),
        keras.layers.BatchNormalization(**arguments),
    )
    for layer in layers:
        layer.build((None, *shape[1:]))
        rng = np.random.default_rng(1)
        layer.set_weights(
            [rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
        )
    return layers


def draw(shape, seed=0, dtype="float32"):
    values = np.random.default_rng(seed).normal(0.5, 2.0, shape)
    return tf.constant(values.astype("float32"), dtype)


def in_mode(function, mode):
    if mode == "eager":
        return function
    return tf.function(function, jit_compile=mode == "xla")


def outputs_and_gradients(layer, x, training, mode="eager", **kwargs):
    """Returns outputs, gradients by inputs and weights of a random sum."""
    weights = draw(x.shape, seed=2)

    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training, **kwargs)
            total = tf.reduce_sum(
                tf.cast(outputs, weights.dtype) * weights, keepdims=True
            )
        variables = [v.value for v in layer.trainable_variables]
        return outputs, tape.gradient(total, [x, *variables])

    outputs, gradients = in_mode(compute, mode)(x)
    return [outputs, *gradients]


class FusedBatchNormalizationTest(parameterized.TestCase):
    def assert_all_close(self, actual, expected, rtol=1e-5, atol=1e-5):
        self.assertLen(actual, len(expected))
        for a, b in zip(actual, expected, strict=True):
            self.assertEqual(a.dtype, b.dtype)
            a, b = (np.asarray(tf.cast(value, "float64")) for value in (a, b))
            scale = max(1.0, np.abs(b).max())
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol * scale)

    def assert_same_as_keras(self, shape, x=None, call=None, **kwargs):
        ours, theirs = ours_and_keras(shape, **kwargs)
        x = draw(shape) if x is None else x
        for training in (True, False):
            self.assert_all_close(
                outputs_and_gradients(ours, x, training, **(call or {})),
                outputs_and_gradients(theirs, x, training, **(call or {})),
            )
        self.assert_all_close(ours.get_weights(), theirs.get_weights())

    @parameterized.product(mode=MODES, shape=SHAPES, training=(True, False))
    def test_outputs_and_gradients_are_those_of_keras(
        self, mode, shape, training
    ):
        ours, theirs = ours_and_keras(shape)

        actual = outputs_and_gradients(ours, draw(shape), training, mode)

        self.assertLen(actual, 4)  # Outputs; by inputs, gamma and beta.
        self.assert_all_close(
            actual, outputs_and_gradients(theirs, draw(shape), training)
        )

    @parameterized.product(mode=MODES, shape=SHAPES)
    def test_statistics_move_as_those_of_keras(self, mode, shape):
        ours, theirs = ours_and_keras(shape)
        before = ours.moving_variance.numpy()
        step = in_mode(lambda x: ours(x, training=True), mode)

        for seed in range(4):
            step(draw(shape, seed))
            theirs(draw(shape, seed), training=True)

        self.assert_all_close(ours.get_weights(), theirs.get_weights())
        self.assertGreater(np.abs(ours.moving_variance - before).min(), 0.01)

    def test_statistics_are_moved_by_mean_and_biased_variance(self):
        layer = FusedBatchNormalization(momentum=0.75)

        layer(np.array([[1.0], [5.0]], "float32"), training=True)

        # Mean 3 and variance (4 + 4) / 2, a quarter of the way from 0 and 1.
        np.testing.assert_allclose(layer.moving_mean, [0.75], rtol=1e-6)
        np.testing.assert_allclose(layer.moving_variance, [1.75], rtol=1e-6)

    @parameterized.product(shape=SHAPES, scale=(True, False))
    def test_without_offset_or_scale_the_layer_is_that_of_keras(
        self, shape, scale
    ):
        self.assert_same_as_keras(shape, scale=scale, center=False)
        self.assert_same_as_keras(shape, scale=scale, center=True)

    @parameterized.parameters(((1, 5),), ((1, 1, 1, 5),), ((1, 3, 2, 5),))
    def test_a_batch_of_one_is_normalised_as_by_keras(self, shape):
        self.assert_same_as_keras(shape)

    @parameterized.parameters(*SHAPES)
    def test_a_frozen_layer_infers_and_keeps_its_statistics(self, *shape):
        ours, _ = ours_and_keras(shape)
        inferred = ours(draw(shape), training=False)
        before = ours.get_weights()
        ours.trainable = False

        outputs = ours(draw(shape), training=True)

        np.testing.assert_allclose(outputs, inferred, rtol=1e-5, atol=1e-5)
        for a, b in zip(ours.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)

    @parameterized.product(
        dtype=("float16", "bfloat16"),
        mode=("eager", "xla"),
        shape=SHAPES,
    )
    def test_half_inputs_stay_so_with_statistics_in_float32(
        self, dtype, mode, shape
    ):
        ours, theirs = ours_and_keras(shape, dtype=f"mixed_{dtype}")
        x = draw(shape, dtype=dtype)
        # Half a unit in the last place and some of Keras's own rounding.
        tolerance = {"float16": 2**-9, "bfloat16": 2**-6}[dtype]

        for training in (True, False):
            actual = outputs_and_gradients(ours, x, training, mode)
            self.assert_all_close(
                actual,
                outputs_and_gradients(theirs, x, training),
                rtol=tolerance,
                atol=tolerance,
            )
            self.assertEqual(actual[0].dtype, dtype)
        self.assertEqual({w.dtype for w in ours.weights}, {"float32"})
        # The statistics are of the same half inputs, summed in float32.
        self.assert_all_close(
            ours.get_weights()[2:], theirs.get_weights()[2:], atol=1e-4
        )

    @parameterized.named_parameters(
        ("mask", (4, 3), dict(), dict(mask=np.array([1, 1, 0, 1]) > 0)),
        ("axis", (4, 3, 2, 5), dict(axis=1)),
        ("rank_3", (4, 3, 5)),
        ("float64", (4, 5), dict(dtype="float64")),
        ("float64_images", (4, 3, 2, 5), dict(dtype="float64")),
        ("synchronized", (4, 3, 2, 5), dict(synchronized=True)),
        ("half_weights", (4, 5), dict(dtype="bfloat16")),
        ("no_autocast", (4, 5), dict(dtype="mixed_bfloat16", autocast=False)),
    )
    def test_where_no_kernel_reaches_it_is_the_layer_of_keras(
        self, shape, arguments=None, call=None
    ):
        dtype = "float64" if "float64" in str(arguments) else "float32"
        x = draw(shape, dtype=dtype)

        self.assert_same_as_keras(shape, x, call, **(arguments or {}))

    @parameterized.product(
        shape=SHAPES, mode=("eager", "graph"), training=(True, False)
    )
    def test_second_order_gradients_are_those_of_keras(
        self, shape, mode, training
    ):
        def penalty_gradients(layer, mode):
            def compute(x):
                with tf.GradientTape() as outer:
                    outer.watch(x)
                    with tf.GradientTape() as inner:
                        inner.watch(x)
                        outputs = layer(x, training=training)
                        total = tf.reduce_sum(outputs**3)
                    penalty = tf.norm(inner.gradient(total, x))
                variables = [v.value for v in layer.trainable_variables]
                return outer.gradient(penalty, [x, *variables])

            return in_mode(compute, mode)(draw(shape))

        ours, theirs = ours_and_keras(shape)

        actual = penalty_gradients(ours, mode)

        self.assert_all_close(actual, penalty_gradients(theirs, "eager"))
        self.assertGreater(np.abs(actual[0]).max(), 1e-2)

    def test_second_order_gradients_of_half_inputs_stay_near(self):
        def penalty_gradient(layer, x):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    outputs = layer(x, training=True)
                    total = tf.reduce_sum(tf.cast(outputs, "float32") ** 3)
                gradient = tf.cast(inner.gradient(total, x), "float32")
                penalty = tf.norm(gradient)
            return outer.gradient(penalty, layer.gamma.value)

        half, _ = ours_and_keras(SHAPES[1], dtype="mixed_bfloat16")
        _, full = ours_and_keras(SHAPES[1])
        x = draw(SHAPES[1], dtype="bfloat16")

        expected = penalty_gradient(full, tf.cast(x, "float32"))

        np.testing.assert_allclose(
            penalty_gradient(half, x),
            expected,
            rtol=0.0,
            atol=2**-5 * np.abs(expected).max(),
        )

    @parameterized.parameters(
        ((4, 3, 5),), ((None, None, 5),), ((5,),), ((7, 5),)
    )
    def test_symbolic_outputs_have_the_shape_of_the_inputs(self, shape):
        outputs = FusedBatchNormalization()(keras.Input(shape))

        self.assertEqual(outputs.shape, (None, *shape))

    @parameterized.parameters(*SHAPES)
    def test_a_saved_layer_goes_on_as_the_original(self, *shape):
        model = keras.Sequential(
            [
                keras.Input(shape[1:]),
                FusedBatchNormalization(momentum=0.8, epsilon=0.1),
            ]
        )
        model(draw(shape, seed=1), training=True)
        folder = self.enter_context(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "net.keras")

        model.save(path)
        loaded = keras.saving.load_model(path)

        self.assertIsInstance(loaded.layers[0], FusedBatchNormalization)
        for training in (False, True):
            np.testing.assert_allclose(
                loaded(draw(shape), training=training),
                model(draw(shape), training=training),
                rtol=1e-5,
                atol=1e-5,
            )
        self.assert_all_close(loaded.get_weights(), model.get_weights())

    def test_replicas_train_with_statistics_of_their_own_as_in_keras(self):
        if len(tf.config.list_logical_devices("CPU")) < 2:
            self.skipTest("two logical CPU devices are needed, see conftest")
        x = draw((8, 4, 4, 2)).numpy()
        data = tf.data.Dataset.from_tensor_slices((x, np.arange(8) % 3))
        with testing.two_replicas().scope():
            model = keras.Sequential(
                [
                    keras.Input(x.shape[1:]),
                    FusedBatchNormalization(momentum=0.75),
                    keras.layers.Flatten(),
                    keras.layers.Dense(3, activation="softmax"),
                ]
            )
            testing.compiled(model, loss="sparse_categorical_crossentropy")
        gamma = model.layers[0].gamma.numpy()

        model.fit(data.batch(8), verbose=0)

        norm = model.layers[0]
        self.assertFalse(np.array_equal(norm.gamma.numpy(), gamma))
        for half, mean, variance in zip(
            x.reshape(2, -1, 2),
            norm.moving_mean.value.values,
            norm.moving_variance.value.values,
            strict=True,
        ):
            self.assert_all_close(
                [mean, variance],
                [0.25 * half.mean(0), 0.75 + 0.25 * half.var(0)],
            )
        for weights in model.get_weights():
            self.assertTrue(np.all(np.isfinite(weights)))


if __name__ == "__main__":
    absltest.main()
