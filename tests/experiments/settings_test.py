"""Values that no run could use, each by itself and together."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.experiments import build
from limit_tf.experiments import settings
from tests import testing


def config_with(**changes):
    """The tiny configuration with values of any type, by key."""
    config = testing.tiny_config(tempfile.mkdtemp())
    for key, value in changes.items():
        *sections, last = key.split("__")
        section = config
        for name in sections:
            section = section[name]
        with section.ignore_type():
            section[last] = value
    return config


def leaves(config, prefix=""):
    for key, value in config.items():
        if key in ("rows", "tfrecord", "transition_matrix", "class_map"):
            continue
        if hasattr(value, "items"):
            yield from leaves(value, f"{prefix}{key}__")
        else:
            yield f"{prefix}{key}", value


class ValuesTest(parameterized.TestCase):
    def assert_refused(self, key, message="", **changes):
        with self.assertRaisesRegex(ValueError, f"`{key}`.*{message}") as e:
            settings.check(config_with(**changes))
        self.assertNotIn("\n", str(e.exception))

    def test_no_number_may_be_nan_or_infinite_or_a_truth_value(self):
        numbers = [
            (key, value)
            for key, value in leaves(config_with())
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and not key.startswith("net__")  # an option of a builder
        ]
        self.assertGreater(len(numbers), 25)
        for key, number in numbers:
            wrong = [float("nan"), float("inf"), "many"]
            if isinstance(number, int):  # ml_collections makes floats of it
                wrong.append(True)
            for value in wrong:
                with self.subTest(key, value=value):
                    name = f"config.{key.replace('__', '.')}"
                    self.assert_refused(name, **{key: value})

    @parameterized.parameters(
        ("data__download", "no"),
        ("data__name", 3),
        ("data__labels_file", ""),
        ("export_dir", 1),
        ("method", None),
        ("net__name", None),
        ("noise__kind", None),
        ("training__deterministic", 1),
        ("training__epochs", 2.5),
        ("training__schedule__drop_epochs", (True,)),
    )
    def test_types(self, key, value):
        self.assert_refused(f"config.{key.replace('__', '.')}", **{key: value})

    @parameterized.parameters(
        ({"noise__kind": "none"}, "config.noise.rate", "does not belong"),
        ({"noise__rate": None}, "config.noise.rate", "is needed"),
        (
            {"noise__class_map": {0: 1}},
            "config.noise.class_map",
            "does not belong",
        ),
        (
            {"noise__transition_matrix": ((1.0,),)},
            "config.noise.transition_matrix",
            "does not belong",
        ),
        (
            {
                "data__augmentation": "crop_flip",
                "data__train_size": 8,
                "data__image_size": 9,
            },
            "config.data.train_size",
            "at least config.data.image_size=9",
        ),
        ({"net__name": "nix:net"}, "config.net.name", "imported"),
    )
    def test_values_that_do_not_fit_each_other(self, changes, key, message):
        self.assert_refused(key, message, **changes)

    def test_a_missing_value_is_named(self):
        for section, key in (("training", "momentum"), ("limit", "q_dist")):
            config = config_with()
            with config.unlocked():
                del config[section][key]
            if key == "q_dist":  # not one that the check looks at
                settings.check(config)
                continue
            with self.assertRaisesRegex(ValueError, f"config.{section}.{key}"):
                settings.check(config)

    def test_other_methods_need_no_section(self):
        config = config_with()
        with config.unlocked():
            del config["sce"]
        settings.check(config)
        config.method = "sce"
        with self.assertRaisesRegex(ValueError, "config.sce.alpha"):
            settings.check(config)


class DataTest(absltest.TestCase):
    """What can only be seen with the data."""

    def assert_refused(self, key, message, **changes):
        with self.assertRaisesRegex(ValueError, f"`{key}` must {message}"):
            build.load_data(config_with(**changes))

    def arrays(self, labels, name="arrays.npz"):
        path = pathlib.Path(tempfile.mkdtemp(), name)
        labels = np.array(labels)
        images = np.zeros((len(labels), 4), np.float32)
        np.savez(
            path, x_train=images, y_train=labels, x_test=images, y_test=labels
        )
        return {
            "data__name": "arrays",
            "data__data_dir": str(path),
            "data__num_train_examples": None,
            "noise__kind": "none",
            "noise__rate": 0.0,
        }

    def test_one_class(self):
        self.assert_refused(
            "config.data.name",
            "be data with at least 2 classes .* Received: 1 for",
            **self.arrays([0] * 10),
        )

    def test_one_training_example(self):
        self.assert_refused(
            "config.data.name",
            "have two training images of a class",
            data__train_fraction=0.5,
            **self.arrays([0, 1]),
        )

    def test_weights_that_are_all_zero(self):
        file = pathlib.Path(tempfile.mkdtemp(), "labels.csv")
        lines = [f"{i},{i % 2},0" for i in range(10)]
        file.write_text("\n".join(["id,label,weight", *lines]) + "\n")
        self.assert_refused(
            "config.data.labels_file",
            "give some training example a weight above 0",
            data__labels_file=str(file),
            **self.arrays([0, 1] * 5),
        )

    def test_a_warm_up_as_long_as_the_training(self):
        steps = 4 * 4  # epochs of 64 images in batches of 16
        build.load_data(config_with(limit__warmup_steps=steps - 1))
        self.assert_refused(
            "config.limit.warmup_steps",
            f"be less than the steps of the training, {steps} in",
            limit__warmup_steps=steps,
        )
        # It is no setting of the others.
        build.load_data(
            config_with(limit__warmup_steps=steps, method="cross_entropy")
        )


if __name__ == "__main__":
    absltest.main()
