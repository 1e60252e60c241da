"""The penalty that is adapted while the networks train."""

import math
import os
import tempfile

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import LimitModel
from limit_tf.models import auto_penalty
from tests import testing


def auto_model(**kwargs):
    return testing.toy_limit_model(seed=0, gradient_penalty="auto", **kwargs)


class RuleTest(parameterized.TestCase):
    def test_best_accuracy(self):
        # Of six epochs, the mean of the last five; of two, that of both.
        self.assertAlmostEqual(
            auto_penalty.best_accuracy([0.1, 0.5, 0.5, 0.5, 0.5, 0.6]), 0.52
        )
        self.assertAlmostEqual(auto_penalty.best_accuracy([0.9, 0.1]), 0.5)
        # A later fall does not count.
        self.assertAlmostEqual(
            auto_penalty.best_accuracy([0.8] * 5 + [0.1] * 9), 0.8
        )

    @parameterized.parameters(
        # Allowed at 0.5: 0.05.
        (0.50, 0.5, -1.0),
        (0.55, 0.5, 0.0),
        (0.575, 0.5, 0.5),
        (0.90, 0.5, 1.0),
        (0.20, 0.5, -1.0),
        # Almost all labels are told: 0.01, not 0.002.
        (0.99, 0.98, 0.0),
    )
    def test_strength(self, train, valid, change):
        self.assertAlmostEqual(
            auto_penalty.adapted_strength(20.0, train, valid),
            20.0 * math.exp(0.1 * change),
        )

    def test_strength_stays_within_bounds(self):
        self.assertEqual(auto_penalty.adapted_strength(60.0, 1.0, 0.5), 60.0)
        self.assertEqual(auto_penalty.adapted_strength(6.0, 0.5, 0.5), 6.0)


class AutoPenaltyTest(parameterized.TestCase):
    @parameterized.parameters(
        {}, {"jit_compile": True}, {"steps_per_execution": 2}
    )
    def test_fit_adapts_it_by_the_rule(self, **options):
        x, y = testing.toy_batch(0, 64)
        model = auto_model(**options)
        logs = model.fit(
            x, y, validation_split=0.25, epochs=7, verbose=0
        ).history
        strength, expected = 20.0, [20.0]
        for end in range(1, 8):
            valid = auto_penalty.best_accuracy(logs["val_label_accuracy"][:end])
            strength = auto_penalty.adapted_strength(
                strength, logs["label_accuracy"][end - 1], valid
            )
            expected.append(strength * (1.0 - valid))
        np.testing.assert_allclose(
            logs["penalty_weight"], expected[:-1], rtol=1e-5
        )
        self.assertAlmostEqual(model.penalty_weight, expected[-1], places=4)
        self.assertGreater(np.ptp(logs["penalty_weight"]), 1.0)

    def test_a_step_uses_the_weight_of_the_moment(self):
        x, y = testing.toy_batch(0, 16)
        fixed = testing.toy_limit_model(seed=0, gradient_penalty=3.0)
        model = auto_model()
        model.adapt_penalty(0.5, [0.5])
        weight = model.penalty_weight
        self.assertAlmostEqual(weight, 20.0 * math.exp(-0.1) * 0.5, places=4)
        expected = fixed.evaluate(x, y, verbose=0, return_dict=True)
        found = model.evaluate(x, y, verbose=0, return_dict=True)
        self.assertAlmostEqual(
            found["gradient_penalty"] / weight,
            expected["gradient_penalty"] / 3.0,
            places=5,
        )
        self.assertAlmostEqual(found["penalty_weight"], weight, places=4)

    def test_label_accuracy_is_that_of_the_classifier(self):
        x, y = testing.toy_batch(0, 48)
        model = auto_model()
        found = model.evaluate(x, y, batch_size=32, return_dict=True, verbose=0)
        classes = model.predict(x, verbose=0).argmax(-1)
        self.assertAlmostEqual(
            found["label_accuracy"], np.mean(classes == y), places=5
        )

    def test_callbacks_of_the_users_stay(self):
        x, y = testing.toy_batch(0, 32)
        epochs = []
        own = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: epochs.append(epoch)
        )
        for make in (
            lambda model: own,
            lambda model: [own],
            lambda model: keras.callbacks.CallbackList(
                [own], add_history=True, model=model
            ),
        ):
            model = auto_model()
            before = model.penalty_weight
            model.fit(
                x,
                y,
                validation_data=(x, y),
                epochs=1,
                verbose=0,
                callbacks=make(model),
            )
            self.assertNotEqual(model.penalty_weight, before)
        self.assertLen(epochs, 3)

    def test_who_adapts_it_himself_needs_no_validation(self):
        x, y = testing.toy_batch(0, 32)

        class Own(keras.callbacks.Callback):
            adapts_penalty = True

        model = auto_model()
        model.fit(x, y, epochs=1, verbose=0, callbacks=[Own()])
        self.assertEqual(model.penalty_weight, 20.0)

    def test_a_saved_model_goes_on_with_it(self):
        x, y = testing.toy_batch(0, 32)
        model = auto_model()
        model.fit(x, y, validation_split=0.25, epochs=3, verbose=0)
        path = os.path.join(tempfile.mkdtemp(), "model.keras")
        model.save(path)
        copy = keras.models.load_model(path)
        self.assertEqual(copy.gradient_penalty, "auto")
        self.assertEqual(copy.penalty_weight, model.penalty_weight)
        model.adapt_penalty(0.9, [0.4])
        copy.adapt_penalty(0.9, [0.4])
        self.assertEqual(copy.penalty_weight, model.penalty_weight)

    def test_a_number_is_not_adapted(self):
        model = testing.toy_limit_model(seed=0, gradient_penalty=3.0)
        x, y = testing.toy_batch(0, 32)
        logs = model.fit(x, y, epochs=1, verbose=0).history
        self.assertNotIn("penalty_weight", logs)
        self.assertFalse(model.is_adapting)
        self.assertEqual(model.penalty_weight, 3.0)

    @parameterized.parameters(
        ({}, "`validation_data` or `validation_split`.*neither"),
        ({"validation_split": 0.0}, "`validation_data`.*neither"),
        (
            {"validation_split": 0.5, "validation_freq": 2},
            "`validation_freq`.*2",
        ),
    )
    def test_fit_without_validation_is_refused(self, arguments, message):
        x, y = testing.toy_batch(0, 32)
        model = auto_model()
        with self.assertRaisesRegex(ValueError, message):
            model.fit(x, y, verbose=0, **arguments)
        self.assertEqual(int(model.train_steps.numpy()), 0)

    @parameterized.parameters("automatic", "3", None, -1.0, float("inf"))
    def test_other_values_are_refused(self, penalty):
        network = testing.toy_network(seed=0)
        with self.assertRaisesRegex(
            ValueError, "`gradient_penalty` must be .* or 'auto'"
        ):
            LimitModel(network, gradient_penalty=penalty)


if __name__ == "__main__":
    absltest.main()
