"""Every configuration in `configs/` and each of its rows."""

import pathlib
import runpy

import ml_collections
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import nets
from limit_tf import noise
from limit_tf.experiments import settings
from limit_tf.experiments.methods import METHODS

FOLDER = pathlib.Path(__file__).parents[2] / "configs"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.py"))
VARIANTS = [
    *((name, ()) for name in CONFIGS),
    *(("cifar10", (kind,)) for kind in ("pair", "asymmetric", "human")),
    *(("cifar100", (kind,)) for kind in ("asymmetric", "human")),
]


def load(name, *variant):
    """Returns a configuration, locked as the commands lock it."""
    path = str(FOLDER / f"{name}.py")
    return runpy.run_path(path)["get_config"](*variant).lock()


class ConfigsTest(parameterized.TestCase):
    @parameterized.parameters(*VARIANTS)
    def test_every_row_and_every_method_passes_the_checks(self, name, variant):
        config = load(name, *variant)
        settings.check(settings.without_rows(config))
        for row in [*config.rows, *METHODS]:
            own = settings.of_row(config, row)
            settings.check(own)
            self.assertIn(own.net.name, nets.NETS)
            self.assertNotIn("rows", own)

    @parameterized.parameters(*VARIANTS)
    def test_noise_fits_the_number_of_classes(self, name, variant):
        config = load(name, *variant)
        num_classes = {"cifar100": 100, "clothing1m": 14}.get(name, 10)
        class_map = config.noise.class_map
        matrix = noise.get(
            config.noise.kind,
            num_classes=num_classes,
            noise_rate=config.noise.rate,
            class_map=None if class_map is None else dict(class_map),
            transition_matrix=config.noise.transition_matrix,
        )
        self.assertEqual(matrix.shape, (num_classes, num_classes))

    def test_class_maps_are_those_of_the_library(self):
        for kind, expected in (
            ("pair", noise.CIFAR10_PAIRS),
            ("asymmetric", noise.CIFAR10_ASYMMETRIC),
        ):
            class_map = load("cifar10", kind).noise.class_map
            self.assertEqual(
                {int(k): v for k, v in class_map.items()}, expected
            )
        class_map = load("cifar100", "asymmetric").noise.class_map
        self.assertEqual(
            {int(k): v for k, v in class_map.items()},
            noise.block_cycle_class_map(100, 5),
        )

    @parameterized.parameters(*CONFIGS)
    def test_reported_accuracies_belong_to_rows(self, name):
        config = load(name)
        for row in settings.reported(config):
            self.assertIn(row, config.rows)

    def test_reported_accuracies_are_left_out_with_other_noise(self):
        config = load("mnist")
        self.assertEqual(settings.reported(config)["limit_laplace"], 88.2)
        config.noise.rate = 0.8
        self.assertEqual(settings.reported(config), {})

    def test_a_row_keeps_what_it_does_not_name(self):
        config = load("cifar10")
        row = settings.of_row(config, "elr")
        self.assertEqual(row.training.optimizer, "sgd")
        self.assertEqual(row.training.schedule.drop_epochs, (40, 80))
        self.assertEqual(row.training.schedule.restart_epochs, 10)
        self.assertIsNone(row.training.patience)
        self.assertEqual(config.training.optimizer, "adam")

    def test_only_rows_that_start_from_another_one_take_init_from(self):
        config = load("cifar10")
        config.init_from = "runs/ce"
        starts = {
            row: settings.of_row(config, row).init_from for row in config.rows
        }
        self.assertEqual(
            {row for row, start in starts.items() if start == "runs/ce"},
            {
                "forward_correction",
                "dmi",
                "limit_gaussian_init",
                "limit_laplace_init",
            },
        )
        self.assertIsNone(starts["cross_entropy"])

    def test_an_unknown_row_is_one_line(self):
        with self.assertRaisesRegex(ValueError, r"^`row` must be .*'limitt'$"):
            settings.of_row(load("digits"), "limitt")

    def test_a_row_with_an_unknown_value_is_refused(self):
        config = load("digits")
        with config.unlocked():
            config.rows.limit_laplace.limit = ml_collections.ConfigDict(
                {"gradient_penalti": 1.0}
            )
        with self.assertRaisesRegex(Exception, "gradient_penalti"):
            settings.of_row(config, "limit_laplace")


if __name__ == "__main__":
    absltest.main()
