"""LimitModel survives saving and loading, down to its next step."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from tests import testing

SAMPLING = {"sample_gradients": True, "q_scale": 0.1}


def make_model(variant):
    """Returns a model whose next step depends on all of its state."""
    kwargs = {
        "plain": {},
        "sampling": SAMPLING,
        "dropout": {"network": {"dropout": 0.5}},
        "warmup": {"warmup_steps": 3},
        "two optimizers": {
            "gradient_predictor_optimizer": keras.optimizers.SGD(
                0.1, momentum=0.9
            )
        },
        "float16": {"network": {"dtype": "mixed_float16"}},
        "accumulation": {
            "optimizer": keras.optimizers.Adam(
                0.01, gradient_accumulation_steps=2
            )
        },
    }[variant]
    return testing.toy_limit_model(
        seed=1, **{"optimizer": keras.optimizers.Adam(0.01), **kwargs}
    )


VARIANTS = (
    "plain",
    "sampling",
    "dropout",
    "warmup",
    "two optimizers",
    "float16",
    "accumulation",
)

# A tenth of the learning rate: half precision rounds to 11 bits.
ATOL = 1e-3


class SavingTest(parameterized.TestCase):
    def assert_same_from_here(self, model, other):
        """Compares the predictions, then several further steps."""
        x, y = testing.toy_batch(seed=5)
        np.testing.assert_array_equal(testing.flat(model), testing.flat(other))
        testing.assert_close(
            model.predict(x, verbose=0), other.predict(x, verbose=0), ATOL
        )
        for _ in range(3):
            logs = [
                m.train_on_batch(x, y, return_dict=True) for m in (model, other)
            ]
            testing.assert_close(testing.flat(model), testing.flat(other), ATOL)
            self.assertEqual(set(logs[0]), set(logs[1]))

    @parameterized.parameters(*VARIANTS)
    def test_keras_file_round_trip(self, variant):
        x, y = testing.toy_batch(seed=0)
        model = make_model(variant)
        model.train_on_batch(x, y)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertIsInstance(loaded, limit_tf.LimitModel)
        loaded.reset_metrics()
        model.reset_metrics()
        self.assert_same_from_here(model, loaded)

    @parameterized.parameters(*VARIANTS)
    def test_weights_file_round_trip(self, variant):
        x, y = testing.toy_batch(seed=0)
        model = make_model(variant)
        model.train_on_batch(x, y)
        path = os.path.join(self.create_tempdir(), "model.weights.h5")
        model.save_weights(path)
        other = make_model(variant)
        other.load_weights(path)
        self.assert_same_from_here(model, other)

    @parameterized.parameters("plain", "two optimizers", "sampling")
    def test_backup_and_restore_goes_on_where_it_was(self, variant):
        x, y = testing.toy_batch(seed=0, batch_size=32)
        kwargs = dict(epochs=4, batch_size=8, shuffle=False, verbose=0)
        whole = make_model(variant)
        whole.fit(x, y, **kwargs)

        class Interrupted(Exception):
            pass

        def interrupt(epoch, logs):
            if epoch == 2:
                raise Interrupted

        folder = self.create_tempdir().full_path
        backup = keras.callbacks.BackupAndRestore(folder)
        first = make_model(variant)
        with self.assertRaises(Interrupted):
            first.fit(
                x,
                y,
                callbacks=[
                    backup,
                    keras.callbacks.LambdaCallback(on_epoch_begin=interrupt),
                ],
                **kwargs,
            )
        second = make_model(variant)
        second.fit(
            x, y, callbacks=[keras.callbacks.BackupAndRestore(folder)], **kwargs
        )
        testing.assert_close(testing.flat(whole), testing.flat(second))
        self.assertEqual(int(second.train_steps), 16)

    @parameterized.parameters("gaussian", "laplace", "cross_entropy")
    def test_config_round_trip_keeps_every_argument(self, q_dist):
        sampling = {} if q_dist == "cross_entropy" else SAMPLING
        model = testing.toy_limit_model(
            seed=3,
            q_dist=q_dist,
            gradient_penalty=2.5,
            warmup_steps=7,
            name="mine",
            **sampling,
        )
        copy = limit_tf.LimitModel.from_config(model.get_config())
        ours, theirs = model.get_config(), copy.get_config()
        for config in (ours, theirs):
            config.pop("classifier")
            config.pop("gradient_predictor")
        self.assertEqual(ours, theirs)
        self.assertEqual(copy.name, "mine")
        self.assertEqual(copy.gradient_penalty, 2.5)

    def test_a_family_of_ones_own_is_saved(self):
        model = testing.toy_limit_model(seed=1, q_dist=Huber(0.25))
        x, y = testing.toy_batch(seed=0)
        model.train_on_batch(x, y)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertEqual(loaded.q_dist.delta, 0.25)
        self.assert_same_from_here(model, loaded)

    def test_export_serves_the_classifier_alone(self):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        folder = self.create_tempdir().full_path
        model.classifier.export(folder, verbose=False)
        loaded = tf.saved_model.load(folder)
        served = loaded.serve(x)
        np.testing.assert_allclose(served, model(x), rtol=1e-5, atol=1e-6)


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Huber(limit_tf.distributions.GradientDistribution):
    """A family that the library does not have."""

    can_sample = False

    def __init__(self, delta):
        self.delta = delta

    def matching_loss(
        self, predicted_gradient, true_gradient, predictor_logits, labels
    ):
        return keras.losses.huber(
            true_gradient, predicted_gradient, delta=self.delta
        )

    def get_config(self):
        return {"delta": self.delta}


if __name__ == "__main__":
    absltest.main()
