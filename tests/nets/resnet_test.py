import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import nets

CIFAR_SHAPE = (32, 32, 3)
RESNETS = (nets.resnet34_cifar, nets.preact_resnet18)
VARIANTS = ("classifier", "gradient_predictor")
PIXEL_SCALING = dict(pixel_max=255.0, mean=(0.5, 0.4, 0.3), std=0.25)


def num_trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def pixels(shape=CIFAR_SHAPE):
    return np.random.default_rng(0).integers(0, 256, (2, *shape), "uint8")


def layers_of(model, layer_type):
    return [x for x in model.layers if isinstance(x, layer_type)]


class ArchitectureTest(parameterized.TestCase):
    @parameterized.product(
        expected=(
            (nets.resnet34_cifar, 10, 21_282_122),
            (nets.resnet34_cifar, 100, 21_328_292),
            # Without biases but the last; `2 c` for a normalisation of `c`
            # channels, which a block of `i` to `o` channels has of `i`, `o`.
            #   stem                   27 * 64 + 128                      1,856
            #   64, 64 (twice)         2 * 128 + 2 * 9 * 64**2    2 *    73,984
            #   64, 128; 128, 128      128 + 256 + 9 * 64 * 128
            #                          + 9 * 128**2 + 64 * 128          229,760
            #                          2 * 256 + 2 * 9 * 128**2         295,424
            #   128, 256; 256, 256     256 + 512 + 9 * 128 * 256
            #                          + 9 * 256**2 + 128 * 256         918,272
            #                          2 * 512 + 2 * 9 * 256**2       1,180,672
            #   256, 512; 512, 512     512 + 1,024 + 9 * 256 * 512
            #                          + 9 * 512**2 + 256 * 512       3,671,552
            #                          2 * 1,024 + 2 * 9 * 512**2     4,720,640
            #   head                   512 * 10 + 10                      5,130
            (nets.preact_resnet18, 10, 11_171_274),
        ),
        variant=VARIANTS,
    )
    def test_trainable_parameters_are_as_many_as_in_the_papers(
        self, expected, variant
    ):
        build, num_classes, count = expected

        model = build(num_classes, CIFAR_SHAPE, variant=variant)

        self.assertEqual(num_trainable(model), count)
        self.assertEqual(model.output_shape, (None, num_classes))
        self.assertEqual(model.name, f"{build.__name__}_{variant}")
        self.assertEqual(model.layers[-2].input.shape, (None, 4, 4, 512))

    # All 3x3 kernels behind the stem are zero, the 1x1 kernels pass channels
    # on, and every normalisation behind the stem subtracts 0.1. A block of
    # ResNet-34 then is relu(x - 0.1), and the three with a normalised shortcut
    # are relu(x - 0.2): 16 * 0.1 + 3 * 0.1 in all. A block of the
    # pre-activation network passes on relu(x - 0.1), because its shortcut
    # starts there: 8 * 0.1, were there no normalisation after the last block.
    @parameterized.parameters(
        (nets.resnet34_cifar, 1.9), (nets.preact_resnet18, 0.8)
    )
    def test_shortcuts_start_and_end_where_the_authors_code_has_them(
        self, build, subtracted
    ):
        model = build(10, CIFAR_SHAPE, seed=0)
        for layer in layers_of(model, keras.layers.Conv2D)[1:]:
            size, _, num_inputs, filters = layer.kernel.shape
            kernel = np.eye(num_inputs, filters) * (size == 1)
            layer.kernel.assign(np.broadcast_to(kernel, layer.kernel.shape))
        for layer in layers_of(model, keras.layers.BatchNormalization)[1:]:
            layer.beta.assign(tf.fill(layer.beta.shape, -0.1))
        stem = layers_of(model, keras.layers.ReLU)[0]
        watched = keras.Model(
            model.input, [stem.output, model.layers[-2].output]
        )

        first, features = watched(pixels().astype("float32") / 16.0)

        # Strides of 2 in three blocks keep every eighth row and column.
        expected = np.maximum(first[:, ::8, ::8] - subtracted, 0.0)
        expected = expected.mean(axis=(1, 2))
        self.assertGreater(np.count_nonzero(expected), 10)
        np.testing.assert_allclose(features[:, :64], expected, atol=1e-2)
        np.testing.assert_array_equal(features[:, 64:], 0.0)

    @parameterized.parameters(*RESNETS)
    def test_options_reach_every_layer(self, build):
        model = build(
            10,
            CIFAR_SHAPE,
            batch_norm_momentum=0.99,
            batch_norm_epsilon=1e-3,
            head_bias=False,
            name="f",
        )

        self.assertEqual(model.name, "f")
        for layer in layers_of(model, keras.layers.BatchNormalization):
            self.assertEqual((layer.momentum, layer.epsilon), (0.99, 1e-3))
        for layer in model.layers:
            self.assertFalse(getattr(layer, "use_bias", False))


class UseTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = {
            build: build(10, CIFAR_SHAPE, pixel_scaling=PIXEL_SCALING, seed=1)
            for build in RESNETS
        }

    @parameterized.parameters(*RESNETS)
    def test_the_seed_decides_the_weights(self, build):
        def kernels(model):
            return [w for w in model.get_weights() if w.ndim > 1]

        for same, again, other in zip(
            kernels(self.models[build]),
            kernels(build(10, CIFAR_SHAPE, seed=1)),
            kernels(build(10, CIFAR_SHAPE, seed=2)),
            strict=True,
        ):
            np.testing.assert_array_equal(same, again)
            self.assertFalse(np.array_equal(same, other))

    @parameterized.parameters(*RESNETS)
    def test_uniform_fan_in_fills_its_interval(self, build):
        for layer in self.models[build].layers:
            if hasattr(layer, "kernel"):
                kernel = layer.kernel.numpy()
                bound = 1.0 / np.sqrt(np.prod(kernel.shape[:-1]))
                largest = np.abs(kernel).max()
                self.assertLessEqual(largest, bound * (1 + 1e-6))
                # Exceeded but with probability exp(-7).
                self.assertGreater(largest, bound * (1.0 - 7.0 / kernel.size))

    @parameterized.parameters(*RESNETS)
    def test_a_saved_network_predicts_the_same(self, build):
        model = self.models[build]
        folder = self.enter_context(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "net.keras")

        model.save(path)
        loaded = keras.saving.load_model(path)

        np.testing.assert_array_equal(loaded(pixels()), model(pixels()))

    @parameterized.parameters(*RESNETS)
    def test_mixed_precision_stays_near_full_precision(self, build):
        keras.config.set_dtype_policy("mixed_bfloat16")
        self.addCleanup(keras.config.set_dtype_policy, "float32")

        model = build(10, CIFAR_SHAPE, pixel_scaling=PIXEL_SCALING, seed=1)
        logits = model(pixels())

        expected = self.models[build](pixels()).numpy()
        self.assertEqual(logits.dtype, tf.bfloat16)
        self.assertEqual(model.trainable_variables[0].dtype, "float32")
        # bfloat16 rounds by up to 2 ** -9, and up to 36 layers add up.
        np.testing.assert_allclose(
            tf.cast(logits, "float32"),
            expected,
            rtol=0.0,
            atol=36 * 2**-9 * np.abs(expected).max(),
        )

    @parameterized.parameters(*RESNETS)
    def test_images_of_other_sizes_fit(self, build):
        model = build(3, (5, 6, 1))

        self.assertEqual(model(np.zeros((2, 5, 6, 1), "float32")).shape, (2, 3))


class RefusalTest(parameterized.TestCase):
    @parameterized.product(
        build=RESNETS,
        wrong=(
            dict(num_classes=1),
            dict(input_shape=(32, 32)),
            dict(variant="predictor"),
            dict(initializer="he"),
            dict(batch_norm_momentum=1.0),
            dict(batch_norm_epsilon=0.0),
            dict(seed=-1),
        ),
    )
    def test_wrong_arguments_are_named_in_one_line(self, build, wrong):
        arguments = dict(num_classes=10, input_shape=CIFAR_SHAPE) | wrong
        (name,) = wrong

        with self.assertRaisesRegex(
            ValueError, rf"\A`{name}` must .*Received: {name}=.*\Z"
        ):
            build(**arguments)


if __name__ == "__main__":
    absltest.main()
