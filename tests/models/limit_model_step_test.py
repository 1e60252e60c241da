"""What one training step of LimitModel does, and does not do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from tests import testing


def classifier_step(model, x, y, **kwargs):
    """Trains one step and returns how far the classifier moved."""
    before = testing.flat(model.classifier)
    model.train_on_batch(x, y, **kwargs)
    return testing.flat(model.classifier) - before


class StepTest(parameterized.TestCase):
    def test_step_of_a_linear_model_by_hand(self):
        # x = 1, logits a = (0, 0) and r = (0, ln 3): s(a) = (1/2, 1/2),
        # s(r) = (1/4, 3/4), mu = (1/4, -1/4), and for y = 0, g = (-1/2, 1/2).
        # Classifier: kernel -= x * mu (batch of one).
        # Predictor, Gaussian: loss = ||s(r) - y||^2 = 2 (3/4)^2, gradient for
        # r: J 2 (s(r) - y), J = diag(s) - s s' = 3/16 (1, -1; -1, 1), that is
        # 3/16 * 2 * (-3/2) * (1, -1) = (-9/16, 9/16).
        model = limit_tf.LimitModel(
            testing.linear([[0.0, 0.0]]),
            testing.linear([[0.0, np.log(3.0)]]),
            q_dist="gaussian",
            gradient_penalty=0.0,
        )
        model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)

        logs = model.train_on_batch(
            np.ones((1, 1)), np.array([0]), return_dict=True
        )

        np.testing.assert_allclose(
            model.classifier.get_weights()[0], [[-0.25, 0.25]], rtol=1e-6
        )
        np.testing.assert_allclose(
            model.gradient_predictor.get_weights()[0],
            [[9 / 16, np.log(3.0) - 9 / 16]],
            rtol=1e-6,
        )
        self.assertAlmostEqual(logs["matching_loss"], 9 / 8, places=6)
        self.assertAlmostEqual(logs["loss"], np.log(2.0), places=6)
        self.assertAlmostEqual(
            logs["predicted_gradient_norm"], np.sqrt(1 / 8), places=6
        )

    @parameterized.product(
        q_dist=("gaussian", "laplace", "cross_entropy"),
        jit_compile=(False, True),
    )
    def test_labels_do_not_reach_the_classifier(self, q_dist, jit_compile):
        x, y = testing.toy_batch(seed=0)
        kwargs = dict(seed=1, q_dist=q_dist, jit_compile=jit_compile)
        model = testing.toy_limit_model(**kwargs)
        other = testing.toy_limit_model(**kwargs)

        model.train_on_batch(x, y)
        other.train_on_batch(x, (y + 1) % testing.NUM_CLASSES)

        testing.assert_close(
            testing.flat(model.classifier), testing.flat(other.classifier)
        )
        self.assertFalse(
            np.allclose(
                testing.flat(model.gradient_predictor),
                testing.flat(other.gradient_predictor),
            )
        )

    def test_class_weights_do_not_reach_the_classifier(self):
        x, y = testing.toy_batch(seed=0)
        model, other = (testing.toy_limit_model(seed=1) for _ in range(2))

        model.fit(x, y, verbose=0, shuffle=False)
        other.fit(
            x,
            y,
            verbose=0,
            shuffle=False,
            class_weight={0: 5, 1: 1, 2: 1, 3: 0},
        )

        testing.assert_close(
            testing.flat(model.classifier), testing.flat(other.classifier)
        )
        self.assertFalse(
            np.allclose(
                testing.flat(model.gradient_predictor),
                testing.flat(other.gradient_predictor),
            )
        )

    def test_global_clipping_does_not_carry_labels_to_the_classifier(self):
        x, y = testing.toy_batch(seed=0)
        models = [
            testing.toy_limit_model(
                seed=1,
                optimizer=keras.optimizers.SGD(1.0, global_clipnorm=1e-2),
            )
            for _ in range(2)
        ]
        steps = [
            classifier_step(model, x, (y + shift) % testing.NUM_CLASSES)
            for shift, model in enumerate(models)
        ]
        testing.assert_close(*steps)
        trained = models[0].classifier.trainable_weights
        # BatchNorm statistics move as well, so compare the weights alone.
        fresh = testing.toy_limit_model(seed=1).classifier.trainable_weights
        norm = np.sqrt(
            sum(
                np.sum((a - b) ** 2)
                for a, b in zip(trained, fresh, strict=True)
            )
        )
        self.assertAlmostEqual(float(norm), 1e-2, places=6)

    def test_exact_predictor_gives_the_cross_entropy_step(self):
        # Where s(r) equals the one-hot label, mu is the true gradient.
        x = np.eye(3, dtype="float32")
        y = np.array([2, 0, 1])
        kernel = np.random.default_rng(0).normal(size=(3, 3))
        model = limit_tf.LimitModel(
            testing.linear(kernel),
            testing.linear(1000.0 * np.eye(3)[y]),
            gradient_penalty=0.0,
        )
        plain = testing.linear(kernel)
        model.compile(keras.optimizers.SGD(1.0))
        plain.compile(
            keras.optimizers.SGD(1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.train_on_batch(x, y)
        plain.train_on_batch(x, y)
        np.testing.assert_allclose(
            model.classifier.get_weights()[0],
            plain.get_weights()[0],
            rtol=1e-5,
            atol=1e-6,
        )

    def test_injected_gradient_is_the_mean_over_the_batch(self):
        x, y = testing.toy_batch(seed=0)
        once, twice = (
            classifier_step(
                testing.toy_limit_model(
                    seed=1,
                    optimizer=keras.optimizers.SGD(0.1),
                    network={"batch_norm": False},
                ),
                np.tile(x, (copies, 1)),
                np.tile(y, copies),
            )
            for copies in (1, 2)
        )
        np.testing.assert_allclose(once, twice, rtol=1e-4, atol=1e-7)

    @parameterized.parameters("laplace", "gaussian", "cross_entropy")
    @pytest.mark.slow
    def test_all_forms_of_a_label_train_alike(self, q_dist):
        x, y = testing.toy_batch(seed=0)
        one_hot = np.eye(testing.NUM_CLASSES)[y]
        weights = []
        for labels in (
            y,
            y.astype("uint8"),
            y.astype("float32"),
            y[:, None],
            one_hot,
            one_hot.astype(bool),
        ):
            model = testing.toy_limit_model(seed=1, q_dist=q_dist)
            model.train_on_batch(x, labels)
            weights.append(testing.flat(model))
        for other in weights[1:]:
            testing.assert_close(weights[0], other)

    def test_soft_labels_interpolate_the_matching_loss(self):
        # The Laplace loss is linear in the label on the simplex's edges.
        x, y = testing.toy_batch(seed=0)
        eye = np.eye(testing.NUM_CLASSES)
        first, second = eye[y], eye[(y + 1) % testing.NUM_CLASSES]
        model = testing.toy_limit_model(seed=1, q_dist="cross_entropy")
        losses = [
            model.evaluate(x, labels, verbose=0, return_dict=True)
            for labels in (first, second, 0.25 * first + 0.75 * second)
        ]
        for key in ("matching_loss", "loss"):
            self.assertAlmostEqual(
                0.25 * losses[0][key] + 0.75 * losses[1][key],
                losses[2][key],
                places=5,
            )

    def test_unit_weights_equal_none_and_zero_silences_a_label(self):
        x, y = testing.toy_batch(seed=0)
        ones = np.ones(len(y))
        silent = ones.copy()
        silent[3] = 0.0
        other = y.copy()
        other[3] = (y[3] + 1) % testing.NUM_CLASSES
        results = []
        for labels, weight in (
            (y, None),
            (y, ones),
            (y, silent),
            (other, silent),
            (y, silent[:, None]),
        ):
            model = testing.toy_limit_model(seed=1)
            logs = model.train_on_batch(
                x, labels, sample_weight=weight, return_dict=True
            )
            results.append((testing.flat(model), logs))
        testing.assert_close(results[0][0], results[1][0])
        testing.assert_close(results[2][0], results[3][0])
        self.assertFalse(np.allclose(results[0][0], results[2][0], atol=1e-3))
        for key in ("loss", "matching_loss"):
            expected = results[2][1][key]
            self.assertAlmostEqual(results[3][1][key], expected, places=5)
            self.assertAlmostEqual(results[4][1][key], expected, places=5)
            self.assertNotAlmostEqual(results[0][1][key], expected, places=4)

    def test_penalty_pulls_the_predictor_towards_the_classifier(self):
        x, y = testing.toy_batch(seed=0, batch_size=64)
        norms = []
        for penalty in (0.0, 100.0):
            model = testing.toy_limit_model(seed=1, gradient_penalty=penalty)
            logs = model.fit(x, y, epochs=20, verbose=0).history
            norms.append(logs["predicted_gradient_norm"][-1])
            self.assertEqual(penalty == 0.0, logs["gradient_penalty"][-1] == 0)
        self.assertLess(norms[1], 0.5 * norms[0])

    def test_layer_losses_train_the_network_that_owns_them(self):
        def network(factor):
            return keras.Sequential(
                [
                    keras.Input((testing.NUM_FEATURES,)),
                    keras.layers.Dense(
                        testing.NUM_CLASSES,
                        kernel_initializer=keras.initializers.Constant(0.5),
                        kernel_regularizer=keras.regularizers.L2(factor),
                    ),
                ]
            )

        # Equal networks: mu is zero, so the classifier moves by its own
        # penalty alone: 2 * factor * w.
        x, y = testing.toy_batch(seed=0)
        for ours, theirs in ((0.1, 0.0), (0.0, 0.1)):
            model = limit_tf.LimitModel(network(ours), network(theirs))
            model.compile(keras.optimizers.SGD(1.0))
            step = classifier_step(model, x, y)
            kernel = step[: -testing.NUM_CLASSES]
            np.testing.assert_allclose(kernel, -2 * ours * 0.5, atol=1e-7)
        plain = limit_tf.LimitModel(network(0.0), network(0.0))
        plain.compile(keras.optimizers.SGD(1.0))
        plain.train_on_batch(x, y)
        np.testing.assert_allclose(
            testing.flat(plain.gradient_predictor)[: -testing.NUM_CLASSES]
            - testing.flat(model.gradient_predictor)[: -testing.NUM_CLASSES],
            2 * 0.1 * 0.5,
            atol=1e-6,
        )

    @parameterized.product(
        jit_compile=(False, True),
        optimizer=(
            lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
            lambda: keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True),
        ),
    )
    def test_warmup_leaves_the_classifier_alone(self, jit_compile, optimizer):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(
            seed=1,
            warmup_steps=3,
            optimizer=optimizer(),
            jit_compile=jit_compile,
        )
        for step in range(5):
            predictor = testing.flat(model.gradient_predictor)
            moved = np.any(classifier_step(model, x, y) != 0.0)
            self.assertEqual(moved, step >= 3, msg=f"step {step}")
            self.assertFalse(
                np.array_equal(
                    predictor, testing.flat(model.gradient_predictor)
                )
            )

    def test_first_step_after_the_warmup_is_a_first_step_of_adam(self):
        # Adam moves each weight by the learning rate in its first step; a
        # counter shared with the predictor would make it over three times so.
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(
            seed=1,
            warmup_steps=100,
            optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-12),
            network={"batch_norm": False},
        )
        for _ in range(100):
            model.train_on_batch(x, y)
        step = classifier_step(model, x, y)
        self.assertLess(np.abs(step).max(), 1.01e-3)

    @parameterized.parameters("gaussian", "laplace")
    def test_sampled_gradients_have_the_asked_spread(self, q_dist):
        # A linear classifier fed with the identity: the step of weight (i, j)
        # is the gradient injected for example i and class j, over the batch.
        size, scale = 200, 0.3
        zeros = np.zeros((size, size))
        model = limit_tf.LimitModel(
            testing.linear(zeros),
            testing.linear(zeros),
            q_dist=q_dist,
            gradient_penalty=0.0,
            sample_gradients=True,
            q_scale=scale,
            seed=7,
        )
        model.compile(keras.optimizers.SGD(1.0))
        x, y = np.eye(size, dtype="float32"), np.arange(size)
        noise = -size * classifier_step(model, x, y)
        # 40,000 draws: the standard error of their standard deviation is at
        # most scale * sqrt((kurtosis - 1) / (4 n)) < 0.6 % (kurtosis 3 or 6).
        self.assertAlmostEqual(noise.std() / scale, 1.0, delta=0.03)
        self.assertAlmostEqual(noise.mean() / scale, 0.0, delta=0.025)
        kurtosis = np.mean(noise**4) / noise.var() ** 2
        expected = {"gaussian": 3.0, "laplace": 6.0}[q_dist]
        self.assertAlmostEqual(kurtosis / expected, 1.0, delta=0.15)

    def test_samples_follow_the_seed_and_change_from_step_to_step(self):
        x, y = testing.toy_batch(seed=0)
        models = []
        for seed in (1, 1, 2):
            models.append(
                limit_tf.LimitModel(
                    testing.toy_network(1),
                    testing.toy_network(2),
                    sample_gradients=True,
                    q_scale=0.1,
                    seed=seed,
                )
            )
            models[-1].compile(keras.optimizers.SGD(1.0))
        steps = [classifier_step(model, x, y) for model in models]
        testing.assert_close(steps[0], steps[1])
        self.assertFalse(np.allclose(steps[0], steps[2]))

    def test_each_step_draws_anew(self):
        model = limit_tf.LimitModel(
            testing.linear(np.zeros((2, 2))),
            testing.linear(np.zeros((2, 2))),
            sample_gradients=True,
            q_scale=0.1,
        )
        model.compile(keras.optimizers.SGD(1.0))
        x, y = np.eye(2, dtype="float32"), np.array([0, 1])
        first = classifier_step(model, x, y)
        second = classifier_step(model, x, y)
        self.assertFalse(np.allclose(first, second, atol=1e-3))

    def test_evaluate_reports_what_fit_reports_and_changes_nothing(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        history = model.fit(x, y, validation_data=(x, y), verbose=0).history
        before = testing.flat(model)
        logs = model.evaluate(x, y, verbose=0, return_dict=True)
        names = {
            "accuracy",
            "gradient_penalty",
            "loss",
            "matching_loss",
            "predicted_gradient_norm",
        }
        self.assertEqual(set(logs), names)
        self.assertEqual(
            set(history), names | {f"val_{name}" for name in names}
        )
        for name in names:
            self.assertAlmostEqual(
                logs[name], history[f"val_{name}"][0], places=6
            )
        np.testing.assert_array_equal(before, testing.flat(model))

    def test_figures_of_uneven_batches_are_means_over_examples(self):
        x, y = testing.toy_batch(seed=0, batch_size=20)
        model = testing.toy_limit_model(seed=1)
        whole = model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True)
        parts = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
        for name, value in whole.items():
            self.assertAlmostEqual(value, parts[name], places=5, msg=name)

    def test_compiled_loss_is_reported_and_not_trained_on(self):
        x, y = testing.toy_batch(seed=0)
        one_hot = np.eye(testing.NUM_CLASSES)[y]
        plain = testing.toy_limit_model(seed=1)
        plain_logs = plain.train_on_batch(x, one_hot, return_dict=True)
        for loss in (
            keras.losses.CategoricalCrossentropy(from_logits=True),
            "mse",
            keras.losses.mean_squared_error,
        ):
            model = testing.toy_limit_model(seed=1)
            model.compile(keras.optimizers.Adam(0.01), loss=loss)
            before = model(x)
            logs = model.evaluate(x, one_hot, verbose=0, return_dict=True)
            if isinstance(loss, keras.losses.Loss):
                expected = loss(one_hot, before)
            else:
                expected = np.mean((one_hot - before) ** 2)
            self.assertAlmostEqual(logs["loss"], float(expected), places=5)
            model.train_on_batch(x, one_hot)
            testing.assert_close(testing.flat(model), testing.flat(plain))
        self.assertIn("loss", plain_logs)

    def test_weighted_metrics_see_the_weights(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        model.compile(
            "adam", metrics=["accuracy"], weighted_metrics=["accuracy"]
        )
        right = model.predict(x, verbose=0).argmax(-1) == y
        logs = model.evaluate(
            x,
            y,
            sample_weight=right.astype("float32"),
            verbose=0,
            return_dict=True,
        )
        self.assertAlmostEqual(logs["accuracy"], right.mean(), places=6)
        self.assertAlmostEqual(logs["weighted_accuracy"], 1.0, places=6)

    def test_prediction_gives_the_logits(self):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        np.testing.assert_allclose(
            model.predict(x, verbose=0),
            model.classifier.predict(x, verbose=0),
            rtol=1e-6,
        )


class NetworkTest(parameterized.TestCase):
    def test_fresh_predictor_has_the_architecture_and_its_own_weights(self):
        # The explicit seeds of the initialisers must not make them equal.
        classifier = testing.toy_network(seed=3, dropout=0.1)
        predictor = limit_tf.LimitModel(classifier).gradient_predictor
        for ours, theirs in zip(
            classifier.layers, predictor.layers, strict=True
        ):
            self.assertIs(type(ours), type(theirs))
            self.assertIsNot(ours, theirs)
            for a, b in zip(ours.weights, theirs.weights, strict=True):
                self.assertEqual(a.shape, b.shape)
        kernels = [m.get_weights()[0] for m in (classifier, predictor)]
        self.assertFalse(np.allclose(*kernels, atol=1e-3))

    def test_subclassed_network_is_built_and_copied(self):
        x, y = testing.toy_batch(seed=0)
        model = limit_tf.LimitModel(testing.Subclassed(8))
        model.compile("adam", metrics=["accuracy"])
        for data in (
            (x, y),
            (tf.data.Dataset.from_tensor_slices((x, y)).batch(8),),
        ):
            logs = model.fit(*data, verbose=0).history
            self.assertTrue(np.isfinite(logs["matching_loss"][0]))
        self.assertIsInstance(model.gradient_predictor, testing.Subclassed)
        self.assertEqual(model.num_classes, testing.NUM_CLASSES)

    def test_dictionary_inputs_of_a_functional_network(self):
        inputs = {
            "a": keras.Input((3,), name="a"),
            "b": keras.Input((), dtype="int32", name="b"),
        }
        embedded = keras.layers.Embedding(5, 2)(inputs["b"])
        hidden = keras.layers.Concatenate()([inputs["a"], embedded])
        outputs = keras.layers.Dense(testing.NUM_CLASSES)(hidden)
        model = limit_tf.LimitModel(keras.Model(inputs, outputs))
        model.compile("adam")
        x = {"a": np.ones((8, 3)), "b": np.arange(8) % 5}
        y = np.arange(8) % testing.NUM_CLASSES
        logs = model.fit(x, y, verbose=0).history
        self.assertTrue(np.isfinite(logs["loss"][0]))
        self.assertEqual(
            model.predict(x, verbose=0).shape, (8, testing.NUM_CLASSES)
        )

    def test_sequential_without_an_input_shape(self):
        x, y = testing.toy_batch(seed=0)
        classifier = keras.Sequential(
            [keras.layers.Dense(5), keras.layers.Dense(testing.NUM_CLASSES)]
        )
        model = limit_tf.LimitModel(classifier)
        model.compile("adam")
        model.fit(x, y, verbose=0)
        self.assertEqual(model.num_classes, testing.NUM_CLASSES)


if __name__ == "__main__":
    absltest.main()
