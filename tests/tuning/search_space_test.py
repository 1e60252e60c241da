"""Which values a search sets, and that the model gets them."""

import pathlib
import runpy
import tempfile

import keras_tuner
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.experiments import build
from limit_tf.experiments import settings
from limit_tf.experiments.methods import METHODS
from limit_tf.tuning import SearchSpace
from limit_tf.tuning import method_spaces
from limit_tf.tuning.trials import value_at
from tests import testing

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def space_of(method, grid=False, **changes):
    config = testing.tiny_config(tempfile.mkdtemp(), method=method, **changes)
    return config, SearchSpace(config, steps_per_epoch=4, grid=grid)


def drawn(space, seed):
    """Hyperparameters as an oracle draws them."""
    hp = keras_tuner.HyperParameters()
    for number, parameter in enumerate(space.hyperparameters().space):
        hp.merge([parameter])
        if hp.is_active(parameter):
            hp.values[parameter.name] = parameter.random_sample(
                1000 * seed + number
            )
    return hp


class SearchSpaceTest(parameterized.TestCase):
    @parameterized.product(method=sorted(METHODS), grid=(False, True))
    def test_every_key_is_one_of_the_configuration(self, method, grid):
        config, space = space_of(method, grid)
        self.assertNotEmpty(space.keys)
        for key in space.keys:
            value_at(config, key)
        for seed in range(20):
            trial = space.config_of(drawn(space, seed))
            settings.check(trial)
            self.assertEqual(trial.seed, config.seed)

    @parameterized.parameters(False, True)
    def test_a_search_from_an_automatic_penalty_begins_at_ten(self, grid):
        _, space = space_of("limit", grid, limit={"gradient_penalty": "auto"})
        trial = space.config_of(space.hyperparameters())
        self.assertEqual(trial.limit.gradient_penalty, 10.0)
        drawn_penalties = {
            space.config_of(drawn(space, seed)).limit.gradient_penalty
            for seed in range(9)
        }
        self.assertGreater(len(drawn_penalties), 2)
        self.assertNotIn("auto", drawn_penalties)

    @parameterized.parameters(*sorted(p.name for p in CONFIGS.glob("*.py")))
    def test_every_configuration_can_be_searched(self, name):
        config = runpy.run_path(str(CONFIGS / name))["get_config"]().lock()
        for method in METHODS:
            config.method = method
            for grid in (False, True):
                space = SearchSpace(config, steps_per_epoch=4, grid=grid)
                for seed in range(5):
                    settings.check(space.config_of(drawn(space, seed)))

    @parameterized.parameters(*sorted(METHODS))
    def test_defaults_are_the_configuration(self, method):
        config, space = space_of(method, training={"learning_rate": 0.0012345})
        same = space.config_of(space.hyperparameters())
        for key in space.keys:
            self.assertEqual(value_at(same, key), value_at(config, key), key)

    def test_drawn_values_reach_the_model_of_limit(self):
        config, space = space_of("limit")
        source, splits = build.load_data(config)
        for seed in range(4):
            trial = space.config_of(drawn(space, seed))
            model = build.build_model(trial, source, splits).model
            for name in (
                "gradient_penalty",
                "sample_gradients",
                "q_scale",
                "warmup_steps",
            ):
                self.assertEqual(getattr(model, name), trial.limit[name])
            self.assertEqual(
                type(model.q_dist).__name__.lower(),
                trial.limit.q_dist.replace("_", ""),
            )
            self.assertAlmostEqual(
                float(model.optimizer.learning_rate),
                trial.training.learning_rate,
                places=6,
            )

    def test_penalty_is_none_or_in_the_range_of_the_paper(self):
        _, space = space_of("limit")
        penalties = [
            space.values(drawn(space, seed))["limit.gradient_penalty"]
            for seed in range(200)
        ]
        self.assertIn(0.0, penalties)
        positive = [p for p in penalties if p]
        self.assertBetween(min(positive), 0.03, 0.1)
        self.assertBetween(max(positive), 50.0, 100.0)
        self.assertBetween(len(positive), 150, 195)

    def test_cross_entropy_is_never_sampled(self):
        _, space = space_of("limit")
        values = [space.values(drawn(space, seed)) for seed in range(100)]
        kinds = {
            (v["limit.q_dist"], v["limit.sample_gradients"]) for v in values
        }
        self.assertLen(kinds, 5)
        self.assertNotIn(("cross_entropy", True), kinds)
        for v in values:
            self.assertEqual(
                v["limit.q_scale"] is not None, v["limit.sample_gradients"]
            )

    def test_grid_of_penalties(self):
        _, space = space_of("limit", grid=True)
        choices = {hp.name: hp.values for hp in space.hyperparameters().space}
        self.assertCountEqual(
            choices["limit.gradient_penalty"], method_spaces.PENALTIES
        )

    def test_a_short_trial_has_a_short_warm_up(self):
        _, space = space_of("limit", training={"epochs": 100})
        hp = space.hyperparameters()
        hp.values["limit.warmup_steps"] = 20
        self.assertEqual(space.config_of(hp).limit.warmup_steps, 20)
        hp.values["tuner/epochs"] = 30
        config = space.config_of(hp)
        self.assertEqual(config.training.epochs, 30)
        self.assertEqual(config.limit.warmup_steps, 12)  # 3 epochs of 4 steps

    def test_start_is_searched_where_it_is_given(self):
        _, space = space_of("limit", init_from="runs/ce")
        starts = {
            space.config_of(drawn(space, seed)).init_from for seed in range(20)
        }
        self.assertEqual(starts, {None, "runs/ce"})

    def test_a_configuration_without_the_value_is_refused(self):
        config = testing.tiny_config(tempfile.mkdtemp())
        del config.limit["gradient_penalty"]
        with self.assertRaisesRegex(ValueError, "`config`.*gradient_penalty"):
            SearchSpace(config, 4)


if __name__ == "__main__":
    absltest.main()
