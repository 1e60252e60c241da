"""The stages of a run's start: in the results, and in one line of the log."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from unittest import mock

import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import command_environment
from limit_tf import models
from limit_tf.experiments import Experiment
from limit_tf.experiments import startup
from tests import testing

ROOT = pathlib.Path(__file__).parents[2]
STAGES = ["data", "networks", "first_steps"]
NUMBER = r"\d+\.\d"


class StartupTest(absltest.TestCase):
    def test_stages_follow_each_other(self):
        timer = startup.Startup()
        time.sleep(0.02)
        timer.done("data")
        time.sleep(0.04)
        timer.resume()
        timer.done("networks")
        time.sleep(0.01)
        timer.done("networks")
        self.assertIsNone(timer.results())
        timer.done("first_steps")
        seconds = timer.results()
        self.assertEqual(list(seconds), [*STAGES, "total"])
        self.assertBetween(seconds["data"], 0.02, 0.04)
        self.assertBetween(seconds["networks"], 0.01, 0.04)
        self.assertLess(seconds["total"], 0.07)

    def test_description(self):
        timer = startup.Startup()
        timer.seconds = {"imports": 3.44, "data": 0.04, "first_steps": 1.5}
        self.assertEqual(
            timer.description(9),
            "First 9 steps done after 5.0 s: imports 3.4, data 0.0, "
            "tracing and steps 1.5",
        )
        self.assertStartsWith(timer.description(1), "First 1 step done")

    def test_only_a_command_has_a_start_and_only_once(self):
        self.assertIsNone(command_environment.take_start())
        code = (
            "import sys; sys.orig_argv = ['python', '-m', "
            "'limit_tf.cli.train']; import limit_tf.command_environment as c; "
            "print(c.take_start() > 0.0, c.take_start())"
        )
        output = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertEqual(output.split()[-2:], ["True", "None"])


class ResultsTest(parameterized.TestCase):
    def assert_stages(self, seconds, stages):
        self.assertEqual(list(seconds), [*stages, "total"])
        total = seconds["total"]
        self.assertGreater(min(seconds.values()), 0.0)
        self.assertAlmostEqual(2.0 * total, sum(seconds.values()), places=3)

    def test_a_program_has_no_imports(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(folder)
        experiment = Experiment(config, os.path.join(folder, "run"))
        start = time.monotonic()
        with self.assertLogs("absl", level="INFO") as logs:
            seconds = experiment.run()["startup_seconds"]
        self.assert_stages(seconds, STAGES)
        self.assertLess(seconds["first_steps"], time.monotonic() - start)
        lines = [line for line in logs.output if "First" in line]
        self.assertLen(lines, 1)
        self.assertRegex(
            lines[0],
            f"First 4 steps done after {NUMBER} s: data {NUMBER}, "
            f"networks {NUMBER}, tracing and steps {NUMBER}",
        )

    @parameterized.parameters(
        ("limit", models.LimitModel),
        ("gce", models.ClassifierModel),
        ("noisy_gradients", models.NoisyGradientModel),
        ("elr_plus", models.ElrPlusModel),
    )
    def test_the_training_step_is_traced_once(self, method, model):
        traces, train_step = [], model.train_step

        def counted(self, data):
            traces.append(data)
            return train_step(self, data)

        folder = tempfile.mkdtemp()
        config = testing.tiny_config(
            folder, method=method, training={"epochs": 2}
        )
        with mock.patch.object(model, "train_step", counted):
            Experiment(config, os.path.join(folder, "run")).run()
        self.assertLen(traces, 1)

    def test_a_process_that_takes_no_step_has_none(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(folder, training={"epochs": 1})
        path = os.path.join(folder, "run")
        with testing.killed_after_epoch(1):
            Experiment(config, path).run()
        self.assertIsNone(Experiment(config, path).run()["startup_seconds"])

    @pytest.mark.slow
    def test_command_says_how_long_it_took(self):
        folder = tempfile.mkdtemp()
        start = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "limit_tf.cli.train"),
                "--config=configs/digits.py",
                f"--workdir={folder}/run",
                "--config.net.mlp.hidden_units=16",
                "--config.training.epochs=1",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertRegex(
            done.stderr,
            f"First 9 steps done after {NUMBER} s: imports {NUMBER}, data",
        )
        results = json.loads(
            pathlib.Path(folder, "run/results.json").read_text()
        )
        seconds = results["startup_seconds"]
        self.assert_stages(seconds, ["imports", *STAGES])
        self.assertLess(seconds["total"], time.monotonic() - start)
        # Python's own start, of which this package knows nothing, and what
        # comes after the first steps are all that is left out.
        self.assertGreater(seconds["imports"], 0.5)


if __name__ == "__main__":
    absltest.main()
