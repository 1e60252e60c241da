"""What every loss promises."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import losses

TRANSITION_MATRIX = [[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.0, 0.3, 0.7]]
NUM_CLASSES = 3
NAMES = sorted(losses.LOSSES)
MODES = ("eager", "graph", "jit")


def make(name, **arguments):
    if name == "forward_correction":
        arguments.setdefault("transition_matrix", TRANSITION_MATRIX)
    return losses.get(name, **arguments)


def toy_batch(seed=0, batch_size=12):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(batch_size, NUM_CLASSES)).astype("float32")
    return np.arange(batch_size) % NUM_CLASSES, logits


def value_and_gradient(loss, labels, logits, sample_weight=None, mode="eager"):
    def function(labels, logits, sample_weight):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits, sample_weight)
        return value, tape.gradient(value, logits)

    if mode != "eager":
        function = tf.function(function, jit_compile=mode == "jit")
    weight = None if sample_weight is None else tf.constant(sample_weight)
    results = function(tf.constant(labels), tf.constant(logits), weight)
    return tuple(result.numpy() for result in results)


def toy_model(loss, seed=0, dtype=None, jit_compile=False):
    init = keras.initializers.GlorotUniform(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(
                NUM_CLASSES, kernel_initializer=init, dtype=dtype
            ),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), loss=loss, jit_compile=jit_compile)
    return model


class EveryLossTest(parameterized.TestCase):
    @parameterized.parameters(*NAMES)
    def test_labels_of_any_form_give_one_loss(self, name):
        labels, logits = toy_batch()
        expected = make(name)(labels, logits)
        one_hot = np.eye(NUM_CLASSES)[labels]
        for form in (labels[:, None], labels.astype("uint8"), one_hot):
            np.testing.assert_array_equal(make(name)(form, logits), expected)

    @parameterized.product(name=NAMES, mode=MODES)
    def test_an_invalid_label_shows_as_nan(self, name, mode):
        labels, logits = toy_batch()
        labels[1] = NUM_CLASSES
        value, _ = value_and_gradient(make(name), labels, logits, mode=mode)
        self.assertTrue(np.isnan(value))

    @parameterized.product(
        name=NAMES, mode=MODES, confident=(1e4, -1e4), wrong=(False, True)
    )
    def test_confident_logits_give_finite_numbers(
        self, name, mode, confident, wrong
    ):
        labels, _ = toy_batch()
        logits = confident * np.eye(NUM_CLASSES)[(labels + wrong) % NUM_CLASSES]
        value, gradient = value_and_gradient(
            make(name), labels, logits.astype("float32"), mode=mode
        )
        self.assertTrue(np.isfinite(value))
        self.assertTrue(np.isfinite(gradient).all())

    @parameterized.product(name=NAMES, mode=MODES)
    def test_weights_of_one_equal_none_and_zero_silences(self, name, mode):
        labels, logits = toy_batch()
        loss = make(name)
        expected = value_and_gradient(loss, labels, logits, mode=mode)
        ones = np.ones((len(labels), 1), "float32")
        for weights in (ones, ones[:, 0]):
            given = value_and_gradient(loss, labels, logits, weights, mode)
            np.testing.assert_allclose(given[0], expected[0], rtol=1e-6)
            np.testing.assert_allclose(given[1], expected[1], rtol=1e-5)
        weights = ones[:, 0].copy()
        weights[0] = 0.0
        changed = labels.copy()
        changed[0] = 1
        silenced = value_and_gradient(loss, labels, logits, weights, mode)
        again = value_and_gradient(loss, changed, logits, weights, mode)
        np.testing.assert_array_equal(silenced[1][0], 0.0)
        np.testing.assert_allclose(silenced[0], again[0], rtol=1e-6)
        self.assertNotAlmostEqual(silenced[0], expected[0], places=3)

    @parameterized.product(name=NAMES, dtype=("float16", "bfloat16"))
    def test_half_precision_logits_are_computed_in_float32(self, name, dtype):
        labels, logits = toy_batch()
        half = tf.cast(logits, dtype)
        value = make(name)(labels, half)
        self.assertEqual(value.dtype, tf.float32)
        np.testing.assert_array_equal(
            value, make(name)(labels, tf.cast(half, tf.float32))
        )

    @parameterized.parameters(*NAMES)
    def test_the_loss_stays_float32_whatever_floatx(self, name):
        keras.config.set_floatx("float16")
        try:
            loss = make(name)
        finally:
            keras.config.set_floatx("float32")
        self.assertEqual(loss.dtype, "float32")

    @parameterized.product(
        name=NAMES,
        dtype=("mixed_float16", "mixed_bfloat16"),
        jit_compile=(False, True),
    )
    def test_mixed_precision_models_train(self, name, dtype, jit_compile):
        labels, _ = toy_batch(batch_size=24)
        x = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
        x[:, 0] += 3 * labels
        model = toy_model(make(name), dtype=dtype, jit_compile=jit_compile)
        before = model.get_weights()[0].copy()
        history = model.fit(
            x, labels, batch_size=12, epochs=3, shuffle=False, verbose=0
        )
        self.assertTrue(np.isfinite(history.history["loss"]).all())
        self.assertLess(history.history["loss"][-1], history.history["loss"][0])
        self.assertGreater(np.abs(model.get_weights()[0] - before).max(), 0.0)

    @parameterized.parameters(*NAMES)
    def test_a_compiled_model_keeps_its_loss_through_a_file(self, name):
        arguments = {
            "gce": {"q": 0.4, "truncation": 0.2},
            "sce": {"alpha": 6.0, "beta": 0.5, "label_clip": 1e-3},
            "dmi": {"epsilon": 0.01},
        }.get(name, {})
        labels, _ = toy_batch()
        x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
        model = toy_model(make(name, **arguments))
        model.train_on_batch(x, labels)
        path = pathlib.Path(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        loaded = keras.saving.load_model(path)

        self.assertIs(type(loaded.loss), losses.LOSSES[name])
        self.assertEqual(loaded.loss.get_config(), model.loss.get_config())
        model.reset_metrics()  # Keras 3.12 shows a running mean
        np.testing.assert_allclose(
            loaded.train_on_batch(x, labels),
            model.train_on_batch(x, labels),
            rtol=1e-5,
        )
        np.testing.assert_allclose(
            loaded.get_weights()[0], model.get_weights()[0], atol=1e-5
        )

    @parameterized.parameters(*NAMES)
    def test_logits_of_another_rank_are_refused(self, name):
        with self.assertRaisesRegex(ValueError, r"`y_pred` must .*\(3,\)"):
            make(name)([0, 1, 2], [0.0, 1.0, 2.0])


class GetTest(parameterized.TestCase):
    def test_a_name_with_arguments_gives_a_loss(self):
        self.assertEqual(losses.get("gce", q=0.5).q, 0.5)

    def test_an_instance_is_returned_as_it_is(self):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.assertIs(losses.get(loss), loss)

    @parameterized.parameters("mea", None, keras.losses.Loss)
    def test_anything_else_is_refused(self, identifier):
        with self.assertRaisesRegex(ValueError, "`identifier` must"):
            losses.get(identifier)

    def test_arguments_beside_an_instance_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`arguments` belong"):
            losses.get(losses.MeanAbsoluteError(), q=0.5)

    @parameterized.parameters(
        ("gce", {"q": 0.0}, ValueError, "`q` must .* Received: q=0.0"),
        ("gce", {"q": 1}, ValueError, "`q` must .* Received: q=1"),
        ("gce", {"q": "a"}, TypeError, "`q` must .* Received: q='a'"),
        ("gce", {"truncation": 1.0}, ValueError, "`truncation` .*n=1.0"),
        ("gce", {"truncation": True}, TypeError, "`truncation` .*n=True"),
        ("sce", {"alpha": -1}, ValueError, "`alpha` must .*alpha=-1"),
        ("sce", {"beta": float("nan")}, ValueError, "`beta` must .*beta=nan"),
        ("sce", {"label_clip": 0}, ValueError, "`label_clip` .*clip=0"),
        ("dmi", {"epsilon": 0}, ValueError, "`epsilon` must .*epsilon=0"),
        ("dmi", {"epsilon": None}, TypeError, "`epsilon` .*epsilon=None"),
    )
    def test_bad_arguments_are_named_on_one_line(
        self, name, arguments, error, message
    ):
        with self.assertRaisesRegex(error, message) as caught:
            losses.get(name, **arguments)
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
