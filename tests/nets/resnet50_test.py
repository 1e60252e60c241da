import os
import pathlib
import tempfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import nets

SHAPE = (64, 64, 3)


def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, *SHAPE), "uint8")


def kernels(model):
    return [w for w in model.get_weights() if w.ndim > 1]


def save_as_keras_applications(model, path):
    """Writes the form of the weight files that keras.applications loads."""
    model.save(f"{path}.whole.h5")
    with h5py.File(f"{path}.whole.h5") as whole, h5py.File(path, "w") as file:
        weights = whole["model_weights"]
        for name in weights:
            weights.copy(name, file)
        file.attrs.update(weights.attrs)


@pytest.mark.slow
class ResNet50Test(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = nets.resnet50(14, SHAPE, seed=1)

    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_trainable_parameters_are_those_of_keras_and_the_head(self):
        count = sum(int(np.prod(v.shape)) for v in self.model.trainable_weights)

        # 25,583,592 with 1000 classes (2048 * 1000 + 1000 in the head), here
        # 2048 * 14 + 14.
        self.assertEqual(count, 25_583_592 - 2_049_000 + 28_686)
        self.assertEqual(self.model.output_shape, (None, 14))
        self.assertEqual(self.model.name, "resnet50_classifier")

    def test_seed_and_initializer_reach_every_layer(self):
        again = nets.resnet50(14, SHAPE, seed=1, variant="gradient_predictor")
        other = nets.resnet50(14, SHAPE, seed=2)

        for a, b, c in zip(
            kernels(self.model), kernels(again), kernels(other), strict=True
        ):
            np.testing.assert_array_equal(a, b)
            self.assertFalse(np.array_equal(a, c))
        num_layers = 0
        for layer in self.model.layers:
            if hasattr(layer, "kernel"):
                num_layers += 1
                kernel, bias = layer.get_weights()
                bound = 1.0 / np.sqrt(np.prod(kernel.shape[:-1]))
                self.assertLessEqual(np.abs(bias).max(), bound * (1 + 1e-6))
                self.assertGreater(np.unique(bias).size, 1)
                largest = np.abs(kernel).max()
                self.assertLessEqual(largest, bound * (1 + 1e-6))
                # Exceeded but with probability exp(-7).
                self.assertGreater(largest, bound * (1.0 - 7.0 / kernel.size))
        self.assertEqual(num_layers, 54)

    def test_options_survive_saving(self):
        model = nets.resnet50(
            14,
            SHAPE,
            preprocessing="caffe",
            initializer="keras",
            batch_norm_momentum=0.8,
            batch_norm_epsilon=1e-4,
            head_bias=False,
            seed=0,
        )

        model.save(self.path("net.keras"))
        loaded = keras.saving.load_model(self.path("net.keras"))

        np.testing.assert_array_equal(loaded(pixels()), model(pixels()))
        self.assertFalse(loaded.layers[-1].use_bias)
        norms = [
            (layer.momentum, layer.epsilon)
            for layer in loaded.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self.assertEqual(norms, [(0.8, 1e-4)] * 53)

    def test_weights_of_keras_applications_give_its_features(self):
        theirs = keras.applications.ResNet50(
            include_top=False, weights=None, pooling="avg", input_shape=SHAPE
        )
        rng = np.random.default_rng(0)
        for layer in theirs.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                for weight in layer.weights:
                    weight.assign(rng.uniform(0.5, 1.0, weight.shape))
        save_as_keras_applications(theirs, self.path("notop.h5"))
        expected = theirs(
            keras.applications.resnet50.preprocess_input(
                pixels().astype("float32")
            )
        )

        model = nets.resnet50(
            14,
            SHAPE,
            weights=self.path("notop.h5"),
            preprocessing="caffe",
            batch_norm_epsilon=1.001e-5,
            seed=1,
        )

        self.assertEqual(model.inputs[0].dtype, "uint8")
        features = keras.Model(model.input, model.layers[-2].output)
        np.testing.assert_allclose(
            features(pixels()), expected, atol=1e-5 * np.max(expected)
        )
        np.testing.assert_array_equal(
            model.layers[-1].kernel, self.model.layers[-1].kernel
        )

    def test_weights_of_our_own_fit_another_number_of_classes(self):
        self.model.save_weights(self.path("own.weights.h5"))

        model = nets.resnet50(
            3,
            SHAPE,
            weights=pathlib.Path(self.path("own.weights.h5")),
            pixel_scaling=dict(pixel_max=255.0, mean=0.5, std=0.25),
            seed=2,
        )

        for ours, theirs in zip(
            model.get_weights()[:-2], self.model.get_weights()[:-2], strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        self.assertEqual(model(pixels()).shape, (2, 3))

    def test_mixed_precision_stays_near_full_precision(self):
        x = pixels().astype("float32") / 255.0
        keras.config.set_dtype_policy("mixed_bfloat16")
        self.addCleanup(keras.config.set_dtype_policy, "float32")

        logits = nets.resnet50(14, SHAPE, seed=1)(x)

        expected = self.model(x).numpy()
        self.assertEqual(logits.dtype, tf.bfloat16)
        # bfloat16 rounds by up to 2 ** -9, and 50 layers add up.
        np.testing.assert_allclose(
            tf.cast(logits, "float32"),
            expected,
            rtol=0.0,
            atol=50 * 2**-9 * np.abs(expected).max(),
        )

    def test_files_that_do_not_fit_are_refused_in_one_line(self):
        nets.mlp(3, (4,), seed=0).save_weights(self.path("mlp.weights.h5"))
        pathlib.Path(self.path("text.h5")).write_text("text")
        pathlib.Path(self.path("text.npz")).write_text("text")
        with h5py.File(self.path("empty.h5"), "w"):
            pass
        self.model.save_weights(self.path("own.weights.h5"))
        for name, shape in (
            ("mlp.weights.h5", SHAPE),
            ("text.h5", SHAPE),
            ("text.npz", SHAPE),
            ("empty.h5", SHAPE),
            ("own.weights.h5", (32, 32, 1)),
        ):
            with (
                self.subTest(name),
                self.assertRaisesRegex(
                    ValueError,
                    rf"\A`weights` must .* fit .*Received: weights=.*{name}",
                ),
            ):
                nets.resnet50(14, shape, weights=self.path(name))

    def test_a_file_in_the_order_of_early_keras_is_refused(self):
        with h5py.File(self.path("notop.h5"), "w") as file:
            file.create_group("res2a_branch1")

        with self.assertRaisesRegex(ValueError, "`weights` must.*early Keras"):
            nets.resnet50(14, SHAPE, weights=self.path("notop.h5"))

    @parameterized.parameters(
        dict(num_classes=1),
        dict(input_shape=(31, 64, 3)),
        dict(variant="predictor"),
        dict(weights="no/such/file.h5"),
        dict(weights=3),
        dict(preprocessing="torch"),
        dict(initializer="he"),
        dict(batch_norm_momentum=1.0),
        dict(seed=-1),
    )
    def test_wrong_arguments_are_named_in_one_line(self, **wrong):
        arguments = dict(num_classes=10, input_shape=SHAPE) | wrong
        (name,) = wrong

        with self.assertRaisesRegex(
            ValueError, rf"\A`{name}` must .*Received: {name}=.*\Z"
        ):
            nets.resnet50(**arguments)

    def test_caffe_preprocessing_needs_three_channels(self):
        with self.assertRaisesRegex(ValueError, "`preprocessing` must"):
            nets.resnet50(10, (32, 32, 1), preprocessing="caffe")


if __name__ == "__main__":
    absltest.main()
