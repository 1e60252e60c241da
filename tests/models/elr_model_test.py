"""Early-learning regularisation: ids, targets, steps."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from tests import testing


def elr(seed=1, network=None, **kwargs):
    """Returns a small `ElrModel`, not compiled."""
    return testing.toy_model("elr", seed=seed, network=network, **kwargs)


def trained(x, y, steps=3, jit_compile=False, sample_weight=None, **kwargs):
    """Returns a model after some steps on one batch, and its last logs."""
    model = testing.compiled(elr(**kwargs), jit_compile=jit_compile)
    for _ in range(steps):
        logs = model.train_on_batch(
            testing.with_ids(x), y, sample_weight, return_dict=True
        )
    return model, logs


class StepTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_without_regularization_it_is_the_cross_entropy_step(
        self, jit_compile
    ):
        x, y = testing.toy_batch(seed=0)
        model, logs = trained(x, y, regularization=0.0, jit_compile=jit_compile)
        plain = testing.compiled(testing.toy_model("classifier", seed=1))
        for _ in range(3):
            plain.train_on_batch(x, y)
        np.testing.assert_allclose(
            testing.flat(model.classifier),
            testing.flat(plain.classifier),
            rtol=1e-5,
            atol=1e-6,
        )
        self.assertEqual(logs["regularization"], 0.0)
        self.assertGreater(model.targets.numpy().min(), 0.0)

    @parameterized.parameters(
        {"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}
    )
    def test_mode_trains_as_graph_mode_does(self, **mode):
        # Batches of 8, 8 and 4; ids in an order of their own.
        x, y = testing.toy_batch(seed=0, batch_size=20)
        ids = np.random.default_rng(0).permutation(20)
        results = []
        for arguments in ({}, mode):
            model = testing.compiled(elr(num_examples=20), **arguments)
            history = model.fit(
                testing.with_ids(x, ids),
                y,
                batch_size=8,
                epochs=3,
                shuffle=False,
                verbose=0,
            ).history
            results.append((testing.flat(model), history))
        np.testing.assert_allclose(
            results[0][0], results[1][0], rtol=1e-4, atol=1e-5
        )
        for name, values in results[0][1].items():
            np.testing.assert_allclose(
                results[1][1][name], values, rtol=1e-4, atol=1e-5, err_msg=name
            )

    def test_targets_follow_the_example_and_not_its_place(self):
        x, y = testing.toy_batch(seed=0)
        order = np.random.default_rng(1).permutation(len(y))
        model, other = (testing.compiled(elr()) for _ in range(2))
        for _ in range(2):
            model.train_on_batch(testing.with_ids(x), y)
            other.train_on_batch(testing.with_ids(x[order], order), y[order])
        np.testing.assert_allclose(model.targets, other.targets, atol=1e-6)
        self.assertGreater(np.ptp(model.targets.numpy(), axis=0).min(), 0.01)

    @parameterized.parameters(0.0, 0.9)
    def test_momentum_weighs_the_past(self, momentum):
        # Weights that do not move predict the same, so the sums of a row are
        # 1 - momentum, then 1 - momentum^2.
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            elr(target_momentum=momentum), keras.optimizers.SGD(0.0)
        )
        for visit in (1, 2):
            model.train_on_batch(testing.with_ids(x), y)
            np.testing.assert_allclose(
                np.sum(model.targets.numpy(), -1),
                1.0 - momentum**visit,
                rtol=1e-5,
            )

    def test_weights_weigh_the_cross_entropy_alone(self):
        # A label without weight does not matter, its example's targets and
        # regulariser stay.
        x, y = testing.toy_batch(seed=0)
        other = np.concatenate([[(y[0] + 1) % testing.NUM_CLASSES], y[1:]])
        ones = np.ones(len(y), "float32")
        silent = np.concatenate([[0.0], ones[1:]])
        weights, logs = zip(
            *(
                (testing.flat(model), logs)
                for model, logs in (
                    trained(x, labels, sample_weight=weight)
                    for labels, weight in (
                        (y, None),
                        (y, ones),
                        (y, silent),
                        (other, silent),
                        (y, 0.0 * ones),
                    )
                )
            ),
            strict=True,
        )
        np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)
        testing.assert_close(weights[2], weights[3])
        self.assertFalse(np.allclose(weights[0], weights[2], atol=1e-4))
        self.assertEqual(logs[4]["loss"], 0.0)
        self.assertLess(logs[4]["regularization"], -0.1)

    def test_layer_losses_train(self):
        # Without weights and regulariser, the L2 penalty is what is left.
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
            models.ElrModel(network, 16, regularization=0.0),
            keras.optimizers.SGD(1.0),
        )
        x, y = testing.toy_batch(seed=0)
        for size in (16, 8):  # A second trace has losses of its own.
            before = testing.flat(network)
            model.train_on_batch(
                testing.with_ids(x[:size]), y[:size], np.zeros(size)
            )
            np.testing.assert_allclose(
                testing.flat(network), 0.8 * before, rtol=1e-6
            )

    @parameterized.product(
        policy=("mixed_float16", "mixed_bfloat16"), jit_compile=(False, True)
    )
    def test_mixed_precision_trains_with_a_float32_table(
        self, policy, jit_compile
    ):
        x, y = testing.toy_batch(seed=0)
        model, _ = trained(
            x, y, network={"dtype": policy}, jit_compile=jit_compile
        )
        expected, _ = trained(x, y)
        self.assertEqual(model.targets.dtype, "float32")
        self.assertEqual(model.targets.value.dtype, tf.float32)
        # Predictions of 8 bits or more, whose sum is one.
        np.testing.assert_allclose(
            model.targets, expected.targets, atol=2.0**-6
        )

    def test_large_ids_survive_float16(self):
        # Above 2048, float16 holds even numbers alone.
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            elr(num_examples=5000, network={"dtype": "mixed_float16"})
        )
        ids = np.arange(4001, 4001 + len(y))
        model.train_on_batch(testing.with_ids(x, ids), y)
        filled = np.flatnonzero(model.targets.numpy().sum(-1))
        np.testing.assert_array_equal(filled, ids)

    def test_overflow_leaves_targets_and_weights_as_they_were(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            elr(network={"dtype": "mixed_float16", "batch_norm": False})
        )
        model.train_on_batch(testing.with_ids(x), y)
        targets, weights = model.targets.numpy(), model.classifier.get_weights()
        x[3] = 1e30
        model.train_on_batch(testing.with_ids(x), y)
        after = model.targets.numpy()
        np.testing.assert_array_equal(after[3], targets[3])
        self.assertTrue(np.all(np.any(after[:3] != targets[:3], axis=-1)))
        for old, new in zip(
            weights, model.classifier.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(old, new)

    def test_evaluation_and_prediction_need_no_ids_and_change_nothing(self):
        x, y = testing.toy_batch(seed=0)
        model, _ = trained(x, y)
        model.reset_metrics()
        before = testing.flat(model)
        for inputs in (x, testing.with_ids(x)):
            logs = model.evaluate(inputs, y, verbose=0, return_dict=True)
            self.assertEqual(set(logs), {"loss"})
            np.testing.assert_allclose(
                model.predict(inputs, verbose=0), model.classifier(x), atol=1e-6
            )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.assertAlmostEqual(
            logs["loss"], float(loss(y, model.classifier(x))), places=5
        )
        np.testing.assert_array_equal(before, testing.flat(model))

    def test_fit_reports_validation_without_a_regularizer(self):
        x, y = testing.toy_batch(seed=0)
        history = (
            testing.compiled(elr(), metrics=["accuracy"])
            .fit(testing.with_ids(x), y, validation_data=(x, y), verbose=0)
            .history
        )
        self.assertEqual(
            set(history),
            {"loss", "regularization", "accuracy", "val_loss", "val_accuracy"},
        )


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


class IdRefusalTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x, self.y = testing.toy_batch(seed=0)
        self.model = testing.compiled(elr())

    def refused(self, error, message, *data):
        before = testing.flat(self.model.classifier)
        with self.assertRaisesRegex(error, message) as caught:
            self.model.fit(*data, verbose=0)
        np.testing.assert_array_equal(
            before, testing.flat(self.model.classifier)
        )
        np.testing.assert_array_equal(self.model.targets, 0.0)
        return str(caught.exception)

    @parameterized.parameters(-1, 16)
    def test_ids_outside_the_table(self, wrong):
        ids = np.arange(16)
        ids[5] = wrong
        x, y = testing.with_ids(self.x, ids), self.y
        message = r"`example_ids` must lie in \[0, 16\).*Received:.*" + str(
            wrong
        )
        line = self.refused(ValueError, message, x, y)
        self.assertIn("example_ids[5]", line)
        self.assertNotIn("\n", line)
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        self.refused(ValueError, message, data)
        self.refused(ValueError, message, (batch for batch in [(x, y)]))
        self.refused(Exception, message, testing.Batches(x, y))
        with self.assertRaisesRegex(ValueError, message):
            self.model.train_on_batch(x, y)

    @parameterized.parameters(
        (np.linspace(0.0, 1.0, 16),), (np.arange(16)[:, None],)
    )
    def test_ids_must_be_a_row_of_integers(self, ids):
        x = testing.with_ids(self.x, ids)
        message = "`example_ids` must be integers"
        line = self.refused(ValueError, message, x, self.y)
        self.assertNotIn("\n", line)
        self.refused(ValueError, message, batches(x, self.y))
        self.refused(ValueError, message, (batch for batch in [(x, self.y)]))

    def test_missing_ids(self):
        message = "`x` must be .*example_ids.* in training"
        for data in (
            (self.x, self.y),
            (batches(self.x, self.y),),
            ((batch for batch in [(self.x, self.y)]),),
            (testing.Batches(self.x, self.y),),
        ):
            self.assertNotIn("\n", self.refused(ValueError, message, *data))

    def test_good_streams_train_alike(self):
        x, y = testing.with_ids(self.x), self.y
        expected = testing.compiled(elr())
        expected.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        for data in (
            tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
            testing.Batches(x, y),
            (batch for batch in [(x, y)]),
        ):
            model = testing.compiled(elr())
            model.fit(data, steps_per_epoch=1, verbose=0)
            np.testing.assert_allclose(
                testing.flat(model), testing.flat(expected), atol=1e-6
            )


class ArgumentRefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"num_examples": 0}, "`num_examples`.*0"),
        ({"num_examples": 2.5}, "`num_examples`.*2.5"),
        ({"num_examples": True}, "`num_examples`.*True"),
        ({"num_classes": 3}, "`num_classes`.*4.*3"),
        ({"regularization": -1.0}, "`regularization`.*-1"),
        ({"regularization": float("nan")}, "`regularization`.*nan"),
        ({"target_momentum": 1.0}, "`target_momentum`.*1.0"),
        ({"target_momentum": -0.5}, "`target_momentum`.*-0.5"),
    )
    def test_constructor(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            models.ElrModel(
                testing.toy_network(1), **{"num_examples": 16, **arguments}
            )
        self.assertNotIn("\n", str(caught.exception))

    def test_classes_of_a_network_that_is_not_built(self):
        x, y = testing.toy_batch(seed=0)
        with self.assertRaisesRegex(ValueError, "`num_classes` must be given"):
            models.ElrModel(testing.Subclassed(8), 16)
        wrong = testing.compiled(
            models.ElrModel(testing.Subclassed(8), 16, num_classes=3)
        )
        for _ in range(2):  # The first refusal must not be the last one.
            with self.assertRaisesRegex(ValueError, "`num_classes`.*4.*3"):
                wrong.fit(testing.with_ids(x), y, verbose=0)
        for data in (
            (testing.with_ids(x), y),
            (batches(testing.with_ids(x), y),),
        ):
            model = testing.compiled(
                models.ElrModel(testing.Subclassed(8), 16, num_classes=4)
            )
            model.fit(*data, verbose=0)
            self.assertGreater(model.targets.numpy().min(), 0.0)


if __name__ == "__main__":
    absltest.main()
