"""Inputs on the device: the same training as with inputs in the batches."""

import os
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from limit_tf import data
from limit_tf import models
from limit_tf.models.held_inputs import HeldInputs
from tests import testing

NUM_EXAMPLES = 44  # batches of 16, 16 and 12


def examples(dtype="float32"):
    """Returns rows of features, and labels."""
    x, y = testing.toy_batch(seed=0, batch_size=NUM_EXAMPLES)
    if dtype == "uint8":
        x = np.clip(64 * x + 128, 0, 255).astype(np.uint8)
    return x, y


def stream(method, x, y, held, sample_weight=None):
    """Returns an epoch's batches, of inputs or of positions alone."""
    return data.training_dataset(
        x,
        y,
        batch_size=16,
        seed=3,
        epoch=0,
        num_epochs=2,
        sample_weight=sample_weight,
        with_example_ids=method in ("elr", "elr_plus"),
        with_inputs=not held,
    )


def build(method, **kwargs):
    return testing.toy_model(
        method, seed=1, num_examples=NUM_EXAMPLES, **kwargs
    )


def trained(
    method, held, x=None, y=None, augmentation=None, weights=None, **mode
):
    """Returns a model after two epochs, and what they reported."""
    if x is None:
        x, y = examples()
    model = testing.compiled(
        build(method, augmentation=augmentation),
        keras.optimizers.Adam(0.01),
        **mode,
    )
    if held:
        model.hold_inputs(x)
    history = model.fit(
        stream(method, x, y, held, weights),
        steps_per_epoch=3,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    return model, history


@keras.saving.register_keras_serializable(package="limit_tf_tests")
def shift(inputs, seed):
    """Adds one number an example, drawn anew in every step."""
    shape = (tf.shape(inputs)[0], 1)
    return inputs + tf.random.stateless_normal(shape, seed)


class HeldInputsTest(parameterized.TestCase):
    @parameterized.product(
        shape=((8,), (6,), (3, 5), (4, 4, 1), (9, 7, 3)),
        dtype=("uint8", "float32", "float64"),
        jit_compile=(False, True),
    )
    def test_gathers_the_rows(self, shape, dtype, jit_compile):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (30, *shape)).astype(dtype)
        held = HeldInputs(images)
        gather = tf.function(
            held.gather,
            input_signature=[tf.TensorSpec((None,), tf.int64)],
            jit_compile=jit_compile,
        )
        ids = rng.permutation(30)[:13]
        self.assertLen(held, 30)
        np.testing.assert_array_equal(gather(ids), images[ids])
        outputs = gather.get_concrete_function().structured_outputs
        self.assertEqual(outputs.shape.as_list(), [None, *shape])
        expected = "uint8" if dtype == "uint8" else "float32"
        self.assertEqual(outputs.dtype.name, expected)

        symbolic = held.gather(keras.KerasTensor((None,), "int64"))
        self.assertEqual(symbolic.shape, (None, *shape))
        self.assertEqual(symbolic.dtype, expected)

    @parameterized.parameters(
        ([[1.0]], TypeError, "list"),
        (np.zeros((2, 2), np.int32), TypeError, "int32"),
        (np.zeros(3), ValueError, r"\(3,\)"),
        (np.zeros((0, 4)), ValueError, r"\(0, 4\)"),
    )
    def test_refuses_other_arrays(self, images, error, message):
        message = "`images` must .* Received: .*" + message
        with self.assertRaisesRegex(error, message) as caught:
            HeldInputs(images)
        self.assertNotIn("\n", str(caught.exception))


class TrainingTest(parameterized.TestCase):
    def assert_same(self, held, plain):
        testing.assert_close(testing.flat(held[0]), testing.flat(plain[0]))
        for key, values in plain[1].items():
            testing.assert_close(held[1][key], values)

    def both(self, method, **kwargs):
        held, plain = (
            trained(method, held, **kwargs) for held in (True, False)
        )
        self.assert_same(held, plain)
        return held, plain

    @parameterized.parameters(*testing.METHODS)
    def test_same_as_with_inputs(self, method):
        self.both(method)

    @parameterized.parameters(
        ("limit", {"jit_compile": True}),
        ("elr", {"steps_per_execution": 3}),
    )
    @pytest.mark.slow
    def test_same_in_other_modes(self, method, mode):
        self.both(method, **mode)

    @parameterized.parameters("elr_plus", "limit")
    @pytest.mark.slow
    def test_look_up_comes_before_the_augmentation(self, method):
        held, _ = self.both(method, augmentation=shift)
        plain, _ = trained(method, held=True)
        distance = testing.flat(plain) - testing.flat(held[0])
        self.assertGreater(np.max(np.abs(distance)), 1e-3)

    def test_keras_loss(self):
        self.both(
            "classifier",
            loss=limit_tf.losses.GeneralizedCrossEntropy(q=0.7),
            metrics=["accuracy"],
        )

    @parameterized.parameters("classifier", "elr", "limit", "noisy_gradient")
    def test_sample_weights(self, method):
        weights = np.linspace(0.0, 2.0, NUM_EXAMPLES)
        held, _ = self.both(method, weights=weights)
        plain, _ = trained(method, held=True)
        distance = testing.flat(plain) - testing.flat(held[0])
        self.assertGreater(np.max(np.abs(distance)), 1e-3)

    @parameterized.parameters(
        ("classifier", False), ("elr_plus", False), ("limit", True)
    )
    def test_pixels(self, method, jit_compile):
        # Rows of 3 x 3 bytes, which is no whole number of words.
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (NUM_EXAMPLES, 3, 3, 1), np.uint8)
        labels = rng.integers(testing.NUM_CLASSES, size=NUM_EXAMPLES)
        weights = []
        for held in (True, False):
            networks = [pixel_network(seed) for seed in (1, 2)]
            options = {}
            if method == "elr_plus":
                options["num_examples"] = NUM_EXAMPLES
            if method == "classifier":
                del networks[1]
            model = testing.compiled(
                testing.METHODS[method](*networks, seed=1, **options),
                jit_compile=jit_compile,
            )
            if held:
                model.hold_inputs(images)
            model.fit(
                stream(method, images, labels, held),
                steps_per_epoch=3,
                shuffle=False,
                verbose=0,
            )
            weights.append(testing.flat(model))
        testing.assert_close(*weights)

    @pytest.mark.slow
    def test_arrays_of_positions_train_and_evaluate(self):
        x, y = examples()
        ids = {"example_ids": np.arange(NUM_EXAMPLES)}
        for method in ("classifier", "elr_plus", "limit"):
            model, plain = (testing.compiled(build(method)) for _ in range(2))
            model.hold_inputs(x)
            model.fit(ids, y, shuffle=False, verbose=0)
            plain.fit(
                testing.training_inputs(method, x), y, shuffle=False, verbose=0
            )
            testing.assert_close(testing.flat(model), testing.flat(plain))
            for inputs in (ids, x):
                testing.assert_close(
                    model.predict(inputs, verbose=0),
                    plain.predict(x, verbose=0),
                )
                testing.assert_close(
                    model.evaluate(inputs, y, verbose=0),
                    plain.evaluate(x, y, verbose=0),
                )

    def test_network_that_is_not_built_yet(self):
        x, y = examples()
        model = testing.compiled(models.LimitModel(testing.Subclassed(8)))
        model.hold_inputs(x)
        model.fit(stream("limit", x, y, held=True), verbose=0)
        self.assertEqual(model.num_classes, testing.NUM_CLASSES)

    def test_other_inputs_take_the_place_of_those_held(self):
        x, y = examples()
        model, _ = trained("limit", held=True)
        plain, _ = trained("limit", held=False)
        model.hold_inputs(-x)
        model.fit(stream("limit", -x, y, held=True), verbose=0)
        plain.fit(stream("limit", -x, y, held=False), verbose=0)
        testing.assert_close(testing.flat(model), testing.flat(plain))


def pixel_network(seed):
    return keras.Sequential(
        [
            keras.Input((3, 3, 1), dtype="uint8"),
            keras.layers.Rescaling(1.0 / 255.0),
            keras.layers.Flatten(),
            keras.layers.Dense(
                testing.NUM_CLASSES,
                kernel_initializer=keras.initializers.GlorotUniform(seed),
            ),
        ]
    )


class SavingTest(parameterized.TestCase):
    @parameterized.parameters(*testing.METHODS)
    @pytest.mark.slow
    def test_files_are_those_of_a_model_without_held_inputs(self, method):
        x, y = examples()
        folder = tempfile.mkdtemp()
        sizes = []
        for held in (False, True):
            model, _ = trained(method, held)
            if held:
                model.hold_inputs(np.tile(x, (5000, 1)))
            path = os.path.join(folder, f"{held}.keras")
            model.save(path)
            model.classifier.export(
                os.path.join(folder, str(held)), verbose=False
            )
            sizes.append((os.path.getsize(path), size_of(folder, str(held))))
        np.testing.assert_allclose(sizes[1], sizes[0], atol=2000)
        loaded = keras.models.load_model(path)
        testing.assert_close(
            loaded.predict(x, verbose=0), model.predict(x, verbose=0)
        )
        with self.assertRaisesRegex(ValueError, "call hold_inputs first"):
            loaded.fit(stream(method, x, y, held=True), verbose=0)

        model.hold_inputs(x)
        loaded.hold_inputs(x)
        for each in (model, loaded):
            each.fit(stream(method, x, y, held=True), verbose=0)
        testing.assert_close(testing.flat(loaded), testing.flat(model))


def size_of(*parts):
    """Bytes of the files in a folder."""
    return sum(
        os.path.getsize(os.path.join(folder, file))
        for folder, _, files in os.walk(os.path.join(*parts))
        for file in files
    )


class RefusalTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x, self.y = examples()

    def refused(self, error, message, model, *arguments):
        before = testing.flat(model.classifier)
        with self.assertRaisesRegex(error, message) as caught:
            model.fit(*arguments, verbose=0)
        np.testing.assert_array_equal(testing.flat(model.classifier), before)
        return str(caught.exception)

    @parameterized.parameters(*testing.METHODS)
    def test_nothing_is_held(self, method):
        model = testing.compiled(build(method))
        message = "`x` must hold inputs, or call hold_inputs first"
        ids = {"example_ids": np.arange(NUM_EXAMPLES)}
        for arguments in (
            (stream(method, self.x, self.y, held=True),),
            (ids, self.y),
        ):
            line = self.refused(ValueError, message, model, *arguments)
            self.assertNotIn("\n", line)
        model.hold_inputs(self.x)
        model.fit(ids, self.y, verbose=0)
        model.hold_inputs(None)
        self.refused(ValueError, message, model, ids, self.y)

    @parameterized.product(
        method=("limit", "classifier", "elr"), wrong=(-1, NUM_EXAMPLES)
    )
    def test_positions_out_of_range(self, method, wrong):
        model = testing.compiled(build(method))
        model.hold_inputs(self.x)
        ids = np.arange(NUM_EXAMPLES)
        ids[5] = wrong
        x = {"example_ids": ids}
        message = (
            rf"`example_ids` must lie in \[0, 44\), the positions.*{wrong}"
        )
        line = self.refused(ValueError, message, model, x, self.y)
        self.assertNotIn("\n", line)
        batches = tf.data.Dataset.from_tensor_slices((x, self.y)).batch(44)
        self.refused(ValueError, message, model, batches)
        generator = (batch for batch in [(x, self.y)])
        self.refused(ValueError, message, model, generator)

    def test_several_replicas(self):
        with testing.two_replicas().scope():
            model = testing.compiled(build("limit"))
        with self.assertRaisesRegex(ValueError, "`hold_inputs`.*2 replicas"):
            model.hold_inputs(self.x)


if __name__ == "__main__":
    absltest.main()
