"""Learning rates, weight decay and momentum as a configuration asks."""

import math
import pathlib
import tempfile

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments import settings
from limit_tf.experiments.optimizers import add_coupled_decay
from limit_tf.experiments.optimizers import build_optimizer
from tests import testing

_DECAYED = ("kernel",)


def section(**changes):
    """Section `training`, with the changes; those of `schedule` in it."""
    schedule = changes.pop("schedule", {})
    training = testing.tiny_config("unused").training
    training.update(changes)
    training.schedule.update(schedule)
    return training


def rates(optimizer, num_steps):
    """Learning rate of each step of training."""
    weight = keras.Variable(np.zeros(1, np.float32))
    optimizer.build([weight])
    seen = []
    for _ in range(num_steps):
        seen.append(float(optimizer.learning_rate))
        optimizer.apply([np.zeros(1, np.float32)])
    return seen


class ScheduleTest(parameterized.TestCase):
    @parameterized.parameters("adam", "sgd")
    def test_constant(self, optimizer):
        built = build_optimizer(section(optimizer=optimizer), 3)
        np.testing.assert_allclose(rates(built, 4), [1e-3] * 4)

    @parameterized.parameters("adam", "sgd")
    def test_steps_drop_with_the_first_batch_of_an_epoch(self, optimizer):
        built = build_optimizer(
            section(
                optimizer=optimizer,
                learning_rate=0.8,
                schedule=dict(
                    kind="step", drop_epochs=(1, 3), drop_factor=0.25
                ),
            ),
            steps_per_epoch=2,
        )
        expected = [0.8] * 2 + [0.2] * 4 + [0.05] * 3
        np.testing.assert_allclose(rates(built, 9), expected, rtol=1e-6)

    def test_steps_of_epochs_of_one_batch(self):
        built = build_optimizer(
            section(
                learning_rate=0.8,
                schedule=dict(kind="step", drop_epochs=(1,), drop_factor=0.5),
            ),
            steps_per_epoch=1,
        )
        np.testing.assert_allclose(rates(built, 3), [0.8, 0.4, 0.4])

    @parameterized.parameters("adam", "sgd")
    def test_cosine_starts_again(self, optimizer):
        built = build_optimizer(
            section(
                optimizer=optimizer,
                learning_rate=0.5,
                schedule=dict(
                    kind="cosine_restarts",
                    restart_epochs=2,
                    final_learning_rate=0.1,
                ),
            ),
            steps_per_epoch=4,
        )
        # From 0.5 down to 0.1 in eight steps, and at once up again.
        cycle = [
            0.1 + 0.4 * 0.5 * (1 + math.cos(math.pi * step / 8))
            for step in range(8)
        ]
        expected = [*cycle, *cycle, *cycle][:20]
        np.testing.assert_allclose(rates(built, 20), expected, rtol=1e-5)

    def test_another_initial_rate_is_scheduled_as_well(self):
        training = section(
            schedule=dict(kind="step", drop_epochs=(1,), drop_factor=0.1)
        )
        built = build_optimizer(training, 1, learning_rate=1e-5)
        np.testing.assert_allclose(rates(built, 2), [1e-5, 1e-6], rtol=1e-6)

    def test_an_epoch_of_a_run_has_as_many_steps_as_batches(self):
        config = testing.tiny_config(
            tempfile.mkdtemp(),
            method="cross_entropy",
            training={"batch_size": 60},
        )
        config.training.schedule.update(
            dict(kind="step", drop_epochs=(1,), drop_factor=0.1)
        )
        source, splits = build.load_data(config)  # 64 images, two batches
        model = build.build_model(config, source, splits).model
        rate = model.optimizer.learning_rate
        self.assertAlmostEqual(float(rate), 1e-3)
        for expected in (1e-3, 1e-4):
            model.optimizer.iterations.assign_add(1)
            self.assertAlmostEqual(
                float(model.optimizer.learning_rate), expected
            )


class DecayTest(parameterized.TestCase):
    """One step of linear models without decay and with it."""

    def kernels_after_a_step(self, method, weight_decay):
        x, y = testing.toy_batch(seed=0)
        rng = np.random.default_rng(1)
        shape = (testing.NUM_FEATURES, testing.NUM_CLASSES)
        before = [rng.normal(size=shape).astype("float32") for _ in range(2)]
        networks = [testing.linear(kernel) for kernel in before]
        if method == "limit":
            model = limit_tf.LimitModel(*networks, q_dist="gaussian", seed=0)
        else:
            networks = networks[:1]
            model = limit_tf.ClassifierModel(*networks)
        training = section(
            optimizer="sgd",
            momentum=0.0,
            learning_rate=0.5,
            weight_decay=weight_decay,
        )
        for network in networks:
            add_coupled_decay(network, training)
        model.compile(optimizer=build_optimizer(training, 1), jit_compile=False)
        model.train_on_batch(x, y)
        return before, [network.get_weights()[0] for network in networks]

    @parameterized.parameters("classifier", "limit")
    def test_coupled_decay_adds_to_the_gradient(self, method):
        before, plain = self.kernels_after_a_step(method, 0.0)
        _, decayed = self.kernels_after_a_step(method, 0.3)
        self.assertLen(plain, 2 if method == "limit" else 1)
        # As in PyTorch: w - 0.5 (g + 0.3 w), against w - 0.5 g.
        for w, without, with_decay in zip(before, plain, decayed, strict=False):
            np.testing.assert_allclose(
                with_decay, without - 0.5 * 0.3 * w, rtol=1e-4, atol=1e-6
            )

    def test_coupled_decay_of_adam_passes_its_moments(self):
        # Without another gradient, Adam's first step is a whole learning rate
        # against the sign of the decay's gradient, 0.3 w.
        network = testing.linear([[2.0, -0.1], [0.5, -3.0]])
        training = section(weight_decay=0.3, learning_rate=0.01)
        add_coupled_decay(network, training)
        network.compile(
            build_optimizer(training, 1), loss=lambda y, logits: 0.0 * logits
        )
        network.train_on_batch(np.ones((2, 2)), np.zeros((2, 2)))
        np.testing.assert_allclose(
            network.get_weights()[0],
            [[1.99, -0.09], [0.49, -2.99]],
            rtol=1e-4,
        )

    def test_coupled_decay_leaves_biases_and_normalisation_alone(self):
        network = testing.toy_network(seed=0)
        add_coupled_decay(network, section(weight_decay=0.3))
        kernels = [v for v in network.weights if v.name in _DECAYED]
        self.assertLen(kernels, 2)
        expected = 0.15 * sum(np.sum(np.square(v)) for v in kernels)
        self.assertAlmostEqual(
            float(sum(network.losses)), float(expected), places=5
        )

    def test_decay_of_a_saved_network_is_saved(self):
        network = testing.toy_network(seed=0)
        add_coupled_decay(network, section(weight_decay=0.3))
        path = self.create_tempfile("network.keras").full_path
        network.save(path)
        loaded = keras.models.load_model(path)
        self.assertAlmostEqual(
            float(sum(loaded.losses)), float(sum(network.losses)), places=5
        )

    @parameterized.parameters("adam", "sgd")
    def test_decoupled_decay_leaves_biases_and_normalisation_alone(
        self, optimizer
    ):
        training = section(
            optimizer=optimizer,
            learning_rate=0.5,
            weight_decay=0.3,
            weight_decay_kind="decoupled",
        )
        network = testing.toy_network(seed=0)
        add_coupled_decay(network, training)
        self.assertEmpty(network.losses)
        built = build_optimizer(training, 1)
        built.build(network.trainable_variables)
        self.assert_kernels_alone_decay(built, network.trainable_variables)

    def assert_kernels_alone_decay(self, optimizer, variables):
        """Applies gradients of zero: the decay alone is left."""
        for variable in variables:
            variable.assign(np.full(variable.shape, 2.0, np.float32))
        optimizer.apply([np.zeros(v.shape, "float32") for v in variables])
        names = [v.name for v in variables]
        self.assertContainsSubset(("kernel", "bias", "gamma", "beta"), names)
        for variable in variables:
            # 2 - 0.5 * 0.3 * 2 where it decays.
            expected = 1.7 if variable.name in _DECAYED else 2.0
            np.testing.assert_allclose(
                variable, np.full(variable.shape, expected), rtol=1e-6
            )

    @parameterized.parameters("float32", "mixed_float16")
    def test_networks_of_a_warm_up_decay_alike(self, precision):
        config = testing.tiny_config(
            tempfile.mkdtemp(),
            limit={"warmup_steps": 1},
            training={
                "optimizer": "sgd",
                "learning_rate": 0.5,
                "weight_decay": 0.3,
                "weight_decay_kind": "decoupled",
                "precision": precision,
            },
        )
        model = build.build_model(config, *build.load_data(config)).model
        optimizer = model.optimizer
        pair = getattr(optimizer, "inner_optimizer", optimizer)
        self.assertIsNot(
            pair.classifier_optimizer, pair.gradient_predictor_optimizer
        )
        self.assert_kernels_alone_decay(
            pair.classifier_optimizer, model.classifier.trainable_variables
        )
        self.assert_kernels_alone_decay(
            pair.gradient_predictor_optimizer,
            model.gradient_predictor.trainable_variables,
        )


class ResumeTest(parameterized.TestCase):
    @parameterized.parameters(
        ("limit", "step", "coupled", 0),
        ("limit", "cosine_restarts", "decoupled", 6),
        ("cross_entropy", "step", "decoupled", 0),
    )
    @pytest.mark.slow
    def test_a_killed_run_ends_with_the_weights_of_a_whole_run(
        self, method, schedule, decay, warmup_steps
    ):
        histories, weights = [], []
        for killed_after in (None, 2):
            folder = tempfile.mkdtemp()
            workdir = pathlib.Path(folder, "run")
            config = testing.tiny_config(
                folder,
                method=method,
                limit={"warmup_steps": warmup_steps},
                training={
                    "optimizer": "sgd",
                    "learning_rate": 0.1,
                    "weight_decay": 1e-2,
                    "weight_decay_kind": decay,
                },
            )
            config.training.schedule.update(
                {"kind": schedule, "drop_epochs": (3,), "restart_epochs": 3}
            )
            if killed_after:
                with testing.killed_after_epoch(killed_after):
                    Experiment(config, str(workdir)).run()
            Experiment(config, str(workdir)).run()
            histories.append((workdir / "history.csv").read_text())
            model = keras.models.load_model(workdir / "best_model.keras")
            weights.append(testing.flat(model))
        testing.assert_histories_close(*histories)
        testing.assert_close(*weights)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("optimizer", "adagrad", "'adam', 'sgd'.*'adagrad'"),
        ("learning_rate", 0.0, "positive.*0"),
        ("learning_rate", float("nan"), "positive.*nan"),
        ("learning_rate", float("inf"), "positive.*inf"),
        ("learning_rate", None, "positive.*None"),
        ("momentum", 1.0, "1"),
        ("momentum", -0.5, "-0.5"),
        ("weight_decay", -1e-4, "-0.0001"),
        ("weight_decay", None, "None"),
        ("weight_decay_kind", "l2", "'coupled', 'decoupled'.*'l2'"),
        ("schedule.kind", "linear", "'constant', 'step', .*'linear'"),
        ("schedule.drop_epochs", (3, 2), "rising.*3, 2"),
        ("schedule.drop_epochs", (2, 2), "rising.*2, 2"),
        ("schedule.drop_epochs", (0,), "positive.*0"),
        ("schedule.drop_epochs", (1.5,), "whole.*1.5"),
        ("schedule.drop_factor", 0.0, "0"),
        ("schedule.restart_epochs", 0, "0"),
        ("schedule.final_learning_rate", -1.0, "-1"),
    )
    def test_values(self, name, value, message):
        config = testing.tiny_config(tempfile.mkdtemp())
        *parents, last = name.split(".")
        part = config.training
        for parent in parents:
            part = part[parent]
        with config.ignore_type():
            part[last] = value
        with self.assertRaisesRegex(
            ValueError, f"`config.training.{name}` must.*{message}"
        ) as context:
            settings.check(config)
        self.assertNotIn("\n", str(context.exception))


if __name__ == "__main__":
    absltest.main()
