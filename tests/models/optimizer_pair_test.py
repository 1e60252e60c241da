"""A pair of optimizers answers as one Keras optimizer does."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models.joint_learning_rate import ScaledSchedule
from limit_tf.models.optimizer_pair import OptimizerPair
from tests import testing

Adam = keras.optimizers.Adam


def model_with(first, second=None, **kwargs):
    return testing.toy_limit_model(
        seed=1,
        optimizer=first,
        gradient_predictor_optimizer=second,
        run_eagerly=True,
        network={"batch_norm": False},
        **kwargs,
    )


def fit(model, *callbacks, epochs=1, **kwargs):
    x, y = testing.toy_batch(seed=0)
    return model.fit(
        x, y, epochs=epochs, verbose=0, callbacks=list(callbacks), **kwargs
    ).history


def rates(model):
    pair = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return [
        float(pair.classifier_optimizer.learning_rate),
        float(pair.gradient_predictor_optimizer.learning_rate),
    ]


class InterfaceTest(parameterized.TestCase):
    # Answered by the base class as it should be: they touch no variable of
    # the networks, or call what the pair overrides.
    INHERITED = {
        "add_optimizer_variables",
        "add_variable",
        "add_variable_from_reference",
        "assign",
        "assign_add",
        "assign_sub",
        "load_own_variables",
        "save_own_variables",
        "scale_loss",
        "stateless_apply",  # refused with TensorFlow
    }

    def test_nothing_of_the_interface_is_left_to_the_base_class(self):
        public = {n for n in dir(keras.optimizers.Optimizer) if n[0] != "_"}
        self.assertEmpty(public - set(vars(OptimizerPair)) - self.INHERITED)

    def test_settings_are_read_of_the_first_and_set_for_both(self):
        options = {
            "weight_decay": 0.1,
            "clipnorm": 2.0,
            "use_ema": True,
            "ema_momentum": 0.5,
            "ema_overwrite_frequency": 7,
            "gradient_accumulation_steps": 2,
        }
        pair = model_with(
            Adam(0.1, beta_1=0.7, **options), Adam(0.2, **options)
        ).optimizer
        for name in set(Adam().get_config()) - {"name", "learning_rate"}:
            self.assertEqual(
                getattr(pair, name), getattr(pair.classifier_optimizer, name)
            )
        pair.clipnorm, pair.beta_1 = 3.0, 0.6
        for optimizer in (
            pair.classifier_optimizer,
            pair.gradient_predictor_optimizer,
        ):
            self.assertEqual((optimizer.clipnorm, optimizer.beta_1), (3.0, 0.6))
        with self.assertRaises(AttributeError):
            pair.momentum  # noqa: B018

    def test_variables_go_through_their_values_and_back(self):
        model, other = (model_with(Adam(0.1), Adam(0.2)) for _ in range(2))
        fit(model)
        pair = model.optimizer
        # As in files of earlier versions: its own two, then the optimizers'.
        expected = pair.classifier_optimizer.variables
        expected += pair.gradient_predictor_optimizer.variables
        self.assertEqual(
            [v.path for v in pair.variables[2:]], [v.path for v in expected]
        )
        other.optimizer.set_weights([v.numpy() for v in pair.variables])
        store = {}
        pair.save_own_variables(store)
        third = model_with(Adam(0.1), Adam(0.2)).optimizer
        third.load_own_variables(store)
        for copy in (other.optimizer, third):
            for ours, theirs in zip(
                copy.variables, pair.variables, strict=True
            ):
                np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        with self.assertRaisesRegex(ValueError, "`weights`.*2 values"):
            other.optimizer.set_weights([0, 0.0])

    def test_gradients_reach_each_network_once(self):
        model = model_with(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2))
        variables = model.trainable_variables
        before = [v.numpy() for v in variables]
        ones = [np.ones(v.shape, "float32") for v in variables]
        count = model.optimizer.apply_gradients(
            zip(ones, variables, strict=True)
        )
        self.assertEqual(int(count), 1)
        model.optimizer.apply(ones)
        model.optimizer.update_step(ones[0], variables[0], 0.5)
        for index, variable in enumerate(variables):
            rate = 0.1 if index < len(variables) // 2 else 0.2
            moved = 2 * rate + (0.5 if index == 0 else 0.0)
            np.testing.assert_allclose(
                variable.numpy(), before[index] - moved, atol=1e-6
            )

    def test_decay_spares_what_it_is_told_in_both_networks(self):
        model = model_with(
            keras.optimizers.AdamW(0.1), keras.optimizers.AdamW(0.1)
        )
        model.optimizer.exclude_from_weight_decay(var_names=["kernel"])
        for optimizer in (
            model.optimizer.classifier_optimizer,
            model.optimizer.gradient_predictor_optimizer,
        ):
            spared = [
                not optimizer._use_weight_decay(v)
                for v in model.trainable_variables
            ]
            self.assertEqual(spared, [True, False] * 4)

    def test_a_pair_can_be_compiled_again_and_written_down(self):
        model = model_with(Adam(0.1, beta_1=0.7), Adam(0.2))
        fit(model)
        pair = model.optimizer
        model.compile(model.optimizer, metrics=["accuracy"])
        self.assertIs(model.optimizer, pair)
        fit(model)
        self.assertEqual(int(pair.iterations), 2)
        copy = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(pair)
        )
        self.assertEqual(copy.beta_1, 0.7)
        with self.assertRaisesRegex(ValueError, "LimitModel.compile"):
            copy.build(model.trainable_variables)
        other = model_with(copy)
        fit(other)
        np.testing.assert_allclose(rates(other), [0.1, 0.2], rtol=1e-6)


class AveragesTest(parameterized.TestCase):
    @parameterized.parameters("both", "classifier", "predictor", "warm-up")
    def test_evaluation_sees_the_averages_of_both_networks(self, kind):
        averaged = {"use_ema": True, "ema_momentum": 0.5}
        plain = {}
        first = plain if kind == "predictor" else averaged
        second = plain if kind == "classifier" else averaged
        sgd = keras.optimizers.SGD
        model = model_with(
            sgd(0.5, **first),
            None if kind == "warm-up" else sgd(0.5, **second),
            warmup_steps=9 if kind == "warm-up" else 0,
        )
        seen, trained = {}, {}

        def note(target):
            def call(*_):
                target["w"] = [v.numpy() for v in model.trainable_variables]

            return call

        swap = keras.callbacks.SwapEMAWeights()
        start = [v.numpy() for v in model.trainable_variables]
        fit(
            model,
            keras.callbacks.LambdaCallback(on_test_begin=note(trained)),
            swap,
            keras.callbacks.LambdaCallback(on_test_begin=note(seen)),
            validation_split=0.5,
            batch_size=4,
        )
        half = len(start) // 2
        changed = [
            not np.array_equal(a, b)
            for a, b in zip(seen["w"], trained["w"], strict=True)
        ]
        classifier, predictor = changed[:half], changed[half:]
        averages_classifier = kind in ("both", "classifier")
        averages_predictor = kind != "classifier"
        self.assertEqual(any(classifier), averages_classifier)
        self.assertEqual(any(predictor), averages_predictor)
        if kind == "warm-up":  # nothing has moved it, nor its average
            for a, b in zip(start[:half], seen["w"][:half], strict=True):
                np.testing.assert_array_equal(a, b)
        # What is seen is the average of two steps, which `fit` leaves behind.
        for a, v in zip(seen["w"], model.trainable_variables, strict=True):
            np.testing.assert_allclose(a, v.numpy(), atol=1e-6)

    def test_without_averages_the_callback_is_refused_as_by_keras(self):
        model = model_with(Adam(0.1), Adam(0.1))
        with self.assertRaisesRegex(ValueError, "use_ema=False"):
            fit(
                model,
                keras.callbacks.SwapEMAWeights(),
                validation_split=0.5,
            )

    def test_loss_scaling_around_the_pair_averages_too(self):
        scaled = keras.optimizers.LossScaleOptimizer(Adam(0.1, use_ema=True))
        model = model_with(scaled, warmup_steps=1)
        fit(model, keras.callbacks.SwapEMAWeights(), validation_split=0.5)
        self.assertIsInstance(model.optimizer.inner_optimizer, OptimizerPair)


class LearningRateTest(parameterized.TestCase):
    def test_a_scheduler_moves_both_and_shows_both(self):
        model = model_with(Adam(1e-2), Adam(4e-2))
        history = fit(
            model,
            keras.callbacks.LearningRateScheduler(lambda _, rate: rate / 10),
            epochs=2,
        )
        np.testing.assert_allclose(history["learning_rate"], [1e-3, 1e-4])
        np.testing.assert_allclose(
            history["gradient_predictor_learning_rate"],
            [4e-3, 4e-4],
            rtol=1e-6,
        )

    def test_a_plateau_moves_both(self):
        model = model_with(Adam(1e-2), Adam(4e-2))
        plateau = keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, min_delta=100.0
        )
        fit(model, plateau, epochs=2)
        np.testing.assert_allclose(rates(model), [5e-3, 2e-2], rtol=1e-6)

    @parameterized.parameters(False, True)
    def test_setting_and_assigning_move_both(self, assign):
        model = model_with(Adam(1e-2), Adam(4e-2))
        # From 0 as well, where the rates alone tell no ratio.
        for rate in (0.5, 0.0, 0.25):
            if assign:
                model.optimizer.learning_rate.assign(rate)
            else:
                model.optimizer.learning_rate = rate
            self.assertAlmostEqual(float(model.optimizer.learning_rate), rate)
            np.testing.assert_allclose(
                rates(model), [rate, 4 * rate], rtol=1e-6
            )
        # One alone, which changes the ratio that is kept.
        model.optimizer.gradient_predictor_optimizer.learning_rate = 0.5
        model.optimizer.learning_rate.assign(0.1)
        np.testing.assert_allclose(rates(model), [0.1, 0.2], rtol=1e-6)

    @parameterized.parameters(0, 1)
    def test_a_schedule_cannot_be_set_as_in_keras(self, scheduled):
        pair = [Adam(1e-2), Adam(1e-2)]
        schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 1, 0.5)
        pair[scheduled] = Adam(schedule)
        model = model_with(*pair)
        before = rates(model)
        with self.assertRaisesRegex(TypeError, "`learning_rate`.*schedule"):
            model.optimizer.learning_rate = 0.5
        self.assertEqual(rates(model), before)

    def test_a_schedule_can_take_both_over(self):
        model = model_with(Adam(1e-2), Adam(4e-2))
        schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
        model.optimizer.learning_rate = schedule
        np.testing.assert_allclose(rates(model), [1.0, 4.0], rtol=1e-6)
        fit(model)
        np.testing.assert_allclose(rates(model), [0.5, 2.0], rtol=1e-6)
        copy = ScaledSchedule.from_config(
            ScaledSchedule(schedule, 4.0).get_config()
        )
        self.assertAlmostEqual(float(copy(1)), 2.0)


if __name__ == "__main__":
    absltest.main()
