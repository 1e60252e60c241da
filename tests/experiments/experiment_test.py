"""A run of a configuration: its files, its refusals, its survival."""

import contextlib
import json
import os
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import atomic_files
from limit_tf import data
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments import state
from limit_tf.experiments.experiment import PREDICTIONS_FILE
from tests import testing


def run(folder, *, arguments=None, **changes):
    """Runs the small configuration in `folder/run`."""
    config = testing.tiny_config(folder, **changes)
    path = os.path.join(folder, "run")
    return Experiment(config, path, **(arguments or {})).run()


def best_weights(folder):
    model = keras.models.load_model(
        os.path.join(folder, "run", "best_model.keras")
    )
    return testing.flat(model)


class ResultsTest(parameterized.TestCase):
    @parameterized.parameters("limit", "cross_entropy")
    def test_results_are_those_of_the_saved_model(self, method):
        folder = tempfile.mkdtemp()
        results = run(folder, method=method)
        path = pathlib.Path(folder, "run")
        self.assertEqual(
            json.loads((path / "results.json").read_text()), results
        )
        self.assertEqual(results["method"], method)
        self.assertGreater(results["examples_per_second"], 0)
        for key in ("versions", "config", "wall_seconds", "best_epoch"):
            self.assertIn(key, results)

        # The same figures, from the saved files and the data set anew.
        model = keras.models.load_model(path / "best_model.keras")
        source = data.load("digits")
        logits = model.predict(source.test.images, verbose=0)
        accuracy = np.mean(logits.argmax(-1) == source.test.labels)
        self.assertAlmostEqual(results["test_accuracy"], accuracy, places=6)
        for name in ("config.json", "history.csv"):
            self.assertGreater((path / name).stat().st_size, 0)
        self.assertEqual((path / "curves.png").read_bytes()[1:4], b"PNG")
        self.assertEqual(
            {log.name for log in (path / "tensorboard").iterdir()},
            {"train", "validation", "test"},
        )
        self.assertEqual(
            sorted(p.name for p in path.iterdir() if "npz" in p.name), []
        )

    def test_history_holds_the_best_epoch_by_noisy_validation(self):
        folder = tempfile.mkdtemp()
        results = run(folder)
        lines = pathlib.Path(folder, "run/history.csv").read_text().split()
        header, rows = lines[0].split(","), [x.split(",") for x in lines[1:]]
        self.assertLen(rows, 4)
        valid = [float(row[header.index("valid_accuracy")]) for row in rows]
        self.assertEqual(results["valid_accuracy"], max(valid))
        self.assertEqual(results["best_epoch"], 1 + valid.index(max(valid)))

    def test_patience_ends_a_run(self):
        # The learning rate is too small to improve anything.
        folder = tempfile.mkdtemp()
        results = run(
            folder,
            training={
                "epochs": 50,
                "patience": 2,
                "learning_rate": 1e-12,
                "test_every": 7,
            },
        )
        self.assertEqual(
            results["num_epochs"] - results["best_epoch"], 2, msg=results
        )

    def test_finished_run_does_not_train_again(self):
        folder = tempfile.mkdtemp()
        first = run(folder)
        files = {
            p: p.stat().st_mtime_ns for p in pathlib.Path(folder).rglob("*")
        }
        second = run(folder)
        self.assertEqual(first, second)
        for path, time in files.items():
            if path.name not in (".lock", "run"):
                self.assertEqual(path.stat().st_mtime_ns, time, msg=path)

    @parameterized.parameters("mixed_float16", "mixed_bfloat16")
    def test_precision_is_that_of_the_config(self, precision):
        folder = tempfile.mkdtemp()
        results = run(folder, training={"precision": precision, "epochs": 1})
        model = keras.models.load_model(
            os.path.join(folder, "run", "best_model.keras")
        )
        self.assertEqual(
            model.classifier.layers[-1].dtype_policy.name, precision
        )
        self.assertEqual(keras.config.dtype_policy().name, "float32")
        self.assertEqual(results["num_epochs"], 1)

    def test_warmup_and_sampling_run(self):
        folder = tempfile.mkdtemp()
        results = run(
            folder,
            limit={
                "warmup_steps": 3,
                "sample_gradients": True,
                "q_scale": 0.1,
                "q_dist": "gaussian",
            },
            training={"steps_per_execution": 4, "xla": "on"},
        )
        self.assertEqual(results["num_epochs"], 4)


class ArgumentsTest(absltest.TestCase):
    def test_a_run_that_is_stopped_early_says_why(self):
        folder = tempfile.mkdtemp()
        lengths = []

        def stop_early(history):
            lengths.append(len(history))
            return "enough" if len(history) == 2 else None

        results = run(folder, arguments={"stop_early": stop_early})
        self.assertEqual(lengths, [1, 2])
        self.assertEqual(results["stopped_early"], "enough")
        self.assertEqual(results["num_epochs"], 2)
        self.assertNotIn("saved_model", results)
        self.assertFalse(pathlib.Path(folder, "saved_models").exists())
        self.assertFalse(pathlib.Path(folder, "run", PREDICTIONS_FILE).exists())

    def test_predictions_are_those_of_the_results(self):
        folder = tempfile.mkdtemp()
        results = run(folder, arguments={"keep_predictions": True})
        with np.load(pathlib.Path(folder, "run", PREDICTIONS_FILE)) as arrays:
            logits, labels = arrays["logits"], arrays["labels"]
        self.assertEqual(logits.shape, (260, 10))
        self.assertEqual(logits.dtype, np.float32)
        self.assertIsNone(results["stopped_early"])
        self.assertAlmostEqual(
            np.mean(logits.argmax(-1) == labels), results["valid_accuracy"]
        )
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        )
        self.assertAlmostEqual(
            float(cross_entropy(labels, logits)),
            results["valid_cross_entropy"],
            places=4,
        )

    def test_data_that_is_given_is_not_loaded(self):
        loaded = build.load_data(testing.tiny_config(tempfile.mkdtemp()))
        accuracies = [run(tempfile.mkdtemp())["test_accuracy"]]
        with mock.patch.object(build, "load_data", side_effect=OSError):
            for _ in range(2):
                results = run(tempfile.mkdtemp(), arguments={"loaded": loaded})
                accuracies.append(results["test_accuracy"])
        testing.assert_close(accuracies, accuracies[:1] * 3)


class HeldImagesTest(parameterized.TestCase):
    @parameterized.parameters("limit", "elr_plus")
    @pytest.mark.slow
    def test_the_same_run_with_the_images_on_the_device(self, method):
        histories, weights = [], []
        for value in ("on", "off"):
            folder = tempfile.mkdtemp()
            config = testing.tiny_config(
                folder, method=method, training={"device_resident": value}
            )
            path = os.path.join(folder, "run")
            if value == "on":
                with testing.killed_after_epoch(2):
                    Experiment(config, path).run()
            with self.assertLogs("absl", level="INFO") as logs:
                Experiment(config, path).run()
            self.assertEqual(
                "training images held on the device" in " ".join(logs.output),
                value == "on",
            )
            history = pathlib.Path(path, "history.csv")
            histories.append(history.read_text())
            weights.append(best_weights(folder))
        testing.assert_histories_close(*histories)
        testing.assert_close(*weights)


class Crash(BaseException):
    """Stands for the moment at which a process is killed."""


class Interruption(Exception):
    """Stands for what `stop_early` may raise."""


@contextlib.contextmanager
def crash_at(number):
    """Crashes instead of putting the `number`-th file in its place."""
    counter, replace = [0], os.replace

    def counting(source, target):
        counter[0] += 1
        if counter[0] == number:
            raise Crash
        replace(source, target)

    with mock.patch.object(atomic_files.os, "replace", counting):
        yield counter


class ResumeTest(parameterized.TestCase):
    LIMIT = {
        "sample_gradients": True,
        "q_scale": 0.1,
        "gradient_penalty": "auto",
    }

    # The order of the replaced files: config, fingerprint of the data, then an
    # epoch's history, best weights if they are, and checkpoint; at the end
    # model, curves, results.
    @parameterized.parameters(2, 3, 5, 6, 8, -3, -1)
    @pytest.mark.slow
    def test_a_crash_at_any_file_changes_nothing(self, at):
        whole, broken = tempfile.mkdtemp(), tempfile.mkdtemp()
        with mock.patch.object(state, "_MOST_TIME_SAVING", 1.0):
            with crash_at(None) as counter:
                expected = run(whole, limit=self.LIMIT)
            with crash_at(at if at > 0 else counter[0] + 1 + at):
                with self.assertRaises(Crash):
                    run(broken, limit=self.LIMIT)
            unfinished = pathlib.Path(broken, "run", ".new-checkpoint.npz")
            unfinished.write_text("what kill -9 leaves")
            results = run(broken, limit=self.LIMIT)
        self.assertFalse(unfinished.exists())
        self.assert_same(whole, broken, expected, results)

    # Then: config, fingerprint, the first epoch's three files, the histories of
    # the next two, and three or two files of the last.
    def test_a_crash_between_two_checkpoints_changes_nothing(self):
        whole, broken = tempfile.mkdtemp(), tempfile.mkdtemp()
        path = pathlib.Path(broken, "run")
        with mock.patch.object(state, "_MOST_TIME_SAVING", 1e-9):
            with crash_at(None) as counter:
                expected = run(whole, limit=self.LIMIT)
            has_better = expected["best_epoch"] > 1
            self.assertEqual(counter[0], 2 + 3 + 2 + (2 + has_better) + 3)
            with crash_at(7), self.assertRaises(Crash):
                run(broken, limit=self.LIMIT)
            # The epoch that was lost is told, but not saved.
            history = (path / "history.csv").read_text().splitlines()
            self.assertLen(history, 1 + 2)
            self.assertEqual(
                sorted(p.name for p in path.glob("*.npz")),
                ["best-00001.npz", "checkpoint.npz", "examples.npz"],
            )
            with self.assertLogs("absl", level="INFO") as logs:
                results = run(broken, limit=self.LIMIT)
        self.assertIn("goes on after epoch 1", " ".join(logs.output))
        self.assert_same(whole, broken, expected, results)

    def test_what_stop_early_raises_leaves_the_run_unfinished(self):
        whole, broken = tempfile.mkdtemp(), tempfile.mkdtemp()

        def stop_early(history):
            if len(history) == 3:
                raise Interruption

        expected = run(whole, limit=self.LIMIT)
        with mock.patch.object(state, "_MOST_TIME_SAVING", 1e-9):
            with self.assertRaises(Interruption):
                run(
                    broken,
                    limit=self.LIMIT,
                    arguments={"stop_early": stop_early},
                )
        self.assertFalse(pathlib.Path(broken, "run/results.json").exists())
        with self.assertLogs("absl", level="INFO") as logs:
            results = run(broken, limit=self.LIMIT)
        self.assertIn("goes on after epoch 3", " ".join(logs.output))
        self.assert_same(whole, broken, expected, results)

    def assert_same(self, whole, broken, expected, results):
        """Asserts that two runs came to the same and left nothing."""
        for key, value in expected.items():
            if key not in (
                "wall_seconds",
                "startup_seconds",
                "examples_per_second",
                "saved_model",
                "config",
            ):
                self.assertEqual(results[key], value, msg=key)
        testing.assert_close(best_weights(whole), best_weights(broken))
        left = [p.name for p in pathlib.Path(broken, "run").iterdir()]
        self.assertFalse([n for n in left if n.endswith(".npz")], msg=left)


class RefusalTest(parameterized.TestCase):
    def assert_refused(self, message, folder=None, **changes):
        folder = folder or tempfile.mkdtemp()
        before = set(pathlib.Path(folder).rglob("*"))
        with self.assertRaisesRegex(ValueError, message) as caught:
            run(folder, **changes)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(set(pathlib.Path(folder).rglob("*")), before)

    def test_folder_of_another_configuration(self):
        folder = tempfile.mkdtemp()
        run(folder, training={"epochs": 1})
        before = pathlib.Path(folder, "run/results.json").read_text()
        self.assert_refused(
            "`workdir`.*config.noise.rate: 0.5 there, 0.25 here",
            folder,
            training={"epochs": 1},
            noise={"rate": 0.25},
        )
        after = pathlib.Path(folder, "run/results.json").read_text()
        self.assertEqual(before, after)

    def test_folder_of_something_else(self):
        folder = tempfile.mkdtemp()
        os.mkdir(os.path.join(folder, "run"))
        pathlib.Path(folder, "run", "thesis.tex").write_text("words")
        self.assert_refused(
            "`workdir` must be a new folder, an empty one.*thesis.tex", folder
        )

    def test_folder_that_is_a_file(self):
        folder = tempfile.mkdtemp()
        pathlib.Path(folder, "run").write_text("words")
        self.assert_refused("`workdir` must be a folder", folder)

    def test_refused_value_does_not_claim_the_folder(self):
        folder = tempfile.mkdtemp()
        self.assert_refused("config.noise.rate", folder, noise={"rate": 1.5})
        results = run(folder, training={"epochs": 1})
        self.assertEqual(results["num_epochs"], 1)

    def test_folder_in_use(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(folder)
        path = os.path.join(folder, "run")
        experiment = Experiment(config, path)
        with self.assertRaisesRegex(ValueError, "`workdir`.*in use"):
            Experiment(config, path)
        del experiment

    @parameterized.parameters(
        ({"method": "magic"}, "`config.method`.*'magic'"),
        ({"training": {"epochs": 0}}, "`config.training.epochs`.*0"),
        ({"training": {"patience": 0}}, "`config.training.patience`.*0"),
        ({"training": {"batch_size": -4}}, "`config.training.batch_size`.*-4"),
        ({"training": {"learning_rate": -1.0}}, "learning_rate`.*-1"),
        ({"training": {"precision": "float8"}}, "precision`.*'float8'"),
        ({"training": {"xla": "perhaps"}}, "`config.training.xla`.*'perhaps'"),
        (
            {"training": {"device_resident": "perhaps"}},
            "`config.training.device_resident`.*'perhaps'",
        ),
        ({"seed": -1}, "`config.seed`.*-1"),
        ({"seed": 2**31 - 1}, "`config.seed`.*2147483647"),
        ({"name": "a/b"}, "`config.name`.*'a/b'"),
        ({"data": {"train_fraction": 1.5}}, "train_fraction`.*1.5"),
        ({"data": {"num_train_examples": 5000}}, "num_train_examples.*5000"),
        ({"noise": {"rate": 1.5}}, "`config.noise.rate`.*1.5"),
        ({"noise": {"kind": "pink"}}, "`config.noise.kind`.*'pink'"),
        ({"net": {"name": "resnet"}}, "`config.net.name`.*'resnet'"),
        (
            {"net": {"initializer": "glorious"}},
            "`config.net.initializer`.*'glorious'",
        ),
        ({"limit": {"q_dist": "cauchy"}}, "`config.limit.q_dist`.*'cauchy'"),
        (
            {"limit": {"gradient_penalty": -1.0}},
            "`config.limit.gradient_penalty`.*-1",
        ),
        ({"limit": {"sample_gradients": True}}, "`config.limit.q_scale`"),
        (
            {
                "limit": {"gradient_penalty": "auto"},
                "data": {"clean_validation": True},
            },
            "`config.limit.gradient_penalty` must be a number.*'auto'",
        ),
    )
    def test_values(self, changes, message):
        self.assert_refused(message, **changes)


if __name__ == "__main__":
    absltest.main()
