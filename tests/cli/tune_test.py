"""The command `tune` in processes of its own, killed and started again."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

from absl.testing import absltest

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
        f"--config.export_dir={folder}/saved_models",
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


class TuneTest(absltest.TestCase):
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
        self.assertIn("noisy labels", again.stderr)
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

    def test_search_survives_a_killed_worker(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        folder.parent.mkdir(exist_ok=True)
        words = command(
            folder,
            "--tuner=random",
            "--max_trials=4",
            "--config.training.epochs=40",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])

        def member(name):
            return started(
                words,
                folder.parent / f"{name}.log",
                KERASTUNER_ORACLE_IP="127.0.0.1",
                KERASTUNER_ORACLE_PORT=port,
                KERASTUNER_TUNER_ID=name,
            )

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

    def test_wrong_input_is_one_line(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "tune")
        result = run(command(folder, "--tuner=magic"))
        self.assertEqual(result.returncode, 2)
        self.assertNotIn("Traceback", result.stderr)
        self.assertRegex(result.stderr, "error: `tuner` must be .*'magic'")
        self.assertFalse(folder.exists())

    def test_keras_tuner_missing_is_one_line(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "keras_tuner.py").write_text(
            "raise ModuleNotFoundError('no', name='keras_tuner')"
        )
        result = subprocess.run(
            command(folder / "tune"),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        self.assertEqual(result.returncode, 2)
        self.assertNotIn("Traceback", result.stderr)
        self.assertIn("pip install 'limit_tf[tuning]'", result.stderr)


if __name__ == "__main__":
    absltest.main()
