"""The hypermodels in keras-tuner programs."""

import inspect
import re
import tempfile

import keras
import keras_tuner
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import tuning
from tests import testing


def build(num_classes, width=1.0):
    return keras.Sequential(
        [
            keras.Input((testing.NUM_FEATURES,)),
            keras.layers.Dense(int(8 * width), activation="relu"),
            keras.layers.Dense(num_classes),
        ]
    )


def hypermodel(name, **kwargs):
    kwargs.setdefault("jit_compile", False)
    if name == "limit":
        return tuning.LimitHyperModel(build, testing.NUM_CLASSES, **kwargs)
    if name == "gce":
        return tuning.GceHyperModel(build, testing.NUM_CLASSES, **kwargs)
    if name == "dmi":
        start = kwargs.pop("start_from", build(testing.NUM_CLASSES))
        return tuning.DmiHyperModel(
            build, testing.NUM_CLASSES, start_from=start, **kwargs
        )
    return tuning.ElrHyperModel(
        build, testing.NUM_CLASSES, num_examples=32, **kwargs
    )


class SearchTest(parameterized.TestCase):
    @parameterized.parameters("limit", "gce", "dmi", "elr")
    def test_random_search(self, name):
        x, y = testing.toy_batch(seed=0, batch_size=32)
        inputs = testing.with_ids(x) if name == "elr" else x
        tuner = keras_tuner.RandomSearch(
            hypermodel(name),
            objective="val_accuracy",
            max_trials=1,
            directory=tempfile.mkdtemp(),
            seed=1,
        )
        tuner.search(
            inputs,
            y,
            validation_data=testing.toy_batch(seed=1),
            epochs=1,
            verbose=0,
        )
        (trial,) = tuner.oracle.get_best_trials()
        self.assertEqual(trial.status, "COMPLETED")
        self.assertBetween(trial.score, 0.0, 1.0)
        model = tuner.get_best_models()[0]
        self.assertEqual(model.predict(x, verbose=0).shape, (32, 4))


class LimitHyperModelTest(parameterized.TestCase):
    def test_space(self):
        tuner = keras_tuner.RandomSearch(
            hypermodel("limit"),
            objective="val_accuracy",
            directory=tempfile.mkdtemp(),
        )
        space = {hp.name: hp for hp in tuner.oracle.get_space().space}
        self.assertCountEqual(
            space,
            [
                "has_penalty",
                "gradient_penalty",
                "q_dist",
                "sample_gradients",
                "q_scale",
                "warmup_steps",
                "learning_rate",
            ],
        )
        penalty = space["gradient_penalty"]
        self.assertEqual(
            (penalty.min_value, penalty.max_value, penalty.sampling),
            (0.03, 100.0, "log"),
        )

    def test_values_reach_the_model(self):
        hp = keras_tuner.HyperParameters()
        hypermodel("limit").build(hp)
        hp.values |= {
            "gradient_penalty": 3.0,
            "q_dist": "gaussian",
            "sample_gradients": True,
            "q_scale": 0.2,
            "warmup_steps": 50,
            "learning_rate": 0.005,
        }
        model = hypermodel("limit").build(hp)
        self.assertEqual(model.gradient_penalty, 3.0)
        self.assertEqual(type(model.q_dist).__name__, "Gaussian")
        self.assertEqual((model.sample_gradients, model.q_scale), (True, 0.2))
        self.assertEqual(model.warmup_steps, 50)
        rate = float(model.optimizer.learning_rate)
        self.assertAlmostEqual(rate, 0.005, places=6)
        hp.values |= {"has_penalty": False, "q_dist": "cross_entropy"}
        model = hypermodel("limit").build(hp)
        self.assertEqual(model.gradient_penalty, 0.0)
        self.assertFalse(model.sample_gradients)

    def test_width_of_the_predictor(self):
        widths = {
            "build_gradient_predictor": build,
            "predictor_widths": (0.5, 1.0),
        }
        hp = keras_tuner.HyperParameters()
        hypermodel("limit", **widths).build(hp)
        hp.values["predictor_width"] = 0.5
        model = hypermodel("limit", **widths).build(hp)
        self.assertEqual(model.gradient_predictor.layers[0].units, 4)
        self.assertEqual(model.classifier.layers[0].units, 8)

    def test_predictor_starts_from_a_network(self):
        start = build(testing.NUM_CLASSES)
        hp = keras_tuner.HyperParameters()
        for starts in (True, False):
            hp.values["start_predictor"] = starts
            model = hypermodel("limit", start_from=start).build(hp)
            for network, is_equal in (
                (model.gradient_predictor, starts),
                (model.classifier, False),
            ):
                self.assertEqual(
                    np.array_equal(testing.flat(network), testing.flat(start)),
                    is_equal,
                )

    @parameterized.parameters(
        ({"penalties": (0.0, 1.0)}, ValueError, "`penalties`"),
        ({"q_dists": ("cauchy",)}, ValueError, "`q_dists`.*'cauchy'"),
        ({"q_scales": (1.0, 0.1)}, ValueError, "`q_scales`"),
        ({"warmup_steps": (-1,)}, ValueError, "`warmup_steps`"),
        ({"learning_rates": (1.0,)}, ValueError, "`learning_rates`"),
        (
            {"predictor_widths": (0.5,)},
            ValueError,
            "`build_gradient_predictor`",
        ),
        (
            {
                "predictor_widths": (0.5,),
                "build_gradient_predictor": lambda num_classes: None,
            },
            TypeError,
            "`build_gradient_predictor`.*width",
        ),
    )
    def test_refusals(self, arguments, error, message):
        with self.assertRaisesRegex(error, message):
            hypermodel("limit", **arguments)

    def test_wrong_builders_are_refused(self):
        with self.assertRaisesRegex(TypeError, "`build_classifier`"):
            tuning.LimitHyperModel(None, 4)
        with self.assertRaisesRegex(ValueError, "`num_classes`.*1"):
            tuning.LimitHyperModel(build, 1)
        model = tuning.LimitHyperModel(lambda num_classes: build(3), 4)
        with self.assertRaisesRegex(ValueError, "`build_classifier`.*3"):
            model.build(keras_tuner.HyperParameters())


class BaselineTest(absltest.TestCase):
    def test_gce_gets_its_exponent(self):
        hp = keras_tuner.HyperParameters()
        hypermodel("gce").build(hp)
        hp.values["q"] = 0.25
        model = hypermodel("gce").build(hp)
        self.assertEqual(model.loss.q, 0.25)

    def test_dmi_starts_from_the_given_weights(self):
        start = build(testing.NUM_CLASSES)
        model = hypermodel("dmi", start_from=start).build(
            keras_tuner.HyperParameters()
        )
        np.testing.assert_array_equal(
            testing.flat(model.classifier), testing.flat(start)
        )

    def test_elr_gets_its_weight_and_momentum(self):
        hp = keras_tuner.HyperParameters()
        hypermodel("elr").build(hp)
        hp.values |= {"regularization": 7.0, "target_momentum": 0.9}
        model = hypermodel("elr").build(hp)
        self.assertEqual(model.regularization, 7.0)
        self.assertEqual(model.target_momentum, 0.9)


class ExampleTest(parameterized.TestCase):
    @parameterized.parameters(
        tuning.LimitHyperModel,
        tuning.GceHyperModel,
        tuning.DmiHyperModel,
        tuning.ElrHyperModel,
        tuning.MedianStoppingRule,
    )
    def test_example_of_the_docstring(self, documented):
        (program,) = re.findall(
            r"```python\n(.*?)```", inspect.getdoc(documented), re.DOTALL
        )
        exec(compile(program, "docstring", "exec"), {})


if __name__ == "__main__":
    absltest.main()
