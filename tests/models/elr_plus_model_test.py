"""ELR+: two networks, averages, mixup."""

import os

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from limit_tf import ops
from tests import testing

SIZE = 8


def plus(seed=1, network=None, **kwargs):
    """Returns a small `ElrPlusModel`, not compiled."""
    return testing.toy_model("elr_plus", seed=seed, network=network, **kwargs)


def bytes_network(kernel):
    """Returns a linear network of uint8 inputs, divided by 255."""
    model = keras.Sequential(
        [
            keras.Input((kernel.shape[0],), dtype="uint8"),
            keras.layers.Rescaling(1.0 / 255.0),
            keras.layers.Dense(kernel.shape[1], use_bias=False),
        ]
    )
    model.set_weights([kernel])
    return model


class Replica:
    """The method in NumPy, for two linear networks; only the draws are ours.

    With `p` the softmax, mixed labels `l` and mixed targets `t`, the gradient
    for the logits is `p - l`, and that of `log(1 - <p, t>)` is
    `p (<p, t> - t) / (1 - <p, t>)` where nothing is clipped.
    """

    def __init__(self, model, kernels, num_classes):
        self.model = model
        self.kernels = [kernel.astype("float64") for kernel in kernels]
        self.averages = [kernel.copy() for kernel in self.kernels]
        self.tables = np.zeros((2, SIZE, num_classes))

    def step(self, x, y, learning_rate, strength, decay, refine_labels):
        is_bytes = x.dtype == np.uint8
        scale = 255.0 if is_bytes else 1.0
        seen = [
            scipy.special.softmax(x / scale @ average, -1)
            for average in self.averages
        ]
        terms = []
        for index in range(2):
            table = self.tables[index]
            table[:] = 0.7 * table + 0.3 * seen[1 - index]
            weight = ops.mixup_weight(
                1.0, self.model.step_seed(1 + 2 * index)
            ).numpy()
            order = ops.random_order(
                SIZE, self.model.step_seed(2 + 2 * index)
            ).numpy()
            inputs, labels, targets = (
                weight * values + (1.0 - weight) * values[order]
                for values in (
                    x.astype("float64"),
                    np.eye(table.shape[-1])[y],
                    table,
                )
            )
            if is_bytes:
                inputs = np.round(inputs) / scale
            if refine_labels:
                labels = labels * targets
                labels /= labels.sum(-1, keepdims=True)
            probs = scipy.special.softmax(inputs @ self.kernels[index], -1)
            inner = np.sum(probs * targets, -1, keepdims=True)
            gradient = probs - labels
            gradient += strength * probs * (inner - targets) / (1.0 - inner)
            terms.append(
                (
                    -np.mean(np.sum(labels * np.log(probs), -1)),
                    strength * np.mean(np.log1p(-inner)),
                )
            )
            self.kernels[index] -= learning_rate * inputs.T @ gradient / SIZE
            self.averages[index] = (
                decay * self.averages[index]
                + (1.0 - decay) * self.kernels[index]
            )
        return np.mean(terms, axis=0)


class StepTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, lambda s: 3.0, lambda s: min(1 - 1 / (s + 1), 0.997)),
        (
            {"average_decay": 0.4, "regularization": 1.0},
            lambda s: 1.0,
            lambda s: min(1 - 1 / (s + 1), 0.4),
        ),
        (
            {"average_ramp_steps": 4, "regularization_ramp_steps": 2},
            lambda s: 3.0 * np.exp(-5.0 * (1.0 - min(s / 2, 1.0)) ** 2),
            lambda s: 0.997 * np.exp(-5.0 * (1.0 - (s + 1) / 4) ** 2),
        ),
        (
            {"refine_labels": True},
            lambda s: 3.0,
            lambda s: min(1 - 1 / (s + 1), 0.997),
        ),
        (
            {"jit_compile": True},
            lambda s: 3.0,
            lambda s: min(1 - 1 / (s + 1), 0.997),
        ),
        (
            {"inputs": "bytes"},
            lambda s: 3.0,
            lambda s: min(1 - 1 / (s + 1), 0.997),
        ),
    )
    def test_steps_of_linear_networks_by_hand(self, arguments, strength, decay):
        arguments = dict(arguments)
        jit_compile = arguments.pop("jit_compile", False)
        make = testing.linear
        rng = np.random.default_rng(0)
        x = rng.normal(size=(SIZE, 5)).astype("float32")
        if arguments.pop("inputs", None):
            make = bytes_network
            x = rng.integers(256, size=(SIZE, 5)).astype("uint8")
        y = rng.integers(3, size=SIZE)
        kernels = rng.normal(size=(2, 5, 3)).astype("float32")
        model = testing.compiled(
            models.ElrPlusModel(
                make(kernels[0]),
                make(kernels[1]),
                num_examples=SIZE,
                seed=3,
                **arguments,
            ),
            keras.optimizers.SGD(0.5),
            jit_compile=jit_compile,
        )
        replica = Replica(model, kernels, 3)
        for step in range(4):
            loss, penalty = replica.step(
                x,
                y,
                0.5,
                strength(step),
                decay(step),
                arguments.get("refine_labels", False),
            )
            model.reset_metrics()
            logs = model.train_on_batch(
                testing.with_ids(x), y, return_dict=True
            )
            close = {"rtol": 1e-4, "atol": 1e-5, "err_msg": f"step {step}"}
            np.testing.assert_allclose(logs["loss"], loss, **close)
            np.testing.assert_allclose(logs["regularization"], penalty, **close)
            for index, network in enumerate(
                (model.first_classifier, model.second_classifier)
            ):
                for ours, theirs in (
                    (network.get_weights()[0], replica.kernels[index]),
                    (
                        model.averages[index].get_weights()[0],
                        replica.averages[index],
                    ),
                    (
                        model.target_tables[index].targets,
                        replica.tables[index],
                    ),
                ):
                    np.testing.assert_allclose(ours, theirs, **close)

    def test_targets_of_a_network_are_moved_by_the_others_average(self):
        # The second network predicts the uniform distribution.
        x, y = testing.toy_batch(seed=0)
        kernel = np.random.default_rng(0).normal(size=(testing.NUM_FEATURES, 4))
        model = testing.compiled(
            models.ElrPlusModel(
                testing.linear(kernel),
                testing.linear(0.0 * kernel),
                num_examples=16,
            )
        )
        model.train_on_batch(testing.with_ids(x), y)
        first, second = (table.targets for table in model.target_tables)
        np.testing.assert_allclose(first, 0.3 / 4, rtol=1e-5)
        np.testing.assert_allclose(
            second, 0.3 * scipy.special.softmax(x @ kernel, -1), rtol=1e-4
        )

    def test_targets_see_the_averages_and_not_the_networks(self):
        # An average that stays behind predicts what it predicted before.
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            plus(network={"batch_norm": False}, average_ramp_steps=10**9),
            keras.optimizers.SGD(1.0),
        )
        for average in model.averages:
            average.set_weights([0.0 * w for w in average.get_weights()])
        model.train_on_batch(testing.with_ids(x), y)
        for table in model.target_tables:
            np.testing.assert_allclose(table.targets, 0.3 / 4, rtol=1e-5)

    def test_networks_differ_and_averages_start_equal_to_them(self):
        model = models.ElrPlusModel(testing.toy_network(1), num_examples=16)
        networks = (model.first_classifier, model.second_classifier)
        kernels = [network.get_weights()[0] for network in networks]
        self.assertFalse(np.allclose(*kernels, atol=1e-2))
        for network, average in zip(networks, model.averages, strict=True):
            np.testing.assert_array_equal(
                testing.flat(network), testing.flat(average)
            )
            owned = {id(weight) for weight in network.weights}
            self.assertFalse(owned & {id(w) for w in average.weights})

    def test_averages_keep_batch_statistics_of_their_own(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(plus(average_decay=0.9))
        model.train_on_batch(testing.with_ids(x), y)
        for average in model.averages:
            moving = [w for w in average.weights if w.name == "moving_mean"]
            self.assertLen(moving, 1)
            self.assertGreater(np.abs(moving[0].numpy()).max(), 1e-3)

    def test_the_optimizer_trains_both_networks_and_no_average(self):
        model = testing.compiled(plus())
        networks = (model.first_classifier, model.second_classifier)
        expected = [w for n in networks for w in n.trainable_variables]
        for variables in (model.trainable_variables, model.trainable_weights):
            self.assertEqual(
                [id(w) for w in variables], [id(w) for w in expected]
            )

    def test_the_optimizers_own_average_takes_the_networks_place(self):
        # An average without memory of the past: momentum 0 is the last value.
        x, y = testing.toy_batch(seed=0)
        model, plain = (
            testing.compiled(plus(), keras.optimizers.SGD(0.1, **arguments))
            for arguments in ({"use_ema": True, "ema_momentum": 0.0}, {})
        )
        for m in (model, plain):
            m.fit(testing.with_ids(x), y, shuffle=False, verbose=0)
        np.testing.assert_allclose(
            testing.flat(model), testing.flat(plain), atol=1e-6
        )

    @parameterized.parameters(
        {"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}
    )
    @pytest.mark.slow
    def test_mode_trains_as_graph_mode_does(self, **mode):
        # Batches of 8, 8 and 4.
        x, y = testing.toy_batch(seed=0, batch_size=20)
        weights = []
        for arguments in ({}, mode):
            model = testing.compiled(
                plus(num_examples=20, mixup_alpha=0.5), **arguments
            )
            model.fit(
                testing.with_ids(x), y, batch_size=8, shuffle=False, verbose=0
            )
            weights.append(testing.flat(model))
        np.testing.assert_allclose(*weights, rtol=1e-4, atol=1e-4)

    @parameterized.parameters("mixed_float16", "mixed_bfloat16")
    def test_mixed_precision_trains_with_float32_tables(self, policy):
        x, y = testing.toy_batch(seed=0, batch_size=16)
        model = testing.compiled(
            plus(network={"dtype": policy}), keras.optimizers.Adam(0.02)
        )
        losses = model.fit(
            testing.with_ids(x), y, epochs=40, batch_size=16, verbose=0
        ).history["loss"]
        self.assertLess(np.mean(losses[-5:]), np.mean(losses[:5]))
        for table in model.target_tables:
            self.assertEqual(table.targets.value.dtype, tf.float32)
            self.assertTrue(np.all(np.isfinite(table.targets)))

    def test_seed_decides_the_mixtures(self):
        x, y = testing.toy_batch(seed=0)
        losses = [
            testing.compiled(
                models.ElrPlusModel(
                    testing.toy_network(1),
                    testing.toy_network(2),
                    num_examples=16,
                    seed=seed,
                )
            ).train_on_batch(testing.with_ids(x), y)[0]
            for seed in (1, 1, 2)
        ]
        self.assertAlmostEqual(losses[0], losses[1], places=5)
        self.assertNotAlmostEqual(losses[0], losses[2], places=4)


class PredictionTest(parameterized.TestCase):
    @parameterized.parameters(None, "mixed_float16")
    def test_logits_are_the_mean_of_both(self, dtype):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(plus(network={"dtype": dtype}))
        model.train_on_batch(testing.with_ids(x), y)
        logits = [
            tf.cast(network(x), tf.float32)
            for network in (model.first_classifier, model.second_classifier)
        ]
        expected = 0.5 * (logits[0] + logits[1])
        close = {"atol": 1e-6 if dtype is None else 1e-2}
        for outputs in (
            model.predict(x, verbose=0),
            model.classifier.predict(x, verbose=0),
            model.classifier(x),
        ):
            np.testing.assert_allclose(
                outputs.astype("float32")
                if isinstance(outputs, np.ndarray)
                else tf.cast(outputs, tf.float32),
                expected,
                **close,
            )

    def test_classifier_shares_the_weights(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(plus())
        classifier = model.classifier
        before = classifier(x)
        model.train_on_batch(testing.with_ids(x), y)
        self.assertFalse(np.allclose(classifier(x), before, atol=1e-3))
        np.testing.assert_allclose(classifier(x), model(x), atol=1e-6)

    def test_classifier_is_saved_and_exported(self):
        x, _ = testing.toy_batch(seed=0)
        model = plus()
        folder = self.create_tempdir().full_path
        path = os.path.join(folder, "classifier.keras")
        model.classifier.save(path)
        np.testing.assert_allclose(
            keras.models.load_model(path)(x), model(x), atol=1e-6
        )
        model.classifier.export(os.path.join(folder, "1"), verbose=False)
        loaded = tf.saved_model.load(os.path.join(folder, "1"))
        np.testing.assert_allclose(
            loaded.serve(x), model(x), rtol=1e-5, atol=1e-6
        )

    def test_dictionary_inputs(self):
        def network():
            inputs = {
                "b": keras.Input((3,), name="b"),
                "a": keras.Input((3,), name="a"),
            }
            hidden = keras.layers.Subtract()([inputs["b"], inputs["a"]])
            return keras.Model(inputs, keras.layers.Dense(4)(hidden))

        x = {"a": np.ones((8, 3)), "b": 3.0 * np.ones((8, 3))}
        model = testing.compiled(
            models.ElrPlusModel(network(), network(), num_examples=8)
        )
        ids = np.arange(8)
        model.fit(
            {"inputs": x, "example_ids": ids}, ids % 4, verbose=0, batch_size=8
        )
        np.testing.assert_allclose(
            model.classifier.predict(x, verbose=0),
            model.predict(x, verbose=0),
            atol=1e-6,
        )

    def test_evaluation_needs_no_ids_and_weighs_its_loss(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(plus(), weighted_metrics=["accuracy"])
        before = testing.flat(model)
        right = model.predict(x, verbose=0).argmax(-1) == y
        plain, weighed = (
            model.evaluate(
                x, y, sample_weight=weight, verbose=0, return_dict=True
            )
            for weight in (None, right.astype("float32"))
        )
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="none"
        )(y, model(x)).numpy()
        self.assertEqual(set(plain), {"loss", "accuracy"})
        self.assertAlmostEqual(plain["loss"], loss.mean(), places=5)
        self.assertAlmostEqual(weighed["loss"], (right * loss).mean(), places=5)
        self.assertEqual(weighed["accuracy"], 1.0)
        np.testing.assert_array_equal(testing.flat(model)[1:], before[1:])


class RefusalTest(parameterized.TestCase):
    def test_training_weights(self):
        x, y = testing.toy_batch(seed=0)
        ones = np.ones(len(y), "float32")
        inputs = testing.with_ids(x)
        dataset = tf.data.Dataset.from_tensor_slices((inputs, y, ones))
        model = testing.compiled(plus())
        class_weight = dict.fromkeys(range(4), 1.0)
        for data, arguments, name in (
            ((inputs, y), {"sample_weight": ones}, "sample_weight"),
            ((inputs, y), {"class_weight": class_weight}, "class_weight"),
            ((dataset.batch(8),), {}, "sample_weight"),
        ):
            with self.assertRaisesRegex(
                ValueError, f"`{name}` must be left out"
            ) as caught:
                model.fit(*data, verbose=0, **arguments)
            self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(int(model.train_steps), 0)

    def test_missing_ids_and_ids_outside(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(plus())
        with self.assertRaisesRegex(ValueError, "`x` must be .*example_ids"):
            model.fit(x, y, verbose=0)
        with self.assertRaisesRegex(ValueError, r"`example_ids`.*\[0, 16\)"):
            model.fit(testing.with_ids(x, np.arange(16) + 1), y, verbose=0)

    @parameterized.parameters(
        ({"num_examples": 0}, "`num_examples`.*0"),
        ({"regularization": -1.0}, "`regularization`.*-1"),
        ({"target_momentum": 1.0}, "`target_momentum`.*1.0"),
        ({"mixup_alpha": 0.0}, "`mixup_alpha`.*0.0"),
        ({"mixup_alpha": float("inf")}, "`mixup_alpha`.*inf"),
        ({"average_decay": 1.0}, "`average_decay`.*1.0"),
        ({"average_ramp_steps": -1}, "`average_ramp_steps`.*-1"),
        ({"regularization_ramp_steps": 0.5}, "`regularization_ramp_steps`"),
    )
    def test_constructor(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            plus(**arguments)
        self.assertNotIn("\n", str(caught.exception))

    def test_networks(self):
        small = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
        for networks, message in (
            ((testing.Subclassed(8),), "`first_classifier`.*built"),
            ((testing.toy_network(1), small), "`second_classifier`.*4 and 3"),
            ((small, small), "no weight in common"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                models.ElrPlusModel(*networks, num_examples=4)


if __name__ == "__main__":
    absltest.main()
