"""Cross-entropy with noise on the gradient of the logits."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import distributions
from limit_tf import models
from tests import testing


def step_of(model, x, y, **kwargs):
    """Trains one step and returns how far the weights moved."""
    before = testing.flat(model.classifier)
    model.train_on_batch(x, y, **kwargs)
    return testing.flat(model.classifier) - before


def toy(noise_std, seed=1, optimizer=None, network=None, **kwargs):
    """Returns a small compiled model."""
    return testing.compiled(
        testing.toy_model(
            "noisy_gradient",
            seed=1,
            network={"batch_norm": False, **(network or {})},
            noise_std=noise_std,
            **kwargs,
        ),
        optimizer or keras.optimizers.SGD(1.0),
    )


def drawn_noise(size, noise, noise_std, dtype=None):
    """Noise that one step injects for each of `size` examples and classes.

    A linear network of zeros that sees the identity: the step of weight
    (i, j) is the gradient sent back for example i and class j.
    """
    network = testing.linear(np.zeros((size, size)))
    if dtype is not None:
        network = keras.Sequential(
            [
                keras.Input((size,)),
                keras.layers.Dense(
                    size,
                    use_bias=False,
                    kernel_initializer="zeros",
                    dtype=dtype,
                ),
            ]
        )
    model = testing.compiled(
        models.NoisyGradientModel(
            network, noise=noise, noise_std=noise_std, seed=3
        ),
        keras.optimizers.SGD(1.0),
    )
    x, y = np.eye(size, dtype="float32"), np.arange(size)
    gradient = (np.full((size, size), 1.0 / size) - np.eye(size)) / size
    return -step_of(model, x, y) - gradient.ravel()


class StepTest(parameterized.TestCase):
    @parameterized.product(
        noise=("gaussian", "laplace"), jit_compile=(False, True)
    )
    def test_without_noise_it_is_the_cross_entropy_step(
        self, noise, jit_compile
    ):
        x, y = testing.toy_batch(seed=0)
        model, plain = (
            testing.compiled(
                testing.toy_model(method, seed=1, **kwargs),
                jit_compile=jit_compile,
                metrics=["accuracy"],
            )
            for method, kwargs in (
                ("noisy_gradient", {"noise": noise, "noise_std": 0.0}),
                ("classifier", {}),
            )
        )
        for _ in range(2):
            logs = [
                m.train_on_batch(x, y, return_dict=True) for m in (model, plain)
            ]
        np.testing.assert_allclose(
            testing.flat(model), testing.flat(plain), rtol=1e-5, atol=1e-6
        )
        self.assertEqual(set(logs[0]), {"loss", "accuracy"})
        for name, value in logs[1].items():
            self.assertAlmostEqual(logs[0][name], value, places=5)

    @parameterized.product(
        noise=("gaussian", "laplace"), jit_compile=(False, True)
    )
    def test_step_of_a_linear_model_by_hand(self, noise, jit_compile):
        # Zero logits, s(a) = (1/2, 1/2), labels 0 and 1: the gradients of the
        # mean are (-1, 1) / 4 and (1, -1) / 4. With inputs 1 and 2 and noise
        # n, the kernel's gradient is 1 (-1/4, 1/4) + 2 (1/4, -1/4)
        # + n_0 + 2 n_1 = (1/4, -1/4) + n_0 + 2 n_1.
        model = testing.compiled(
            models.NoisyGradientModel(
                testing.linear([[0.0, 0.0]]), noise=noise, noise_std=0.5, seed=9
            ),
            keras.optimizers.SGD(1.0),
            jit_compile=jit_compile,
        )
        # Compiled as the step is: XLA makes other floats of the same bits.
        drawn = tf.function(
            lambda: distributions.get(noise).sample(
                tf.zeros((2, 2)), 0.5, model.step_seed(1)
            ),
            jit_compile=jit_compile,
        )()
        step = step_of(model, np.array([[1.0], [2.0]]), np.array([0, 1]))
        np.testing.assert_allclose(
            -step, [0.25, -0.25] + drawn[0] + 2.0 * drawn[1], rtol=1e-5
        )

    @parameterized.product(noise=("gaussian", "laplace"), size=(100, 200))
    def test_noise_has_the_asked_spread_at_any_batch_size(self, noise, size):
        noise_std = 0.3
        drawn = drawn_noise(size, noise, noise_std)
        # n = 10,000 draws or more: the standard error of their deviation is
        # noise_std * sqrt((kurtosis - 1) / (4 n)) < 1.2 % (kurtosis 3 or 6).
        self.assertAlmostEqual(drawn.std() / noise_std, 1.0, delta=0.04)
        self.assertAlmostEqual(drawn.mean() / noise_std, 0.0, delta=0.04)
        kurtosis = np.mean(drawn**4) / drawn.var() ** 2
        expected = {"gaussian": 3.0, "laplace": 6.0}[noise]
        self.assertAlmostEqual(kurtosis / expected, 1.0, delta=0.2)

    def test_loss_scaling_does_not_change_the_noise(self):
        half = drawn_noise(50, "gaussian", 0.1, dtype="mixed_float16")
        full = drawn_noise(50, "gaussian", 0.1)
        # Float16 rounds to 11 bits; the noise reaches 0.5 at most.
        np.testing.assert_allclose(half, full, atol=0.5 * 2.0**-10)
        self.assertGreater(half.std(), 0.09)

    def test_mixed_precision_trains(self):
        x, y = testing.toy_batch(seed=0, batch_size=32)
        model = toy(
            1e-3,
            optimizer=keras.optimizers.Adam(0.02),
            network={"dtype": "mixed_float16"},
        )
        self.assertIsInstance(
            model.optimizer, keras.optimizers.LossScaleOptimizer
        )
        losses = model.fit(x, y, epochs=30, verbose=0).history["loss"]
        self.assertLess(losses[-1], 0.8 * losses[0])

    def test_seed_decides_what_is_drawn(self):
        x, y = testing.toy_batch(seed=0)
        steps = []
        for seed in (1, 1, 2):
            model = testing.compiled(
                models.NoisyGradientModel(testing.toy_network(1), seed=seed)
            )
            steps.append(step_of(model, x, y))
        testing.assert_close(steps[0], steps[1])
        self.assertFalse(np.allclose(steps[0], steps[2], atol=1e-4))

    def test_each_step_draws_anew(self):
        # The noise is so large that the gradient itself plays no part.
        x, y = testing.toy_batch(seed=0)
        model = toy(100.0, optimizer=keras.optimizers.SGD(1e-9))
        first, second = (step_of(model, x, y) for _ in range(2))
        self.assertGreater(np.abs(first).max(), 0.0)
        self.assertFalse(np.allclose(first, second, rtol=0.1, atol=0.0))

    def test_weights_weigh_the_gradient_and_not_the_noise(self):
        # Without any weight left, the step is that of the noise alone.
        x, y = testing.toy_batch(seed=0)
        model = toy(0.1)
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
        noise = distributions.Gaussian().sample(
            tf.zeros(logits.shape), 0.1, model.step_seed(1)
        )
        expected = tape.gradient(
            logits, model.trainable_variables, output_gradients=noise
        )
        step = step_of(model, x, y, sample_weight=np.zeros(len(y)))
        np.testing.assert_allclose(
            -step,
            np.concatenate([np.ravel(g) for g in expected]),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_unit_weights_equal_none_and_zero_silences_a_label(self):
        x, y = testing.toy_batch(seed=0)
        ones = np.ones(len(y))
        silent = np.concatenate([[0.0], ones[1:]])
        other = np.concatenate([[(y[0] + 1) % testing.NUM_CLASSES], y[1:]])
        steps, losses = [], []
        model = toy(0.1)
        start = model.get_weights()
        for labels, weight in (
            (y, None),
            (y, ones),
            (y, silent),
            (other, silent),
            (y, silent[:, None]),
        ):
            model.set_weights(start)
            model.reset_metrics()
            losses.append(model.test_on_batch(x, labels, sample_weight=weight))
            steps.append(step_of(model, x, labels, sample_weight=weight))
        np.testing.assert_allclose(steps[0], steps[1], rtol=1e-6)
        testing.assert_close(steps[2], steps[3])
        testing.assert_close(steps[2], steps[4])
        self.assertFalse(np.allclose(steps[0], steps[2], atol=1e-4))
        self.assertAlmostEqual(losses[2], losses[3], places=5)
        self.assertNotEqual(losses[0], losses[2])

    def test_layer_losses_train(self):
        # Weights of zero silence the labels, so the L2 penalty is what is left.
        network = keras.Sequential(
            [
                keras.Input((testing.NUM_FEATURES,)),
                keras.layers.Dense(
                    testing.NUM_CLASSES,
                    use_bias=False,
                    kernel_initializer=keras.initializers.Constant(0.5),
                    kernel_regularizer=keras.regularizers.L2(0.1),
                ),
            ]
        )
        model = testing.compiled(
            models.NoisyGradientModel(network, noise_std=0.0),
            keras.optimizers.SGD(1.0),
        )
        x, y = testing.toy_batch(seed=0)
        step = step_of(model, x, y, sample_weight=np.zeros(len(y)))
        np.testing.assert_allclose(step, -2 * 0.1 * 0.5, rtol=1e-6)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"noise": "cauchy"}, "`noise`.*'cauchy'"),
        ({"noise": "cross_entropy"}, "`noise`.*CrossEntropy"),
        ({"noise_std": -0.1}, "`noise_std`.*-0.1"),
        ({"noise_std": float("nan")}, "`noise_std`.*nan"),
        ({"noise_std": float("inf")}, "`noise_std`.*inf"),
    )
    def test_constructor(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            models.NoisyGradientModel(testing.toy_network(1), **arguments)
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
