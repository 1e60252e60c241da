"""The commands as their users run them: in processes of their own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf  # noqa: F401  (registers the model for loading)
from tests import forked_commands
from tests import testing

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
    "--config.net.mlp.hidden_units=16",
    "--config.net.mlp.num_hidden_layers=1",
    "--config.data.num_train_examples=64",
    "--config.training.batch_size=16",
]


def command(name, *arguments, config="configs/digits.py"):
    return [
        sys.executable,
        "-m",
        f"limit_tf.cli.{name}",
        f"--config={config}",
        *arguments,
    ]


def run(name, *arguments, **kwargs):
    return subprocess.run(
        command(name, *arguments, **kwargs),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class TrainTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_killed_run_ends_with_the_weights_of_a_whole_run(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        arguments = [
            *TINY,
            "--config.training.epochs=60",
        ]
        whole = run("train", f"--workdir={folder}/whole", *arguments)
        self.assertEqual(whole.returncode, 0, msg=whole.stderr)
        # How the steps run is said in one line: LIMIT has two networks.
        self.assertRegex(whole.stderr, "float32, 4 steps a call")
        if os.cpu_count() > 1 and "TF_NUM_INTEROP_THREADS" not in os.environ:
            self.assertIn("2 operations at a time", whole.stderr)

        history = folder / "broken" / "history.csv"
        process = subprocess.Popen(
            command("train", f"--workdir={folder}/broken", *arguments),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and num_lines(history) < 10:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.assertLess(num_lines(history), 61)
        again = run("train", f"--workdir={folder}/broken", *arguments)
        self.assertEqual(again.returncode, 0, msg=again.stderr)
        self.assertIn("goes on after epoch", again.stderr)

        results = [
            json.loads((folder / name / "results.json").read_text())
            for name in ("whole", "broken")
        ]
        for key in ("test_accuracy", "best_epoch", "train_accuracy_noisy"):
            self.assertEqual(results[0][key], results[1][key], msg=key)
        weights = [
            testing.flat(
                keras.models.load_model(folder / name / "best_model.keras")
            )
            for name in ("whole", "broken")
        ]
        np.testing.assert_array_equal(*weights)

        finished = run("train", f"--workdir={folder}/broken", *arguments)
        self.assertEqual(finished.returncode, 0, msg=finished.stderr)
        self.assertIn("finished", finished.stderr)
        self.assertIn("test accuracy", finished.stdout)

    @pytest.mark.slow
    def test_wrong_values_are_one_line_each(self):
        cases = [
            (["--config.training.epochs=0"], "config.training.epochs"),
            (["--config.noise.rate=-0.5"], "`config.noise.rate`"),
            (["--row=limit_laplace_init"], "give config.init_from the folder"),
            (
                [
                    "--config.data.name=no_such_data",
                    "--config.data.download=false",
                ],
                "no_such_data",
            ),
        ]
        folder = tempfile.mkdtemp()
        results = forked_commands.run_each(
            "limit_tf.cli.train",
            *(
                [
                    "--config=configs/digits.py",
                    f"--workdir={folder}/{number}",
                    *arguments,
                ]
                for number, (arguments, _) in enumerate(cases)
            ),
            imported=("limit_tf.serving.run_export",),
        )
        for (arguments, message), result in zip(cases, results, strict=True):
            with self.subTest(arguments[-1]):
                self.assertNotEqual(result.returncode, 0)
                self.assertNotIn("Traceback", result.stderr)
                lines = [x for x in result.stderr.splitlines() if message in x]
                self.assertLen(lines, 1, msg=result.stderr)
                self.assertEqual(result.stdout, "")


class CompareTest(absltest.TestCase):
    def test_table_and_curves(self):
        folder = tempfile.mkdtemp()
        result = run(
            "compare",
            f"--workdir={folder}/run",
            *TINY,
            "--config.training.epochs=2",
        )
        self.assertEqual(result.returncode, 0, msg=result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0].split()[:3], ["method", "test", "accuracy"])
        self.assertEqual(
            [lines[2].split()[0], lines[3].split()[0]],
            ["limit", "cross_entropy"],
        )
        self.assertGreater(
            pathlib.Path(folder, "run", "curves.png").stat().st_size, 10_000
        )
        outcomes = json.loads(
            pathlib.Path(folder, "run", "results.json").read_text()
        )
        self.assertLen(outcomes, 2)


class EnvironmentTest(parameterized.TestCase):
    @parameterized.parameters((None, "1"), ("0", "0"))
    def test_onednn_is_on_for_commands_unless_the_user_says_no(
        self, value, expected
    ):
        environment = {k: v for k, v in os.environ.items() if "ONEDNN" not in k}
        if value is not None:
            environment["TF_ENABLE_ONEDNN_OPTS"] = value
        code = (
            "import os, sys; sys.orig_argv = ['python', '-m', "
            "'limit_tf.cli.train']; import limit_tf.command_environment as c; "
            "print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
        )
        output = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertEqual(output.split()[-1], expected)

    def test_library_leaves_the_environment_alone(self):
        environment = {k: v for k, v in os.environ.items() if "ONEDNN" not in k}
        output = subprocess.run(
            [
                sys.executable,
                "-c",
                "import os, limit_tf;"
                "print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))",
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertEqual(output.split()[-1], "None")


def num_lines(path):
    """Epochs in a history file, without its header."""
    return (
        max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0
    )


if __name__ == "__main__":
    absltest.main()
