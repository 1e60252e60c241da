"""Estimators with scikit-learn's interface."""

import contextlib
import pickle
import random
import unittest

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from sklearn.base import clone
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import limit_tf
from limit_tf.wrappers import CrossEntropyClassifier
from limit_tf.wrappers import LimitClassifier

_CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
_NAMES = np.array(["ape", "bee", "cow"])

# Batches of another number of examples are shuffled in another way.
_FAILING_CHECKS = ("check_sample_weight_equivalence_on_dense_data",)


def linear(input_shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes),
        ]
    )


def clusters(num_examples=90, seed=0):
    rng = np.random.default_rng(seed)
    classes = np.arange(num_examples) % 3
    return rng.normal(_CENTRES[classes], 0.7), classes


def quick(cls=LimitClassifier, **kwargs):
    options = {"network": linear, "epochs": 2, "random_state": 0}
    return cls(**options | kwargs)


class LimitClassifierTest(parameterized.TestCase):
    @parameterized.parameters(LimitClassifier, CrossEntropyClassifier)
    def test_learns_labels_of_any_kind(self, cls):
        x, classes = clusters()
        estimator = cls(epochs=20, batch_size=32, random_state=0)
        self.assertIs(estimator.fit(x, _NAMES[classes]), estimator)
        self.assertGreater(estimator.score(x, _NAMES[classes]), 0.95)
        self.assertEqual(estimator.classes_.tolist(), _NAMES.tolist())
        self.assertEqual(estimator.n_features_in_, 2)
        self.assertEqual(estimator.epoch_, 20)
        self.assertLen(estimator.history_["accuracy"], 20)
        probs = estimator.predict_proba(x)
        self.assertEqual((probs.shape, probs.dtype), ((90, 3), np.float64))
        np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-12)
        logits = estimator.decision_function(x)
        np.testing.assert_array_equal(logits.argmax(1), probs.argmax(1))
        again = pickle.loads(pickle.dumps(estimator))
        np.testing.assert_array_equal(again.predict_proba(x), probs)
        self.assertEqual(again.history_, estimator.history_)


class QuickFitTest(parameterized.TestCase):
    """What does not depend on graphs, whose tracing takes most of the time."""

    def setUp(self):
        super().setUp()
        tf.config.run_functions_eagerly(True)
        self.addCleanup(tf.config.run_functions_eagerly, False)

    def test_keeps_to_the_conventions_of_scikit_learn(self):
        num_passed = 0
        # The older checks take ten times as long and pass too.
        checks = estimator_checks_generator(
            LimitClassifier(linear, epochs=1), legacy=False
        )
        for estimator, check in checks:
            name = check.func.__name__
            if name in _FAILING_CHECKS:
                continue
            with self.subTest(name), contextlib.suppress(unittest.SkipTest):
                check(estimator)
                num_passed += 1
        self.assertGreater(num_passed, 10)

    def test_random_state_fixes_everything(self):
        x, y = clusters()
        options = {"network": None, "validation_fraction": 0.2}
        state = random.getstate()
        first, second, other = (
            quick(**options | {"random_state": seed}).fit(x, y)
            for seed in (1, 1, 2)
        )
        self.assertEqual(random.getstate(), state)
        self.assertEqual(first.history_, second.history_)
        probs = first.predict_proba(x)
        np.testing.assert_array_equal(second.predict_proba(x), probs)
        self.assertGreater(abs(other.predict_proba(x) - probs).max(), 1e-3)

    @parameterized.parameters("uint8", "float64")
    def test_takes_images_and_labels_with_gaps(self, dtype):
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (20, 4, 5, 3)).astype(dtype)
        y = np.where(np.arange(20) % 2, 7, -1)
        for network in (None, linear, limit_tf.nets.mlp):
            estimator = quick(network=network).fit(x, y)
            self.assertContainsSubset(estimator.predict(x), {-1, 7})
            self.assertEqual(estimator.input_shape_, (4, 5, 3))
            decision = estimator.decision_function(x)
            self.assertEqual(decision.shape, (20,))
            np.testing.assert_array_equal(
                estimator.predict(x), np.where(decision > 0, 7, -1)
            )
        with self.assertRaisesRegex(ValueError, r"`X` must hold .*\(4, 5, 3\)"):
            estimator.predict(x[:, :, :4])

    def test_a_given_network_is_copied_with_fresh_weights(self):
        x, y = clusters()
        network = linear((2,), 3)
        before = [weight.numpy() for weight in network.weights]
        estimator = quick(network=network, gradient_predictor=network)
        first = estimator.fit(x, y).model_
        second = clone(estimator).fit(x, y).model_
        for weight, value in zip(network.weights, before, strict=True):
            np.testing.assert_array_equal(weight.numpy(), value)
        networks = [first.classifier, first.gradient_predictor, network]
        kernels = [net.weights[0].numpy() for net in networks]
        for i in range(3):
            self.assertGreater(abs(kernels[i] - kernels[i - 1]).max(), 1e-3)
        np.testing.assert_array_equal(
            second.classifier.weights[0].numpy(), kernels[0]
        )

    def test_a_given_network_keeps_what_nothing_trains(self):
        x, y = clusters()
        scale = keras.layers.Normalization()
        scale.adapt(1000.0 + 50.0 * x)
        frozen = keras.layers.Dense(4, trainable=False)
        layers = [keras.Input((2,)), scale, frozen, keras.layers.Dense(3)]
        network = keras.Sequential(layers)
        for estimator in (
            quick(network=network, epochs=1),
            CrossEntropyClassifier(network, epochs=1),
        ):
            model = estimator.fit(1000.0 + 50.0 * x, y).model_
            for one in [getattr(model, name) for name in model.NETWORKS]:
                np.testing.assert_array_equal(
                    one.layers[1](one.layers[0](x)), frozen(scale(x))
                )
                self.assertFalse(one.layers[1].trainable)

    def test_a_given_network_may_be_where_every_fit_starts(self):
        x, y = clusters()
        network = linear((2,), 3)
        estimator = quick(
            network=network,
            network_from="copy",
            predictor_from="copy",
            optimizer=keras.optimizers.SGD(0.0),
            epochs=1,
        )
        model = estimator.fit(x, y).model_
        for one in (model.classifier, model.gradient_predictor):
            np.testing.assert_array_equal(
                one.weights[0].numpy(), network.weights[0].numpy()
            )
        for name in ("network_from", "predictor_from"):
            with self.assertRaisesRegex(ValueError, f"`{name}` must.*'old'"):
                quick(network=network, **{name: "old"}).fit(x, y)

    def test_a_network_that_is_built_by_its_data_is_reproducible(self):
        x, y = clusters()
        network = keras.Sequential([keras.layers.Dense(3)])
        probs = [
            quick(network=network).fit(x, y).predict_proba(x) for _ in range(2)
        ]
        np.testing.assert_array_equal(*probs)

    def test_probabilities_of_the_gradient_predictor(self):
        x, y = clusters()
        estimator = quick().fit(x, y)
        probs = estimator.predict_proba(x)
        estimator.set_params(proba_network="gradient_predictor")
        others = estimator.predict_proba(x)
        np.testing.assert_allclose(others.sum(axis=1), 1.0, rtol=1e-12)
        self.assertGreater(abs(others - probs).max(), 1e-3)
        inputs = x.astype("float32")
        logits = estimator.model_.gradient_predictor(inputs).numpy()
        np.testing.assert_array_equal(others.argmax(1), logits.argmax(1))

    @parameterized.parameters(LimitClassifier, CrossEntropyClassifier)
    def test_a_label_without_weight_is_not_seen(self, cls):
        x, y = clusters()
        estimator = quick(cls, batch_size=32, learning_rate=0.05)
        weight = (np.arange(90) % 5 > 0).astype(float)
        others = np.where(weight > 0, y, (y + 1) % 3)
        probs = [
            estimator.fit(x, labels, sample_weight=weight).predict_proba(x)
            for labels in (y, others)
        ]
        np.testing.assert_array_equal(*probs)
        unweighted = estimator.fit(x, y).predict_proba(x)
        self.assertGreater(abs(unweighted - probs[0]).max(), 1e-6)

    def test_patience_ends_training_and_keeps_the_best_epoch(self):
        x, y = clusters()
        estimator = quick(
            epochs=40,
            patience=2,
            validation_fraction=0.3,
            gradient_penalty="auto",
            learning_rate=0.5,
            optimizer=keras.optimizers.SGD(momentum=0.5),
        ).fit(x, y)
        self.assertLess(estimator.epoch_, 40)
        self.assertIn("penalty_weight", estimator.history_)
        accuracies = estimator.history_["val_accuracy"]
        self.assertEqual(np.argmax(accuracies), estimator.epoch_ - 3)
        rate = estimator.model_.optimizer.learning_rate
        self.assertAlmostEqual(float(rate), 0.5)
        self.assertAlmostEqual(float(estimator.optimizer.learning_rate), 0.01)

    def test_pipelines_searches_and_cross_validation(self):
        x, y = clusters(60)
        self.assertTrue(is_classifier(quick()))
        pipeline = make_pipeline(StandardScaler(), quick())
        probs = cross_val_predict(
            pipeline, x, _NAMES[y], cv=2, method="predict_proba"
        )
        self.assertEqual(probs.shape, (60, 3))
        search = GridSearchCV(
            pipeline, {"limitclassifier__gradient_penalty": [0.0, 3.0]}, cv=2
        ).fit(x, _NAMES[y])
        model = search.best_estimator_[-1].model_
        self.assertEqual(model.penalty_weight, search.best_params_.popitem()[1])

    @pytest.mark.slow
    def test_works_inside_clean_learning(self):
        pytest.importorskip("cleanlab", reason="cleanlab is not installed")
        from cleanlab.classification import CleanLearning

        x, y = clusters(60)
        noisy = np.where(np.arange(60) % 10, y, (y + 1) % 3)
        cleaner = CleanLearning(
            quick(epochs=20, batch_size=64, learning_rate=0.2),
            cv_n_folds=2,
            seed=0,
        )
        cleaner.fit(x, noisy)
        table = cleaner.get_label_issues()
        np.testing.assert_array_equal(
            np.flatnonzero(table.is_label_issue), np.arange(0, 60, 10)
        )
        self.assertGreater(np.mean(cleaner.predict(x) == y), 0.95)

    @parameterized.parameters(
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"validation_fraction": 0.01}, "validation_fraction"),
        ({"patience": 3}, "validation_fraction"),
        ({"gradient_penalty": "auto"}, "validation_fraction"),
        ({"gradient_penalty": -1.0}, "gradient_penalty"),
        ({"proba_network": "both"}, "proba_network"),
        ({"network": "mlp"}, "network"),
        ({"gradient_predictor": 3}, "gradient_predictor"),
        ({"network": linear((2,), 4)}, "`network` must end in 3 logits"),
    )
    def test_refuses(self, arguments, message):
        x, y = clusters()
        with self.assertRaisesRegex((TypeError, ValueError), message):
            quick(**arguments).fit(x, y)

    def test_refuses_data(self):
        x, y = clusters()
        with self.assertRaisesRegex(ValueError, "`y` must hold more than one"):
            quick().fit(x, np.zeros(90))
        with self.assertRaisesRegex(ValueError, "`X` must hold numbers that"):
            quick().fit(x * 1e300, y)
        for weight, message in (
            (-np.ones(90), r"90 invalid of 90, the first .*\[0\]=-1"),
            (np.r_[np.ones(7), np.nan, np.ones(82)], r"1 .*\[7\]=nan"),
            (np.zeros(90), "above zero"),
            (np.ones(89), "shape"),
        ):
            with self.assertRaisesRegex(
                ValueError, f"`sample_weight` must.*{message}"
            ):
                quick().fit(x, y, sample_weight=weight)
        names = np.array(["a", None, "b"] * 30, object)
        with self.assertRaisesRegex(ValueError, r"`y`.*30 .*y\[1\]=None"):
            quick().fit(x, names)
        with self.assertRaisesRegex(ValueError, "NaN"):
            quick().fit(np.where(x == x[3], np.nan, x), y)
        with self.assertRaises(NotFittedError):
            quick().predict(x)


if __name__ == "__main__":
    absltest.main()
