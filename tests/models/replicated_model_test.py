"""Several replicas train as one: empty shares, several steps a call, XLA."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.losses import DeterminantMutualInformation
from limit_tf.nets import FusedBatchNormalization
from tests import testing

# In batches of 4, the last example leaves the second replica nothing.
NUM_EXAMPLES = 9


def trained(strategy, method, *, optimizer=None, network=None, **kwargs):
    """Trains and evaluates a model; returns it, its history and figures."""
    arguments = {
        key: kwargs.pop(key)
        for key in ("jit_compile", "steps_per_execution")
        if key in kwargs
    }
    x, y = testing.toy_batch(seed=0, batch_size=NUM_EXAMPLES)
    inputs = testing.training_inputs(method, x)
    with strategy.scope():
        model = testing.compiled(
            testing.toy_model(
                method,
                seed=1,
                network={"batch_norm": False, **(network or {})},
                **kwargs,
            ),
            optimizer or keras.optimizers.SGD(0.1),
            metrics=["accuracy"],
            **arguments,
        )
    fit = {"batch_size": 4, "shuffle": False, "verbose": 0}
    history = model.fit(inputs, y, epochs=2, **fit).history
    figures = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    return model, history, figures, model.predict(x, batch_size=4, verbose=0)


class ReplicatedModelTest(parameterized.TestCase):
    def assert_trains_as_one(
        self, method, jit_compile=False, steps=1, **kwargs
    ):
        # XLA makes other normal numbers of the same bits, on one device too.
        one = trained(
            tf.distribute.get_strategy(),
            method,
            jit_compile=jit_compile
            and (method == "noisy_gradient" or "sample_gradients" in kwargs),
            **kwargs,
        )
        two = trained(
            testing.two_replicas(),
            method,
            jit_compile=jit_compile,
            steps_per_execution=steps,
            **kwargs,
        )
        np.testing.assert_allclose(
            testing.flat(two[0]), testing.flat(one[0]), rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(two[3], one[3], rtol=1e-4, atol=1e-5)
        for ours, theirs in zip(two[1:3], one[1:3], strict=True):
            self.assertEqual(set(ours), set(theirs))
            for name, value in theirs.items():
                np.testing.assert_allclose(
                    ours[name], value, rtol=1e-4, atol=1e-6, err_msg=name
                )

    def test_an_empty_share_and_several_steps_a_call_change_nothing(self):
        self.assert_trains_as_one("limit", steps=2)

    @parameterized.product(
        method=(
            "limit",
            "classifier",
            "elr",
            "noisy_gradient",
            "soft_regularization",
        ),
        steps=(1, 4),
    )
    @pytest.mark.slow
    def test_xla_trains_every_model_as_one_device_does(self, method, steps):
        self.assert_trains_as_one(method, jit_compile=True, steps=steps)

    @parameterized.parameters(False, True)
    @pytest.mark.slow
    def test_sampled_gradients_are_those_of_one_device(self, jit_compile):
        self.assert_trains_as_one(
            "limit",
            jit_compile=jit_compile,
            steps=2,
            sample_gradients=True,
            q_scale=0.1,
        )

    @pytest.mark.slow
    def test_elr_plus_that_mixes_nothing_trains_as_one(self):
        # Mixup permutes each replica's share by itself: no device mixes so.
        # With weights next to one it does nothing.
        self.assert_trains_as_one("elr_plus", steps=2, mixup_alpha=1e-9)

    @parameterized.parameters(
        "sum", "sum_over_batch_size", "mean_with_sample_weight"
    )
    @pytest.mark.slow
    def test_a_keras_loss_is_a_mean_over_the_global_batch(self, reduction):
        x, y = testing.toy_batch(seed=0, batch_size=NUM_EXAMPLES)
        weights = np.linspace(0.5, 2.0, NUM_EXAMPLES).astype("float32")
        answers = []
        for strategy in (tf.distribute.get_strategy(), testing.two_replicas()):
            with strategy.scope():
                model = testing.compiled(
                    testing.toy_model(
                        "classifier", seed=1, network={"batch_norm": False}
                    ),
                    keras.optimizers.SGD(0.01),
                    loss=keras.losses.SparseCategoricalCrossentropy(
                        from_logits=True, reduction=reduction
                    ),
                )
            model.fit(
                x,
                y,
                sample_weight=weights,
                batch_size=4,
                shuffle=False,
                verbose=0,
            )
            answers.append(testing.flat(model))
        np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-6)

    @parameterized.parameters(True, False)
    def test_statistics_survive_an_empty_share(self, fused):
        layer = FusedBatchNormalization if fused else None
        with mock.patch.object(
            keras.layers,
            "BatchNormalization",
            layer or keras.layers.BatchNormalization,
        ):
            model, history, figures, logits = trained(
                testing.two_replicas(), "limit", network={"batch_norm": True}
            )
        for name, values in (*history.items(), *figures.items()):
            self.assertTrue(np.isfinite(values).all(), name)
        self.assertTrue(np.isfinite(logits).all())
        for variable in model.weights:
            copies = [
                value.numpy()
                for value in testing.two_replicas().experimental_local_results(
                    variable.value
                )
            ]
            np.testing.assert_array_equal(*copies, err_msg=variable.path)

    @pytest.mark.slow
    def test_a_loss_that_asks_other_replicas_is_not_compiled_by_xla(self):
        x, y = testing.toy_batch(seed=0, batch_size=NUM_EXAMPLES)
        answers = []
        for strategy in (tf.distribute.get_strategy(), testing.two_replicas()):
            with strategy.scope():
                model = testing.compiled(
                    testing.toy_model(
                        "classifier", seed=1, network={"batch_norm": False}
                    ),
                    keras.optimizers.SGD(0.01),
                    loss=DeterminantMutualInformation(),
                    jit_compile=strategy.num_replicas_in_sync > 1,
                )
            model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
            answers.append(testing.flat(model))
        np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-6)

    def test_strategies_that_keep_variables_elsewhere_are_refused(self):
        strategy = tf.distribute.experimental.CentralStorageStrategy(
            ["CPU:0", "CPU:1"]
        )
        with strategy.scope():
            with self.assertRaisesRegex(ValueError, "CentralStorageStrategy"):
                testing.toy_model("limit", seed=0)


if __name__ == "__main__":
    absltest.main()
