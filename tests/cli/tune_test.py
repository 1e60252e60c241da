"""The command `tune` in processes of its own, killed and started again."""

import contextlib
import json
import os
import pathlib
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from absl.testing import absltest
from absl.testing import parameterized

from tests import forked_commands

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 120
TINY = [
    "--config.net.mlp.hidden_units=16",
    "--config.net.mlp.num_hidden_layers=1",
    "--config.data.num_train_examples=64",
    "--config.training.batch_size=16",
    "--config.training.deterministic=False",
]


def command(folder, *arguments, name="tune"):
    return [
        sys.executable,
        "-m",
        f"limit_tf.cli.{name}",
        "--config=configs/digits.py",
        f"--workdir={folder}",
        *TINY,
        *arguments,
    ]


def run(words):
    return subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@contextlib.contextmanager
def started(words, log, **environment):
    """Starts a command in the background; it does not outlive the test."""
    with open(log, "w") as file:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def started_member(name, words, folder, port):
    """Starts a chief or a worker; its log lies under its name."""
    return started(
        words,
        folder / f"{name}.log",
        KERASTUNER_ORACLE_IP="127.0.0.1",
        KERASTUNER_ORACLE_PORT=port,
        KERASTUNER_TUNER_ID=name,
    )


def wait_for(condition, process=None):
    give_up = time.monotonic() + SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError("The process ended too early.")
        if time.monotonic() > give_up:
            raise AssertionError("It took too long.")
        time.sleep(0.01)


def results(folder):
    return sorted(pathlib.Path(folder).glob("trials/*/results.json"))


def written(files):
    """When the files of the given finished trials were written."""
    return {
        file: file.stat().st_mtime_ns
        for result in files
        for file in result.parent.rglob("*")
        if file.name != ".lock"
    }


class TuneTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_killed_search_goes_on_and_its_choice_trains(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        words = command(
            folder,
            "--tuner=random",
            "--max_trials=4",
            "--config.training.epochs=6",
        )
        with started(words, folder.with_suffix(".log")) as process:
            wait_for(lambda: len(results(folder)) >= 2, process)
            time.sleep(0.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finished = results(folder)
        before = written(finished)
        self.assertLess(len(finished), 4)

        again = run(words)
        self.assertEqual(again.returncode, 0, msg=again.stderr)
        self.assertLen(results(folder), 4)
        self.assertEqual(written(finished), before)
        self.assertIn("(260 noisy validation labels)", again.stderr)
        self.assertIn("Chosen: trial", again.stdout)
        self.assertIn("260 noisy validation labels; 4 trials", again.stdout)

        trained = run(
            [
                sys.executable,
                "-m",
                "limit_tf.cli.train",
                f"--config={folder}/best_config.py",
                f"--workdir={folder}_train",
                "--config.training.epochs=1",
                "--config.limit.gradient_penalty=2",
                "--config.data.num_train_examples=80",
            ]
        )
        self.assertEqual(trained.returncode, 0, msg=trained.stderr)
        outcome = json.loads(
            pathlib.Path(f"{folder}_train", "results.json").read_text()
        )
        self.assertEqual(outcome["config"]["limit"]["gradient_penalty"], 2.0)
        self.assertEqual(outcome["num_epochs"], 1)

    @pytest.mark.slow
    def test_search_survives_a_killed_worker(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        folder.parent.mkdir(exist_ok=True)
        words = command(
            folder,
            "--tuner=random",
            "--max_trials=4",
            "--config.training.epochs=40",
        )
        port = free_port()

        def member(name):
            return started_member(name, words, folder.parent, port)

        def histories():
            return list(folder.glob("trials/*/history.csv"))

        with member("chief") as chief, member("worker0") as staying:
            with member("worker1") as killed:
                wait_for(lambda: len(histories()) >= 2, killed)
                killed.send_signal(signal.SIGKILL)
                killed.wait()
            with member("worker1") as returned:
                log = folder.parent / "chief.log"
                for process in (chief, staying, returned):
                    self.assertEqual(
                        process.wait(SECONDS), 0, msg=log.read_text()
                    )
        self.assertLen(results(folder), 4)
        self.assertIn("Chosen: trial", log.read_text())

    @pytest.mark.slow
    def test_budget_sends_the_worker_and_the_chief_home(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        words = command(
            folder,
            "--tuner=random",
            "--budget_minutes=0.12",
            "--config.training.epochs=1000000",
        )
        port = free_port()
        logs = [folder.parent / f"{name}.log" for name in ("worker0", "chief")]
        with started_member("worker0", words, folder.parent, port) as worker:
            wait_for(lambda: "Waiting for" in logs[0].read_text(), worker)
            with started_member("chief", words, folder.parent, port) as chief:
                for process, log, expected in (
                    (worker, logs[0], 0),
                    (chief, logs[1], 2),
                ):
                    self.assertEqual(
                        process.wait(SECONDS), expected, msg=log.read_text()
                    )
                    self.assertNotIn("Traceback", log.read_text())
        self.assertIn("give it more time", logs[1].read_text())
        self.assertIn("Trial 00 is unfinished", logs[0].read_text())
        self.assertLen(list(folder.glob("trials/00/checkpoint.npz")), 1)

    @pytest.mark.slow
    def test_row_is_searched_as_a_comparison_trains_it(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        result = run(
            command(
                folder,
                "--row=ce_laplace_noise",
                "--tuner=random",
                "--max_trials=1",
                "--config.training.epochs=1",
            )
        )
        self.assertEqual(result.returncode, 0, msg=result.stderr)
        chosen = runpy.run_path(str(folder / "best_config.py"))["get_config"]()
        self.assertEqual(chosen.method, "noisy_gradients")
        self.assertEqual(chosen.noisy_gradients.noise, "laplace")
        self.assertEqual(chosen.net.mlp.hidden_units, 16)
        self.assertNotIn("rows", chosen)

    def test_wrong_input_is_one_line(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        cases = (
            ("--tuner=magic", "`--tuner` must be .*bayesian.*magic"),
            ("--row=magic", "`--row` must be .*limit_gaussian.*magic"),
        )
        _, _, module, *shared = command(folder)
        results = forked_commands.run_each(
            module,
            *([*shared, argument] for argument, _ in cases),
            imported=forked_commands.LIGHT,
        )
        for (_, message), result in zip(cases, results, strict=True):
            self.assertEqual(result.returncode, 2)
            self.assertNotIn("Traceback", result.stderr)
            self.assertRegex(result.stderr, f"error: {message}")
        self.assertFalse(folder.exists())

    def test_keras_tuner_missing_is_one_line(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "keras_tuner.py").write_text(
            "raise ModuleNotFoundError('no', name='keras_tuner')"
        )
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        result = subprocess.run(
            command(folder / "tune"),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        self.assertEqual(result.returncode, 2, msg=result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertIn("pip install 'limit_tf[tuning]'", result.stderr)


if __name__ == "__main__":
    absltest.main()
