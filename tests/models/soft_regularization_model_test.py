"""LIMIT's soft regularisation."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from tests import testing


def features_of(kernel):
    """Network with the features `z = x` and logits `x @ kernel`."""
    kernel = np.asarray(kernel, "float32")
    model = keras.Sequential(
        [
            keras.Input((kernel.shape[0],)),
            keras.layers.Activation("linear"),
            keras.layers.Dense(kernel.shape[1], use_bias=False),
        ]
    )
    model.set_weights([kernel])
    return model


def toy(network=None, **kwargs):
    return testing.toy_model(
        "soft_regularization", seed=1, network=network, **kwargs
    )


class ObjectiveTest(parameterized.TestCase):
    def test_figures_by_hand(self):
        # z = x = 2, a = (0, 0), r = (0, ln 3): s(a) = (1/2, 1/2),
        # s(r) = (1/4, 3/4), label 0: ||z||^2 = 4, ||y - s(r)||^2 = 2 (3/4)^2,
        # ||s(a) - s(r)||^2 = 2 / 16, cross-entropy ln 2.
        model = testing.compiled(
            models.SoftRegularizationModel(
                features_of([[0.0, 0.0]]),
                testing.linear([[0.0, np.log(3.0) / 2.0]]),
                information_penalty=0.5,
                gradient_penalty=3.0,
            )
        )
        logs = model.test_on_batch(
            np.array([[2.0]]), np.array([0]), return_dict=True
        )
        self.assertAlmostEqual(logs["loss"], np.log(2.0), places=6)
        self.assertAlmostEqual(
            logs["information_penalty"], 0.5 * 4 * 9 / 8, places=5
        )
        self.assertAlmostEqual(logs["gradient_penalty"], 3 * 4 / 8, places=5)

    @parameterized.parameters(
        ({"information_penalty": 0.5, "gradient_penalty": 0.0},),
        ({"information_penalty": 0.0, "gradient_penalty": 0.5},),
    )
    def test_each_penalty_trains_both_networks(self, penalties):
        x, y = testing.toy_batch(seed=0)
        zero = dict.fromkeys(penalties, 0.0)
        model, plain = (
            testing.compiled(toy({"batch_norm": False}, **arguments))
            for arguments in (penalties, zero)
        )
        start = testing.flat(model.gradient_predictor)
        for m in (model, plain):
            m.train_on_batch(x, y)
        self.assertFalse(
            np.allclose(
                testing.flat(model.classifier),
                testing.flat(plain.classifier),
                atol=1e-4,
            )
        )
        self.assertFalse(
            np.allclose(
                testing.flat(model.gradient_predictor), start, atol=1e-5
            )
        )
        np.testing.assert_array_equal(
            testing.flat(plain.gradient_predictor), start
        )

    def test_without_penalties_it_is_the_cross_entropy_step(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            toy(information_penalty=0.0, gradient_penalty=0.0)
        )
        plain = testing.compiled(
            testing.toy_model(
                "classifier", seed=1, network={"final_bias": False}
            )
        )
        for m in (model, plain):
            m.train_on_batch(x, y)
        np.testing.assert_allclose(
            testing.flat(model.classifier),
            testing.flat(plain.classifier),
            rtol=1e-5,
            atol=1e-6,
        )

    def test_weights_weigh_the_terms_that_see_labels(self):
        x, y = testing.toy_batch(seed=0)
        ones = np.ones(len(y))
        silent = np.concatenate([[0.0], ones[1:]])
        other = np.concatenate([[(y[0] + 1) % testing.NUM_CLASSES], y[1:]])
        model = testing.compiled(toy())
        start = model.get_weights()
        weights, logs = [], []
        for labels, weight in (
            (y, None),
            (y, ones),
            (y, silent),
            (other, silent),
        ):
            model.set_weights(start)
            model.reset_metrics()
            logs.append(
                model.train_on_batch(
                    x, labels, sample_weight=weight, return_dict=True
                )
            )
            weights.append(testing.flat(model))
        np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)
        testing.assert_close(weights[2], weights[3])
        self.assertFalse(np.allclose(weights[0], weights[2], atol=1e-4))
        for figure in ("loss", "information_penalty"):
            expected = logs[2][figure]
            self.assertAlmostEqual(logs[3][figure], expected, places=5)
            self.assertNotAlmostEqual(logs[0][figure], expected, places=4)
        self.assertEqual(
            logs[0]["gradient_penalty"], logs[2]["gradient_penalty"]
        )

    def test_features_and_logits_come_of_one_pass(self):
        # Dropout draws once a step: its features times the last kernel are
        # the logits.
        x, _ = testing.toy_batch(seed=0)
        model = toy({"dropout": 0.5})
        features, logits = model._features(x, True)
        self.assertGreater(np.mean(features == 0.0), 0.4)
        np.testing.assert_allclose(
            features @ model.classifier.layers[-1].kernel, logits, atol=1e-6
        )

    def test_activity_penalty_of_a_layer_trains_in_every_trace(self):
        # Without labels' weight and penalties, what is left is the penalty of
        # the layer: 0.1 z^2 with z = w, which Keras sums over the batch or, in
        # later versions, averages. Its gradient is 0.2 w times that.
        network = keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.Dense(
                    1,
                    use_bias=False,
                    activity_regularizer=keras.regularizers.L2(0.1),
                ),
                keras.layers.Dense(2, use_bias=False),
            ]
        )
        model = testing.compiled(
            models.SoftRegularizationModel(
                network, information_penalty=0.0, gradient_penalty=0.0
            ),
            keras.optimizers.SGD(1.0),
        )
        for size in (4, 2, 4):
            x, before = np.ones((size, 1)), network.get_weights()[0]
            network(x, training=True)
            count = float(network.losses[0]) / (0.1 * before.item() ** 2)
            self.assertIn(round(count, 3), (1.0, size))
            model.train_on_batch(
                x, np.zeros(size), sample_weight=np.zeros(size)
            )
            np.testing.assert_allclose(
                network.get_weights()[0],
                (1.0 - 0.2 * count) * before,
                rtol=1e-4,
            )

    def test_mixed_precision_trains(self):
        x, y = testing.toy_batch(seed=0, batch_size=32)
        model = testing.compiled(
            toy({"dtype": "mixed_float16"}), keras.optimizers.Adam(0.02)
        )
        losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
        self.assertLess(losses[-1], 0.8 * losses[0])


class NetworkTest(parameterized.TestCase):
    def test_weights_are_counted_once(self):
        model = toy()
        own = sum(
            len(network.weights)
            for network in (model.classifier, model.gradient_predictor)
        )
        self.assertLen(model.weights, own + 1)  # and the step counter
        self.assertLen({id(w) for w in model.weights}, own + 1)

    def test_last_layer_may_belong_to_another_network_too(self):
        last = keras.layers.Dense(testing.NUM_CLASSES, use_bias=False)
        networks = []
        for _ in range(2):
            inputs = keras.Input((testing.NUM_FEATURES,))
            hidden = keras.layers.Dense(8, activation="relu")(inputs)
            networks.append(keras.Model(inputs, last(hidden)))
        x, _ = testing.toy_batch(seed=0)
        model = models.SoftRegularizationModel(networks[1])
        features, _ = model._features(x, False)
        np.testing.assert_allclose(
            features, networks[1].layers[1](x), atol=1e-6
        )

    def test_dictionary_inputs(self):
        inputs = {
            "b": keras.Input((3,), name="b"),
            "a": keras.Input((3,), name="a"),
        }
        hidden = keras.layers.Subtract()([inputs["b"], inputs["a"]])
        last = keras.layers.Dense(testing.NUM_CLASSES, use_bias=False)
        model = testing.compiled(
            models.SoftRegularizationModel(keras.Model(inputs, last(hidden)))
        )
        x = {"a": np.ones((8, 3)), "b": 3.0 * np.ones((8, 3))}
        features, _ = model._features(x, False)
        np.testing.assert_array_equal(features, 2.0)
        logs = model.fit(x, np.arange(8) % 4, verbose=0).history
        self.assertTrue(np.isfinite(logs["loss"][0]))

    @parameterized.parameters(
        (lambda: testing.toy_network(1), "Dense with a bias"),
        (lambda: testing.Subclassed(8), "unseen layer"),
        (
            lambda: keras.Sequential([keras.layers.Dense(4, use_bias=False)]),
            "unseen layer",
        ),
        (
            lambda: keras.Sequential(
                [
                    keras.Input((6,)),
                    keras.layers.Dense(4, use_bias=False),
                    keras.layers.ReLU(),
                ]
            ),
            "ReLU",
        ),
    )
    def test_last_layer_without_bias_must_be_seen(self, make, message):
        with self.assertRaisesRegex(
            ValueError, f"`classifier`.*use_bias=False.*{message}"
        ) as caught:
            models.SoftRegularizationModel(make())
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters("information_penalty", "gradient_penalty")
    def test_penalties_must_be_finite_and_positive(self, argument):
        for value in (-1.0, float("nan"), float("inf")):
            with self.assertRaisesRegex(ValueError, f"`{argument}`.*{value}"):
                toy(**{argument: value})

    def test_networks_must_agree(self):
        other = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
        with self.assertRaisesRegex(ValueError, "number of classes.*4 and 3"):
            models.SoftRegularizationModel(
                testing.toy_network(1, final_bias=False), other
            )


if __name__ == "__main__":
    absltest.main()
