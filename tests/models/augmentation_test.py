"""Augmentation inside the training step, in every model."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from tests import testing

METHODS = tuple(testing.METHODS)


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Jitter:
    """Adds noise to the inputs: an object with a configuration."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, inputs, seed):
        return inputs + self.scale * tf.random.stateless_normal(
            tf.shape(inputs), seed
        )

    def get_config(self):
        return {"scale": self.scale}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="limit_tf_tests")
def jitter(inputs, seed):
    """The same as a function."""
    return Jitter(1.0)(inputs, seed)


def noise_layer():
    """The same as a layer of Keras."""
    return keras.layers.GaussianNoise(1.0, seed=5)


class StepTest(parameterized.TestCase):
    @parameterized.product(method=METHODS, augmentation=(jitter, Jitter(0.5)))
    def test_step_is_the_plain_step_on_augmented_inputs(
        self, method, augmentation
    ):
        x, y = testing.toy_batch(seed=0)
        model, plain = (
            testing.compiled(
                testing.toy_model(method, seed=1, augmentation=augmentation)
            )
            for augmentation in (augmentation, None)
        )
        for _ in range(2):
            seen = augmentation(tf.constant(x), model.step_seed(0)).numpy()
            self.assertGreater(np.abs(seen - x).max(), 0.1)
            model.train_on_batch(testing.training_inputs(method, x), y)
            plain.train_on_batch(testing.training_inputs(method, seen), y)
            np.testing.assert_allclose(
                testing.flat(model), testing.flat(plain), rtol=1e-5, atol=1e-6
            )

    def test_both_networks_of_limit_see_the_same_batch(self):
        # Equal networks: mu = s(a) - s(r) is zero for equal inputs only.
        x, y = testing.toy_batch(seed=0)
        for augmentation in (jitter, noise_layer()):
            network, twin = (testing.toy_network(seed=1) for _ in range(2))
            model = testing.compiled(
                models.LimitModel(network, twin, augmentation=augmentation)
            )
            logs = model.train_on_batch(x, y, return_dict=True)
            self.assertLess(logs["predicted_gradient_norm"], 1e-6)

    @parameterized.product(
        method=METHODS,
        make=(lambda: jitter, lambda: Jitter(1.0), noise_layer),
    )
    def test_evaluation_and_prediction_see_the_inputs_as_they_are(
        self, method, make
    ):
        x, y = testing.toy_batch(seed=0)
        model, plain = (
            testing.toy_model(method, seed=1, augmentation=augmentation)
            for augmentation in (make(), None)
        )
        for m in (model, plain):
            testing.compiled(m, run_eagerly=True)
        np.testing.assert_array_equal(model.predict_on_batch(x), plain(x))
        self.assertEqual(model.test_on_batch(x, y), plain.test_on_batch(x, y))

    @parameterized.product(
        make=(lambda: jitter, noise_layer), jit_compile=(False, True)
    )
    def test_draws_repeat_with_the_seed_and_differ_between_steps(
        self, make, jit_compile
    ):
        # Nothing is learned, so that only the draws move the loss.
        x, y = testing.toy_batch(seed=0)
        losses = []
        for _ in range(2):
            model = testing.compiled(
                models.ClassifierModel(
                    testing.toy_network(1), augmentation=make(), seed=4
                ),
                keras.optimizers.SGD(0.0),
                jit_compile=jit_compile,
            )
            losses.append([])
            for _ in range(3):
                model.reset_metrics()
                losses[-1].append(float(model.train_on_batch(x, y)))
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
        self.assertGreater(np.diff(sorted(losses[0])).min(), 1e-3)

    def test_seed_of_the_model_decides_the_draws(self):
        x, y = testing.toy_batch(seed=0)
        losses = [
            testing.compiled(
                models.ClassifierModel(
                    testing.toy_network(1), augmentation=jitter, seed=seed
                )
            ).train_on_batch(x, y)
            for seed in (1, 1, 2)
        ]
        self.assertAlmostEqual(losses[0], losses[1], places=5)
        self.assertNotAlmostEqual(losses[0], losses[2], places=4)


class SavingTest(parameterized.TestCase):
    @parameterized.parameters(
        lambda: jitter, lambda: Jitter(0.5), lambda: noise_layer()
    )
    def test_loaded_model_goes_on_with_the_same_draws(self, make):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            testing.toy_model("classifier", seed=1, augmentation=make())
        )
        model.train_on_batch(x, y)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        for m in (model, loaded):
            m.train_on_batch(x, y)
        testing.assert_close(testing.flat(model), testing.flat(loaded))


class RefusalTest(parameterized.TestCase):
    def test_augmentation_must_be_callable(self):
        with self.assertRaisesRegex(TypeError, "`augmentation`.*'flip'"):
            testing.toy_model("classifier", seed=1, augmentation="flip")

    def test_network_is_built_from_what_the_augmentation_leaves(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            models.ClassifierModel(testing.Subclassed(8), augmentation=jitter)
        )
        model.fit(x, y, verbose=0)
        self.assertEqual(int(model.train_steps), 1)


if __name__ == "__main__":
    absltest.main()
