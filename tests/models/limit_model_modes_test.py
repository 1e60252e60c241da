"""LimitModel in every execution mode, precision and optimizer feature."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from tests import testing


def trained(x, y, epochs=2, **kwargs):
    """Returns a model after some steps without shuffling, and its logs."""
    model = testing.toy_limit_model(seed=1, **kwargs)
    logs = model.fit(
        x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0
    ).history
    return model, logs


class ExecutionModeTest(parameterized.TestCase):
    @parameterized.parameters(
        {"run_eagerly": True},
        {"jit_compile": True},
        {"steps_per_execution": 2},
        {"steps_per_execution": 3, "jit_compile": True},
    )
    def test_mode_trains_as_graph_mode_does(self, **mode):
        # 20 examples in batches of 8: the last one is smaller, and two or
        # three steps of an execution do not divide an epoch.
        x, y = testing.toy_batch(seed=0, batch_size=20)
        expected, expected_logs = trained(
            x, y, optimizer=keras.optimizers.SGD(0.1)
        )
        model, logs = trained(x, y, optimizer=keras.optimizers.SGD(0.1), **mode)
        np.testing.assert_allclose(
            testing.flat(model), testing.flat(expected), rtol=1e-4, atol=1e-5
        )
        self.assertEqual(int(model.train_steps), 6)
        for name, values in expected_logs.items():
            np.testing.assert_allclose(
                logs[name], values, rtol=1e-4, atol=1e-6, err_msg=name
            )

    @parameterized.product(
        policy=("mixed_float16", "mixed_bfloat16"), jit_compile=(False, True)
    )
    @pytest.mark.slow
    def test_mixed_precision_trains(self, policy, jit_compile):
        x, y = testing.toy_batch(seed=0, batch_size=32)
        model, logs = trained(
            x,
            y,
            epochs=10,
            jit_compile=jit_compile,
            network={"dtype": policy},
        )
        expected, _ = trained(x, y, epochs=10)
        self.assertEqual(
            isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer),
            policy == "mixed_float16",
        )
        self.assertLess(logs["matching_loss"][-1], logs["matching_loss"][0])
        logits = [m.predict(x, verbose=0) for m in (model, expected)]
        self.assertEqual(str(logits[0].dtype), policy.removeprefix("mixed_"))
        # The same training up to the precision of the half types.
        np.testing.assert_allclose(
            logits[0].astype("float32"), logits[1], atol=0.15
        )

    def test_loss_scaling_reaches_the_injected_gradient(self):
        # One step of SGD: were the gradient left unscaled, dividing by the
        # scale of 2^15 would make it vanish.
        x, y = testing.toy_batch(seed=0)
        steps = []
        for policy in (None, "mixed_float16"):
            model = testing.toy_limit_model(
                seed=1,
                optimizer=keras.optimizers.SGD(1.0),
                network={"dtype": policy, "batch_norm": False},
            )
            before = testing.flat(model.classifier)
            model.train_on_batch(x, y)
            steps.append(testing.flat(model.classifier) - before)
        self.assertGreater(np.linalg.norm(steps[0]), 1e-2)
        # Sixteen roundings to float16's 11 bits, of the largest step.
        np.testing.assert_allclose(
            *steps, atol=16 * 2.0**-11 * np.abs(steps[0]).max()
        )

    @parameterized.product(
        overflowing=("classifier", "gradient_predictor"),
        separate=(False, True),
        jit_compile=(False, True),
    )
    def test_overflow_of_one_network_skips_the_step_of_both(
        self, overflowing, separate, jit_compile
    ):
        x, y = testing.toy_batch(seed=0)
        model = limit_tf.LimitModel(
            float16_network(overflowing == "classifier"),
            float16_network(overflowing == "gradient_predictor"),
        )
        model.compile(
            keras.optimizers.Adam(0.01),
            gradient_predictor_optimizer=(
                keras.optimizers.SGD(0.1) if separate else None
            ),
            jit_compile=jit_compile,
        )
        networks = (model.classifier, model.gradient_predictor)
        before = [testing.flat(network) for network in networks]
        scale = float(model.optimizer.dynamic_scale)
        model.train_on_batch(x, y)
        for old, network in zip(before, networks, strict=True):
            np.testing.assert_array_equal(testing.flat(network), old)
        self.assertEqual(float(model.optimizer.dynamic_scale), scale / 2)
        self.assertEqual(int(model.train_steps), 1)

    def test_step_without_an_overflow_trains_the_same_networks(self):
        x, y = testing.toy_batch(seed=0)
        model = limit_tf.LimitModel(
            float16_network(False), float16_network(False)
        )
        model.compile(keras.optimizers.Adam(0.01))
        for network in (model.classifier, model.gradient_predictor):
            before = testing.flat(network)
            model.train_on_batch(x, y)
            self.assertFalse(np.array_equal(testing.flat(network), before))


class Overflow(keras.layers.Layer):
    """Passes its input on; the gradient overflows."""

    def call(self, inputs):
        @tf.custom_gradient
        def identity(x):
            return tf.identity(x), lambda upstream: upstream * float("inf")

        return identity(inputs)


def float16_network(overflows):
    layers = [keras.layers.Dense(8, dtype="mixed_float16")]
    if overflows:
        layers.append(Overflow(dtype="mixed_float16"))
    layers.append(
        keras.layers.Dense(testing.NUM_CLASSES, dtype="mixed_float16")
    )
    return keras.Sequential([keras.Input((testing.NUM_FEATURES,)), *layers])


class OptimizerTest(parameterized.TestCase):
    @parameterized.parameters(
        lambda: keras.optimizers.Adam(1e-2, clipnorm=0.01),
        lambda: keras.optimizers.Adam(1e-2, clipvalue=0.01),
        lambda: keras.optimizers.SGD(1e-1, global_clipnorm=0.01),
        lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.1),
        lambda: keras.optimizers.SGD(1e-1, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.SGD(1e-1, use_ema=True, ema_momentum=0.5),
        lambda: keras.optimizers.SGD(
            1e-1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
        ),
        lambda: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(1e-2, 5)
        ),
        lambda: keras.optimizers.SGD(1e-1, loss_scale_factor=128.0),
    )
    def test_shared_and_separate_optimizers_agree(self, make):
        # No feature couples the networks, so two optimizers of the same
        # configuration train as one does.
        x, y = testing.toy_batch(seed=0, batch_size=24)
        shared, _ = trained(x, y, optimizer=make())
        separate, _ = trained(
            x, y, optimizer=make(), gradient_predictor_optimizer=make()
        )
        start = testing.toy_limit_model(seed=1)
        for name in ("classifier", "gradient_predictor"):
            weights = [
                testing.flat(getattr(model, name))
                for model in (shared, separate, start)
            ]
            np.testing.assert_allclose(
                weights[0], weights[1], rtol=1e-5, atol=1e-6
            )
            self.assertFalse(np.allclose(weights[0], weights[2], atol=1e-5))

    def test_gradient_accumulation_waits_and_takes_the_mean(self):
        x, y = testing.toy_batch(seed=0, batch_size=16)
        network = {"batch_norm": False}
        model = testing.toy_limit_model(
            seed=1,
            optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
            network=network,
        )
        whole = testing.toy_limit_model(
            seed=1, optimizer=keras.optimizers.SGD(0.1), network=network
        )
        before = testing.flat(model.classifier)
        model.train_on_batch(x[:8], y[:8])
        np.testing.assert_array_equal(testing.flat(model.classifier), before)
        model.train_on_batch(x[8:], y[8:])
        whole.train_on_batch(x, y)
        for name in ("classifier", "gradient_predictor"):
            np.testing.assert_allclose(
                testing.flat(getattr(model, name)),
                testing.flat(getattr(whole, name)),
                rtol=1e-4,
                atol=1e-6,
            )

    def test_weight_decay_shrinks_the_classifier(self):
        # Equal networks without a penalty: mu is zero, decay is what is left.
        x, y = testing.toy_batch(seed=0)
        network = testing.toy_network(3, batch_norm=False)
        twin = testing.toy_network(3, batch_norm=False)
        twin.set_weights(network.get_weights())
        model = limit_tf.LimitModel(network, twin)
        model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5))
        before = network.get_weights()
        model.train_on_batch(x, y)
        for old, new in zip(before, network.get_weights(), strict=True):
            np.testing.assert_allclose(new, old * (1 - 0.1 * 0.5), rtol=1e-5)

    def test_each_network_has_its_own_optimizer(self):
        x, y = testing.toy_batch(seed=0)
        ours, theirs = keras.optimizers.SGD(0.0), keras.optimizers.SGD(1.0)
        model = testing.toy_limit_model(
            seed=1,
            optimizer=ours,
            gradient_predictor_optimizer=theirs,
            network={"batch_norm": False},
        )
        before = [
            testing.flat(network)
            for network in (model.classifier, model.gradient_predictor)
        ]
        model.train_on_batch(x, y)
        np.testing.assert_array_equal(before[0], testing.flat(model.classifier))
        self.assertFalse(
            np.allclose(before[1], testing.flat(model.gradient_predictor))
        )
        model.optimizer.learning_rate = 0.25
        self.assertAlmostEqual(float(ours.learning_rate), 0.25)
        self.assertAlmostEqual(float(theirs.learning_rate), 1.0)

    def test_learning_rate_callback_reaches_both_after_a_warmup(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1, warmup_steps=1)
        model.fit(
            x,
            y,
            verbose=0,
            callbacks=[keras.callbacks.LearningRateScheduler(lambda _: 0.125)],
        )
        for optimizer in (
            model.optimizer.classifier_optimizer,
            model.optimizer.gradient_predictor_optimizer,
        ):
            self.assertAlmostEqual(float(optimizer.learning_rate), 0.125)

    def test_averages_take_the_weights_place_after_fit(self):
        x, y = testing.toy_batch(seed=0, batch_size=24)
        make = lambda: keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)  # noqa: E731
        for other in (None, make()):
            model, _ = trained(
                x, y, optimizer=make(), gradient_predictor_optimizer=other
            )
            plain, _ = trained(x, y, optimizer=keras.optimizers.SGD(0.5))
            start = testing.toy_limit_model(seed=1)
            kernels = [
                m.classifier.trainable_weights[0].numpy()
                for m in (start, model, plain)
            ]
            moved = [np.linalg.norm(k - kernels[0]) for k in kernels[1:]]
            self.assertGreater(moved[0], 0.0)
            self.assertLess(moved[0], moved[1])


class DistributedTest(parameterized.TestCase):
    @parameterized.parameters(0, 3)
    def test_two_replicas_train_as_one(self, warmup_steps):
        # 12 examples a batch leave replicas with equal halves, the last batch
        # of 3 does not: the mean is over the global batch all the same.
        devices = [d.name for d in tf.config.list_logical_devices("CPU")]
        if len(devices) < 2:
            self.skipTest("two logical CPU devices are needed, see conftest")
        x, y = testing.toy_batch(seed=0, batch_size=15)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(12)
        network = {"batch_norm": False}
        kwargs = dict(seed=1, network=network, warmup_steps=warmup_steps)
        single = testing.toy_limit_model(
            optimizer=keras.optimizers.SGD(0.1), **kwargs
        )
        single.fit(dataset, epochs=2, verbose=0)
        with testing.two_replicas().scope():
            mirrored = testing.toy_limit_model(
                optimizer=keras.optimizers.SGD(0.1), **kwargs
            )
        mirrored.fit(dataset, epochs=2, verbose=0)
        for name in ("classifier", "gradient_predictor"):
            np.testing.assert_allclose(
                testing.flat(getattr(mirrored, name)),
                testing.flat(getattr(single, name)),
                rtol=1e-4,
                atol=1e-6,
            )


if __name__ == "__main__":
    absltest.main()
