import importlib
import os
import pathlib
import sys
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import nets
from limit_tf.nets import layers

IMAGE_SHAPE = (28, 28, 1)
VARIANTS = ("classifier", "gradient_predictor")
ALL_NETS = (nets.digits_cnn, nets.mlp, nets.mnist_cnn)
PIXEL_SCALING = dict(pixel_max=255.0, mean=0.456, std=0.224)


def layer_types(model):
    return [type(layer).__name__ for layer in model.layers]


def num_trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def images(shape, dtype="float32"):
    pixels = np.random.default_rng(0).integers(0, 256, (5, *shape))
    return (pixels / 255.0 if dtype == "float32" else pixels).astype(dtype)


class ArchitectureTest(parameterized.TestCase):
    @parameterized.parameters(
        (nets.mnist_cnn, "classifier", IMAGE_SHAPE, 218_122),
        (nets.mnist_cnn, "gradient_predictor", IMAGE_SHAPE, 218_378),
        (nets.mnist_cnn, "classifier", (32, 32, 3), 219_146),
        (nets.mlp, "classifier", IMAGE_SHAPE, 1_199_114),
        (nets.mlp, "gradient_predictor", IMAGE_SHAPE, 1_199_114),
        # Convolutions 320 and 18,496, their normalisations 64 and 128, dense
        # layers 8 * 8 * 64 * 128 + 128 and 128 * 10 + 10.
        (nets.digits_cnn, "classifier", (8, 8, 1), 544_714),
    )
    def test_trainable_parameters_are_as_many_as_in_the_paper(
        self, build, variant, input_shape, expected
    ):
        model = build(10, input_shape, variant=variant)

        self.assertEqual(num_trainable(model), expected)

    @parameterized.parameters(
        ("classifier", []),
        ("gradient_predictor", ["FusedBatchNormalization"]),
    )
    def test_mnist_cnn_layers_stand_in_the_papers_order(self, variant, norm):
        model = nets.mnist_cnn(10, IMAGE_SHAPE, variant=variant)

        block = ["Conv2D", "FusedBatchNormalization", "ReLU"]
        self.assertEqual(
            layer_types(model),
            ["InputLayer"]
            + block * 3
            + ["FullImageConv2D", *block[1:]]
            + ["Flatten", "Dense", *norm, "ReLU", "Dense"],
        )
        convolutions = [
            (layer.kernel_size, layer.strides, layer.padding)
            + layer.output.shape[1:]
            for layer in model.layers
            if isinstance(layer, keras.layers.Conv2D)
        ]
        self.assertEqual(
            convolutions,
            [
                ((4, 4), (2, 2), "same", 14, 14, 32),
                ((4, 4), (2, 2), "same", 7, 7, 32),
                ((3, 3), (2, 2), "valid", 3, 3, 64),
                ((3, 3), (1, 1), "valid", 1, 1, 256),
            ],
        )

    def test_digits_cnn_has_two_convolutions_and_two_dense_layers(self):
        model = nets.digits_cnn(10, (8, 8, 1))

        block = ["Conv2D", "FusedBatchNormalization", "ReLU"]
        self.assertEqual(
            layer_types(model),
            ["InputLayer"] + block * 2 + ["Flatten", "Dense", "ReLU", "Dense"],
        )
        for layer in (model.layers[1], model.layers[4]):
            self.assertEqual(layer.kernel_size, (3, 3))
            self.assertEqual(layer.padding, "same")

    @parameterized.parameters((0.0, []), (0.5, ["Dropout"]))
    def test_mlp_drops_out_after_each_activation(self, dropout_rate, dropout):
        model = nets.mlp(
            3,
            (4,),
            hidden_units=8,
            num_hidden_layers=2,
            dropout_rate=dropout_rate,
        )

        self.assertEqual(
            layer_types(model),
            ["InputLayer", "Flatten"]
            + ["Dense", "FusedBatchNormalization", "ReLU", *dropout] * 2
            + ["Dense"],
        )
        self.assertEqual(model.layers[2].units, 8)

    @parameterized.product(build=ALL_NETS, variant=VARIANTS)
    def test_networks_end_in_logits_and_are_named(self, build, variant):
        model = build(7, IMAGE_SHAPE, variant=variant)

        self.assertEqual(model.output_shape, (None, 7))
        self.assertEqual(model.layers[-1].activation.__name__, "linear")
        self.assertEqual(model.name, f"{build.__name__}_{variant}")
        self.assertEqual(build(7, IMAGE_SHAPE, name="f").name, "f")

    @parameterized.product(build=ALL_NETS, head_bias=(True, False))
    def test_head_bias_concerns_the_last_layer_alone(self, build, head_bias):
        model = build(7, IMAGE_SHAPE, head_bias=head_bias, seed=0)
        usual = build(7, IMAGE_SHAPE, seed=0).get_weights()

        biases = [
            layer.use_bias for layer in model.layers if hasattr(layer, "kernel")
        ]
        self.assertEqual(biases, [True] * (len(biases) - 1) + [head_bias])
        expected = usual if head_bias else usual[:-1]
        for weights, same in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(weights, same)

    def test_batch_norm_options_reach_every_layer(self):
        def options(**kwargs):
            model = nets.mnist_cnn(
                10, IMAGE_SHAPE, variant="gradient_predictor", **kwargs
            )
            return [
                (layer.momentum, layer.epsilon)
                for layer in model.layers
                if isinstance(layer, keras.layers.BatchNormalization)
            ]

        self.assertEqual(options(), [(0.9, 1e-5)] * 5)
        self.assertEqual(
            options(batch_norm_momentum=0.99, batch_norm_epsilon=1e-3),
            [(0.99, 1e-3)] * 5,
        )


class ConvolutionTest(parameterized.TestCase):
    # The zeros of padding="same" are (n - 1) * strides + kernel_size - size
    # for n = ceil(size / strides) outputs, half of them before the image.
    @parameterized.parameters(
        ((28, 28), 4, 2, 1, ["Conv2D"]),  # 13 * 2 + 4 - 28 = 1 + 1
        ((14, 14), 4, 2, 1, ["Conv2D"]),  # 6 * 2 + 4 - 14 = 1 + 1
        ((32, 32), 3, 1, 1, ["Conv2D"]),  # 31 + 3 - 32 = 1 + 1
        ((5, 7), 3, 2, 1, ["Conv2D"]),  # 2 * 2 + 3 - 5 = 3 * 2 + 3 - 7 = 1 + 1
        ((8, 6), 5, 1, 2, ["Conv2D"]),  # 7 + 5 - 8 = 5 + 5 - 6 = 2 + 2
        ((3, 3), 3, 1, 1, ["Conv2D"]),  # As large as the image, but padded.
        ((32, 32), 3, 2, 1, ["ZeroPadding2D", "Conv2D"]),  # 0 + 1
        ((5, 6), 3, 2, 1, ["ZeroPadding2D", "Conv2D"]),  # Columns 0 + 1.
        ((29, 29), 4, 2, 1, ["ZeroPadding2D", "Conv2D"]),  # 1 + 2
        ((8, 8), 3, 1, 2, ["ZeroPadding2D", "Conv2D"]),  # 1 + 1, not 2 + 2
        ((4, 4), 1, 2, 1, ["ZeroPadding2D", "Conv2D"]),  # None.
        ((1, 1), 3, 2, 1, ["Conv2D"]),
        ((2, 2), 4, 1, 1, ["ZeroPadding2D", "FullImageConv2D"]),
        ((3, 3), 3, 1, 0, ["FullImageConv2D"]),
        ((3, 3), 3, 2, 0, ["FullImageConv2D"]),
        ((1, 1), 1, 1, 0, ["FullImageConv2D"]),
        ((3, 4), 3, 1, 0, ["Conv2D"]),
        ((9, 9), 3, 2, 0, ["Conv2D"]),
    )
    def test_padding_is_that_of_explicit_zeros(
        self, size, kernel_size, strides, padding, expected
    ):
        inputs = keras.Input((*size, 2))
        outputs = layers.LayerFactory(seed=0).conv(
            inputs, 3, kernel_size, strides=strides, padding=padding
        )
        model = keras.Model(inputs, outputs)
        reference = keras.Sequential(
            [
                keras.Input((*size, 2)),
                keras.layers.ZeroPadding2D(padding),
                keras.layers.Conv2D(3, kernel_size, strides),
            ]
        )
        reference.set_weights(model.get_weights())
        x = images((*size, 2))

        self.assertEqual(layer_types(model), ["InputLayer", *expected])
        self.assertEqual(model.output_shape, reference.output_shape)
        np.testing.assert_allclose(model(x), reference(x), rtol=1e-5, atol=1e-5)

    @parameterized.parameters(
        (nets.mnist_cnn, IMAGE_SHAPE, (1, 1, 0, 0)),
        (nets.mnist_cnn, (32, 29, 3), (1, 1, 0, 0)),
        (nets.digits_cnn, (8, 8, 1), (1, 1)),
    )
    def test_networks_equal_those_of_padding_and_convolution(
        self, build, input_shape, paddings
    ):
        model = build(10, input_shape, variant="gradient_predictor", seed=0)
        rng = np.random.default_rng(1)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                for weight in layer.weights:
                    weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        x = images(input_shape)
        inputs, paddings = keras.Input(input_shape), iter(paddings)
        y = inputs
        for layer in model.layers[1:]:
            config = layer.get_config()
            if isinstance(layer, keras.layers.ZeroPadding2D):
                continue
            if isinstance(layer, keras.layers.Conv2D):
                y = keras.layers.ZeroPadding2D(next(paddings))(y)
                config["padding"] = "valid"
                y = keras.layers.Conv2D.from_config(config)(y)
            elif isinstance(layer, keras.layers.BatchNormalization):
                y = keras.layers.BatchNormalization.from_config(config)(y)
            else:
                y = type(layer).from_config(config)(y)
        reference = keras.Model(inputs, y)
        reference.set_weights(model.get_weights())

        for training in (False, True):
            np.testing.assert_allclose(
                model(x, training=training),
                reference(x, training=training),
                rtol=1e-5,
                atol=1e-5,
            )


class InitialWeightsTest(parameterized.TestCase):
    @parameterized.product(build=ALL_NETS, variant=VARIANTS)
    def test_uniform_fan_in_fills_its_interval(self, build, variant):
        model = build(10, IMAGE_SHAPE, variant=variant, seed=0)

        for layer in model.layers:
            if not isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):
                continue
            kernel, bias = layer.get_weights()
            bound = 1.0 / np.sqrt(np.prod(kernel.shape[:-1]))
            for weights in (kernel, bias):
                self.assertLessEqual(np.abs(weights).max(), bound * (1 + 1e-6))
            # The largest of n draws from U(0, b) exceeds b (1 - 7 / n) but
            # with probability exp(-7).
            self.assertGreater(
                np.abs(kernel).max(), bound * (1.0 - 7.0 / kernel.size)
            )
            self.assertGreater(np.unique(bias).size, 1)

    def test_keras_initializer_is_glorot_with_zero_biases(self):
        model = nets.mlp(10, (30,), initializer="keras", seed=0)

        kernel, bias = model.layers[2].get_weights()
        bound = np.sqrt(6.0 / (30 + 512))
        self.assertLessEqual(np.abs(kernel).max(), bound * (1 + 1e-6))
        self.assertGreater(np.abs(kernel).max(), 0.99 * bound)
        np.testing.assert_array_equal(bias, 0.0)

    @parameterized.product(
        build=ALL_NETS, initializer=("uniform_fan_in", "keras")
    )
    def test_the_seed_decides_the_weights(self, build, initializer):
        def kernels(seed):
            model = build(10, IMAGE_SHAPE, initializer=initializer, seed=seed)
            return [w for w in model.get_weights() if w.ndim > 1]

        for same, again, other in zip(
            kernels(1), kernels(1), kernels(2), strict=True
        ):
            np.testing.assert_array_equal(same, again)
            self.assertFalse(np.array_equal(same, other))

    def test_layers_of_one_shape_start_from_different_weights(self):
        model = nets.mlp(10, (512,), seed=0)

        kernels = [w for w in model.get_weights() if w.shape == (512, 512)]
        self.assertLen({kernel.tobytes() for kernel in kernels}, 4)

    def test_the_seed_decides_the_dropout(self):
        def outputs(seed):
            model = nets.mlp(3, (4,), dropout_rate=0.5, seed=seed)
            model.set_weights([np.ones_like(w) for w in model.get_weights()])
            return model(np.ones((5, 4), "float32"), training=True)

        np.testing.assert_array_equal(outputs(1), outputs(1))
        self.assertFalse(np.array_equal(outputs(1), outputs(2)))

    def test_without_a_seed_the_global_seed_of_keras_decides(self):
        keras.utils.set_random_seed(0)
        first = nets.mlp(3, (4,)).get_weights()
        keras.utils.set_random_seed(0)
        second = nets.mlp(3, (4,)).get_weights()

        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)


class PixelScalingTest(parameterized.TestCase):
    @parameterized.parameters(
        (dict(pixel_max=16, mean=0.3, std=0.4), (8, 8, 1)),
        (
            dict(
                pixel_max=255.0,
                mean=(0.485, 0.456, 0.406),
                std=(0.229, 0.224, 0.225),
            ),
            (8, 8, 3),
        ),
        (dict(pixel_max=255.0, mean=0.5, std=(0.2, 0.3, 0.4)), (8, 8, 3)),
    )
    def test_uint8_inputs_are_scaled_by_the_formula(self, scaling, shape):
        x = images(shape, "uint8")
        expected = (x / scaling["pixel_max"] - scaling["mean"]) / scaling["std"]

        scaled = nets.digits_cnn(3, shape, pixel_scaling=scaling, seed=0)
        plain = nets.digits_cnn(3, shape, seed=0)

        self.assertEqual(scaled.inputs[0].dtype, "uint8")
        self.assertEqual(plain.inputs[0].dtype, "float32")
        np.testing.assert_allclose(scaled.layers[1](x), expected, atol=1e-5)
        np.testing.assert_allclose(
            scaled(x), plain(expected.astype("float32")), atol=1e-4
        )

    @parameterized.parameters(
        dict(pixel_max=255.0, mean=0.5),
        dict(pixel_max=0.0, mean=0.5, std=0.2),
        dict(pixel_max=255.0, mean=0.5, std=0.0),
        dict(pixel_max=255.0, mean=0.5, std=float("nan")),
        dict(pixel_max=255.0, mean=(0.5, 0.5), std=0.2),
        dict(pixel_max=255.0, mean="half", std=0.2),
    )
    def test_wrong_pixel_scaling_is_refused(self, **scaling):
        with self.assertRaisesRegex(ValueError, "`pixel_scaling` must"):
            nets.digits_cnn(3, (8, 8, 3), pixel_scaling=scaling)


class UseTest(parameterized.TestCase):
    @parameterized.product(
        build=ALL_NETS, variant=VARIANTS, pixel_scaling=(None, PIXEL_SCALING)
    )
    def test_a_saved_network_predicts_the_same(
        self, build, variant, pixel_scaling
    ):
        model = build(
            10,
            IMAGE_SHAPE,
            variant=variant,
            pixel_scaling=pixel_scaling,
            seed=0,
        )
        x = images(IMAGE_SHAPE, model.inputs[0].dtype)
        folder = self.enter_context(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "net.keras")

        model.save(path)
        loaded = keras.saving.load_model(path)

        np.testing.assert_array_equal(loaded(x), model(x))
        self.assertEqual(loaded.inputs[0].dtype, model.inputs[0].dtype)

    @parameterized.product(
        build=ALL_NETS, policy=("mixed_float16", "mixed_bfloat16")
    )
    def test_mixed_precision_stays_near_full_precision(self, build, policy):
        options = dict(pixel_scaling=PIXEL_SCALING, seed=0)
        x = images(IMAGE_SHAPE, "uint8")
        expected = build(10, IMAGE_SHAPE, **options)(x).numpy()
        keras.config.set_dtype_policy(policy)
        self.addCleanup(keras.config.set_dtype_policy, "float32")

        model = build(10, IMAGE_SHAPE, **options)
        logits = model(x)

        self.assertEqual(logits.dtype.name, policy.removeprefix("mixed_"))
        self.assertEqual(model.trainable_variables[0].dtype, "float32")
        # bfloat16 rounds by up to 2 ** -9, and up to seven layers add up.
        np.testing.assert_allclose(
            tf.cast(logits, "float32"),
            expected,
            rtol=0.0,
            atol=7 * 2**-9 * np.abs(expected).max(),
        )


class RefusalTest(parameterized.TestCase):
    @parameterized.product(
        build=ALL_NETS,
        wrong=(
            dict(num_classes=1),
            dict(num_classes=2.5),
            dict(input_shape=()),
            dict(input_shape=(28, 0, 1)),
            dict(input_shape=(28, None, 1)),
            dict(input_shape=28),
            dict(variant="predictor"),
            dict(initializer="he"),
            dict(batch_norm_momentum=1.0),
            dict(batch_norm_epsilon=0.0),
            dict(seed=-1),
            dict(seed="one"),
        ),
    )
    def test_wrong_arguments_are_named_in_one_line(self, build, wrong):
        arguments = dict(num_classes=10, input_shape=IMAGE_SHAPE) | wrong
        (name,) = wrong

        with self.assertRaisesRegex(
            ValueError, rf"\A`{name}` must .*Received: {name}=.*\Z"
        ):
            build(**arguments)

    @parameterized.parameters(
        (nets.mnist_cnn, (27, 28, 1), 28),
        (nets.mnist_cnn, (28, 28), 28),
        (nets.digits_cnn, (8, 8), 1),
    )
    def test_images_too_small_are_refused(self, build, input_shape, least):
        with self.assertRaisesRegex(
            ValueError, f"`input_shape` .* at least {least}. Received"
        ):
            build(10, input_shape)

    @parameterized.parameters(
        dict(hidden_units=0),
        dict(num_hidden_layers=0),
        dict(num_hidden_layers=1.5),
        dict(dropout_rate=1.0),
        dict(dropout_rate=-0.1),
    )
    def test_wrong_mlp_arguments_are_refused(self, **wrong):
        (name,) = wrong

        with self.assertRaisesRegex(ValueError, f"`{name}` must"):
            nets.mlp(10, (4,), **wrong)


class GetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enter_context(tempfile.TemporaryDirectory())
        for name, text in (
            ("own_net", "LAYERS = 3\ndef build(num_classes):\n    pass\n"),
            ("broken_net", "import no_such_dependency\n"),
        ):
            pathlib.Path(folder, f"{name}.py").write_text(text)
        self.enter_context(mock.patch.object(sys, "path", [folder, *sys.path]))
        importlib.invalidate_caches()

    def test_names_and_callables_give_builders(self):
        self.assertContainsSubset(ALL_NETS, nets.NETS.values())
        for name, build in nets.NETS.items():
            self.assertEqual(build.__name__, name)
            self.assertIs(nets.get(name), build)
            self.assertIs(nets.get(build), build)

    def test_module_and_function_give_a_builder_of_ones_own(self):
        self.assertEqual(nets.get("own_net:build").__name__, "build")

    @parameterized.parameters(
        "resnet",
        "",
        ":build",
        ".own_net:build",
        "own_net:",
        3,
        None,
        (["mlp"],),
    )
    def test_what_is_no_identifier_is_refused(self, identifier):
        with self.assertRaisesRegex(ValueError, "`identifier` must be one of"):
            nets.get(identifier)

    @parameterized.parameters(
        ("no_such_net:build", "module that can be imported"),
        ("own_net.inner:build", "module that can be imported"),
        ("own_net:built", "function of module 'own_net'"),
        ("own_net:LAYERS", "function of module 'own_net'"),
    )
    def test_missing_modules_and_functions_are_named(self, identifier, rule):
        with self.assertRaisesRegex(
            ValueError, f"`identifier` must name a {rule}.*'{identifier}'"
        ):
            nets.get(identifier)

    def test_an_error_inside_ones_own_module_is_not_hidden(self):
        with self.assertRaisesRegex(ModuleNotFoundError, "no_such_dependency"):
            nets.get("broken_net:build")


if __name__ == "__main__":
    absltest.main()
