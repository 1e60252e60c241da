"""Runs that are exported by what trains them."""

import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.experiments import Comparison
from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.serving import model_folder
from limit_tf.serving import versions
from limit_tf.serving.run_export import RunExport
from tests import testing

COMMAND = "python -m limit_tf.cli.train --config=configs/digits.py"


def exporter(config):
    return RunExport(config, training_command=COMMAND)


def tiny_config(**changes):
    changes = {"training": {"epochs": 1}, **changes}
    return testing.tiny_config(tempfile.mkdtemp(), **changes)


def publishing_config(**changes):
    return tiny_config(export_dir=f"{tempfile.mkdtemp()}/models", **changes)


def write_version(folder, number=1, **changes):
    """Writes a version that is a model card and an empty model."""
    card = {
        "class_names": [str(digit) for digit in range(10)],
        "input": {"shape": [8, 8, 1]},
        "signatures": dict.fromkeys(
            ("serving_default", "serving_bytes", "classify")
        ),
    }
    version = pathlib.Path(folder, str(number))
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    (version / "model_card.json").write_text(json.dumps({**card, **changes}))


def run(config, *, folder=None, **options):
    folder = folder or tempfile.mkdtemp()
    return Experiment(config, folder, **options).run()


def answers(outcome, inputs):
    signatures = tf.saved_model.load(outcome["saved_model"]).signatures
    images = tf.constant(inputs, tf.float32)
    return signatures["serving_default"](images=images)


class RunExportTest(parameterized.TestCase):
    def test_a_run_ends_with_what_the_export_command_writes(self):
        folder = tempfile.mkdtemp()
        config = tiny_config()
        outcome = run(config, folder=folder, exporter=exporter)
        version = pathlib.Path(folder, "saved_model", "1")
        self.assertEqual(outcome["saved_model"], str(version))
        self.assertNotIn("published", outcome)
        written = pathlib.Path(folder, "results.json").read_text()
        self.assertEqual(json.loads(written), outcome)

        model = keras.models.load_model(
            pathlib.Path(folder, "best_model.keras")
        )
        images = data.load("digits").test.images
        np.testing.assert_allclose(
            answers(outcome, images)["logits"],
            model.predict(images, verbose=0),
            rtol=1e-4,
            atol=1e-5,
        )
        card = json.loads((version / "model_card.json").read_text())
        self.assertEqual(
            list(card["signatures"]),
            ["serving_default", "serving_bytes", "classify"],
        )
        self.assertEqual(card["training"]["command"], COMMAND)
        self.assertIsNone(card["command"])
        self.assertNotIn("the command line", " ".join(card["not_known"]))
        self.assertEqual(card["name"], "digits")
        text = (version / "model_card.md").read_text()
        self.assertStartsWith(text, "# digits, version 1\n")
        self.assertIn("Input: 8 x 8 x 1.", text)
        self.assertIn(
            f"| test labels, taken as they are | "
            f"{outcome['test_accuracy']:.1%} |",
            text,
        )
        self.assertIn("| training labels as given |", text)
        # Nothing for a server, and nothing outside of the run's folder.
        self.assertFalse((pathlib.Path(folder) / "models.config").exists())
        for model in (folder, version.parent, version):
            self.assertEqual(model_folder.find_version(model), version)

    def test_a_run_publishes_where_it_is_told_to(self):
        config = publishing_config()
        pathlib.Path(config.export_dir, "digits", "7").mkdir(parents=True)
        folder = tempfile.mkdtemp()
        outcome = run(config, folder=folder, exporter=exporter)
        self.assertEndsWith(outcome["saved_model"], "/saved_model/1")
        published = f"{config.export_dir}/digits"
        self.assertEqual(outcome["published"], f"{published}/8")
        again = exporter(config)(FinishedRun(folder))
        self.assertEqual(again["published"], f"{published}/9")
        self.assertEqual(again["saved_model"], outcome["saved_model"])
        self.assertTrue(
            pathlib.Path(config.export_dir, "models.config").is_file()
        )

    def test_it_is_exported_once(self):
        folder = tempfile.mkdtemp()
        config = tiny_config()
        # Neither was it asked for, nor had the process the time to do it.
        self.assertNotIn("saved_model", run(config, folder=folder))
        history = pathlib.Path(folder, "history.csv")
        trained = history.stat().st_mtime_ns
        for _ in range(2):
            outcome = run(config, folder=folder, exporter=exporter)
            self.assertEndsWith(outcome["saved_model"], "/saved_model/1")
        self.assertEqual(history.stat().st_mtime_ns, trained)
        path = pathlib.Path(folder, "saved_model")
        self.assertEqual(list(versions.existing_versions(path)), [1])

    def test_features_are_served_as_they_are(self):
        file = pathlib.Path(tempfile.mkdtemp(), "arrays.npz")
        rng = np.random.default_rng(0)
        arrays = {
            f"x_{split}": rng.normal(size=(60, 5)).astype(np.float32)
            for split in ("train", "test")
        }
        arrays |= {
            f"y_{split}": np.arange(60) % 3 for split in ("train", "test")
        }
        np.savez(file, **arrays)
        config = tiny_config(
            data={
                "name": "arrays",
                "data_dir": str(file),
                "num_train_examples": None,
            },
            noise={"kind": "none", "rate": 0.0},
        )
        outcome = run(config, exporter=exporter)
        classes = answers(outcome, arrays["x_test"])["class_ids"]
        self.assertEqual(
            outcome["test_accuracy"], np.mean(classes == arrays["y_test"])
        )

    def test_rows_of_a_comparison_are_models_of_their_own(self):
        config = tiny_config()
        comparison = Comparison(
            config, tempfile.mkdtemp(), ["cross_entropy"], exporter=exporter
        )
        (experiment,) = comparison.experiments()
        self.assertEndsWith(
            experiment.run()["saved_model"], "/cross_entropy/saved_model/1"
        )


class RefusalTest(absltest.TestCase):
    """Before anything is trained, and nothing is left."""

    def assert_refused(self, message, config):
        folder = pathlib.Path(tempfile.mkdtemp())

        def compare():
            next(
                Comparison(
                    config, str(folder / "b"), ["limit"], exporter=exporter
                ).experiments()
            )

        for make in (
            lambda: Experiment(config, str(folder / "a"), exporter=exporter),
            compare,
        ):
            with self.assertRaisesRegex(ValueError, message) as caught:
                make()
            self.assertNotIn("\n", str(caught.exception))
        self.assertEmpty(list(folder.iterdir()))

    def test_a_folder_of_exports_that_is_a_file(self):
        config = publishing_config()
        pathlib.Path(config.export_dir).write_text("words")
        self.assert_refused("`config.export_dir` must be a folder", config)

    def test_a_name_that_does_not_fit_into_a_url(self):
        config = tiny_config(name="my run")
        self.assert_refused("`config.name` must .*=my run", config)

    def test_versions_of_another_format(self):
        config = publishing_config()
        for name in ("digits", "digits_limit"):
            version = pathlib.Path(config.export_dir, name, "1")
            version.mkdir(parents=True)
            (version / "model.tflite").write_bytes(b"")
        self.assert_refused("`config.export_dir` must not hold .*tfl", config)

    def test_another_interface_than_the_newest_version_has(self):
        signatures = {"serving_default": None, "classify": None}
        for changes, message in (
            ({"class_names": ["cat", "dog"]}, "classes are cat, dog, here 0,"),
            ({"input": {"shape": [8, 8, 3]}}, "8 x 8 x 3, here 8 x 8 x 1"),
            ({"signatures": signatures}, "the signatures are classify, serv"),
            ({"input": None}, "no model_card.json to compare with"),
        ):
            config = publishing_config()
            for name in ("digits", "digits_limit"):
                folder = f"{config.export_dir}/{name}"
                write_version(folder, 9)
                write_version(folder, 10, **changes)
            self.assert_refused(
                f"`config.export_dir` must .*version 10 .*{message}", config
            )


if __name__ == "__main__":
    absltest.main()
