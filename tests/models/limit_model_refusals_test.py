"""What LimitModel refuses before any training, in one clear line."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from tests import testing


def network(*layers, features=testing.NUM_FEATURES):
    return keras.Sequential([keras.Input((features,)), *layers])


def dense(units=testing.NUM_CLASSES, activation=None, name=None):
    return keras.layers.Dense(units, activation=activation, name=name)


class NetworkRefusalTest(parameterized.TestCase):
    @parameterized.parameters("softmax", "sigmoid")
    def test_final_activation_is_named(self, activation):
        wrapped = keras.Sequential(
            [
                keras.Input((testing.NUM_FEATURES,)),
                network(dense(activation=activation, name="head")),
            ]
        )
        inputs = keras.Input((testing.NUM_FEATURES,))
        functional = keras.Model(
            inputs, dense(activation=activation, name="head")(inputs)
        )
        for classifier in (
            network(dense(activation=activation, name="head")),
            network(dense(), keras.layers.Activation(activation, name="head")),
            wrapped,
            functional,
            keras.Sequential([dense(activation=activation, name="head")]),
        ):
            with self.assertRaisesRegex(
                ValueError, f"`classifier`.*logits.*{activation}.*'head'"
            ):
                limit_tf.LimitModel(classifier)

    def test_softmax_layer_is_named(self):
        with self.assertRaisesRegex(ValueError, "softmax.*'last'"):
            limit_tf.LimitModel(
                network(dense(), keras.layers.Softmax(name="last"))
            )

    @parameterized.parameters("softmax", "sigmoid")
    def test_hidden_final_activation_is_found_before_training(self, activation):
        x, y = testing.toy_batch(seed=0)
        model = limit_tf.LimitModel(
            testing.Subclassed(8, activation=activation)
        )
        model.compile("adam")
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
        for arguments in ((x, y), (data,)):
            with self.assertRaisesRegex(ValueError, "`classifier`.*logits"):
                model.fit(*arguments, verbose=0)
        self.assertEqual(int(model.train_steps), 0)

    def test_output_must_have_rank_two(self):
        with self.assertRaisesRegex(ValueError, "`classifier`.*num_classes"):
            limit_tf.LimitModel(network(keras.layers.Reshape((2, 3))))
        model = limit_tf.LimitModel(testing.Subclassed(8, rank=3))
        model.compile("adam")
        with self.assertRaisesRegex(ValueError, "`classifier`.*num_classes"):
            model.fit(*testing.toy_batch(seed=0), verbose=0)

    def test_networks_must_agree(self):
        with self.assertRaisesRegex(ValueError, "number of classes.*4 and 3"):
            limit_tf.LimitModel(network(dense()), network(dense(3)))
        with self.assertRaisesRegex(ValueError, "inputs.*6.*5"):
            limit_tf.LimitModel(network(dense()), network(dense(), features=5))

    def test_networks_must_not_share_weights(self):
        body = dense(8)
        same = network(dense())
        for pair in (
            (network(body, dense()), network(body, dense())),
            (same, same),
        ):
            with self.assertRaisesRegex(ValueError, "no weight in common"):
                limit_tf.LimitModel(*pair)

    def test_networks_must_be_models(self):
        with self.assertRaisesRegex(TypeError, "`classifier`.*keras.Model"):
            limit_tf.LimitModel(dense())


class ArgumentRefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"q_dist": "cauchy"}, "`q_dist`.*'cauchy'"),
        ({"q_dist": None}, "`q_dist`"),
        ({"gradient_penalty": -1.0}, "`gradient_penalty`.*-1"),
        ({"gradient_penalty": float("nan")}, "`gradient_penalty`.*nan"),
        ({"warmup_steps": -2}, "`warmup_steps`.*-2"),
        ({"warmup_steps": 1.5}, "`warmup_steps`.*1.5"),
        ({"sample_gradients": True}, "`q_scale`"),
        ({"q_scale": 0.1}, "`q_scale`"),
        ({"sample_gradients": True, "q_scale": -0.1}, "`q_scale`.*-0.1"),
        (
            {
                "sample_gradients": True,
                "q_scale": 0.1,
                "q_dist": "cross_entropy",
            },
            "`sample_gradients`.*CrossEntropy",
        ),
    )
    def test_constructor(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            limit_tf.LimitModel(network(dense()), **arguments)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        "sparse_categorical_crossentropy",
        keras.losses.SparseCategoricalCrossentropy,
        keras.losses.categorical_crossentropy,
    )
    def test_loss_on_probabilities(self, loss):
        model = limit_tf.LimitModel(network(dense()))
        loss = loss() if isinstance(loss, type) else loss
        with self.assertRaisesRegex(ValueError, "`loss`.*logits"):
            model.compile("adam", loss=loss)

    def test_two_loss_scales(self):
        model = limit_tf.LimitModel(network(dense()))
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
        with self.assertRaisesRegex(ValueError, "plain optimizers"):
            model.compile("sgd", gradient_predictor_optimizer=scaled)


def bad_labels():
    _, y = testing.toy_batch(seed=0)
    eye = np.eye(testing.NUM_CLASSES)[y]
    changed = lambda a, value: np.concatenate([[value], a[1:]])  # noqa: E731
    return {
        "too large": (changed(y, testing.NUM_CLASSES), r"\[0, 4\)"),
        "negative": (changed(y, -1), r"\[0, 4\)"),
        "nan": (changed(y.astype("float32"), np.nan), r"\[0, 4\).*nan"),
        "fraction": (changed(y.astype("float32"), 0.5), r"\[0, 4\).*0.5"),
        "nan row": (changed(eye, np.full(4, np.nan)), "distributions"),
        "no distribution": (changed(eye, np.full(4, 0.5)), "distributions"),
        "negative entry": (changed(eye, [1.5, -0.5, 0, 0]), "distributions"),
    }


class LabelRefusalTest(parameterized.TestCase):
    @parameterized.parameters(*bad_labels())
    def test_arrays(self, kind):
        x, good = testing.toy_batch(seed=0)
        y, message = bad_labels()[kind]
        model = testing.toy_limit_model(seed=1)
        before = testing.flat(model)
        for run in (model.fit, model.evaluate, model.train_on_batch):
            with self.assertRaisesRegex(ValueError, f"`y`.*{message}") as e:
                run(x, y)
            self.assertNotIn("\n", str(e.exception))
        with self.assertRaisesRegex(ValueError, f"`val_y`.*{message}"):
            model.fit(x, good, validation_data=(x, y), verbose=0)
        np.testing.assert_array_equal(before, testing.flat(model))

    @parameterized.product(kind=tuple(bad_labels()), jit_compile=(False, True))
    def test_streams(self, kind, jit_compile):
        x, _ = testing.toy_batch(seed=0)
        y, message = bad_labels()[kind]
        model = testing.toy_limit_model(seed=1, jit_compile=jit_compile)
        networks = (model.classifier, model.gradient_predictor)
        before = [testing.flat(network) for network in networks]
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(len(y))
        for data, error in (
            (dataset, ValueError),
            (testing.Batches(x, y), Exception),
            ((batch for batch in [(x, y)]), ValueError),
        ):
            with self.assertRaisesRegex(error, message):
                model.fit(data, verbose=0)
        for weights, network in zip(before, networks, strict=True):
            np.testing.assert_array_equal(weights, testing.flat(network))

    @parameterized.parameters(False, True)
    def test_unchecked_step_never_makes_a_zero_row(self, jit_compile):
        # What reaches the step all the same shows in every loss.
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        step = tf.function(model.test_step, jit_compile=jit_compile)
        y[0] = testing.NUM_CLASSES
        logs = step((tf.constant(x), tf.constant(y)))
        self.assertTrue(np.isnan(logs["matching_loss"]))
        self.assertTrue(np.isnan(logs["loss"]))

    def test_missing_labels(self):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        dataset = tf.data.Dataset.from_tensor_slices(x).batch(4)
        for data in (x, dataset):
            with self.assertRaisesRegex(ValueError, "labels"):
                model.fit(data, verbose=0)

    def test_wrong_shape(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        with self.assertRaisesRegex(ValueError, r"`y`.*\(16, 3\)"):
            model.fit(x, np.zeros((len(y), 3)), verbose=0)

    def test_good_streams_train(self):
        x, y = testing.toy_batch(seed=0)
        weight = np.ones(len(y), "float32")
        model = testing.toy_limit_model(seed=1)
        expected = testing.toy_limit_model(seed=1)
        expected.fit(x, y, shuffle=False, verbose=0)
        dataset = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(16)
        model.fit(dataset, verbose=0)
        np.testing.assert_allclose(
            testing.flat(model), testing.flat(expected), rtol=1e-5, atol=1e-6
        )
        model.fit(testing.Batches(x, y), verbose=0)
        self.assertEqual(int(model.train_steps), 2)
        model.fit((batch for batch in [(x, y)]), verbose=0)
        self.assertGreater(int(model.train_steps), 2)


if __name__ == "__main__":
    absltest.main()
