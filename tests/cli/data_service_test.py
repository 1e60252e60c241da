"""A training whose data other processes prepare, and one of them killed."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

ROOT = pathlib.Path(__file__).parents[2]


def command(name, *arguments):
    return [sys.executable, "-m", f"limit_tf.cli.{name}", *arguments]


@contextlib.contextmanager
def process(log, *arguments):
    """Runs a part of the service until the block ends."""
    with open(log, "w") as file:
        running = subprocess.Popen(
            command("data_service", *arguments), cwd=ROOT, stderr=file
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def wait_for(log, pattern, seconds=120):
    """Returns what the pattern finds in a log, once it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = re.search(pattern, log.read_text())
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"No {pattern!r} in {log.read_text()!r}")


def write_images(root):
    """40 images for training and 10 for the test, of two classes."""
    for split, number in (("train", 20), ("test", 5)):
        for label, name in enumerate(("cat", "dog")):
            for i in range(number):
                rng = np.random.default_rng([label, i])
                low = 100 * label
                pixels = rng.integers(low, low + 100, (6, 5, 3), np.uint8)
                content = tf.io.encode_png(pixels).numpy()
                path = root / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def train(folder, *arguments):
    """Starts a training whose first epochs are over when this returns."""
    with open(folder / "train.log", "w") as file:
        running = subprocess.Popen(
            command(
                "train",
                "--config=configs/digits.py",
                f"--workdir={folder}/run",
                "--config.method=cross_entropy",
                "--config.data.name=folder",
                f"--config.data.data_dir={folder}/images",
                "--config.data.image_size=4",
                "--config.noise.kind=none",
                "--config.noise.rate=0",
                "--config.training.epochs=60",
                "--config.training.batch_size=8",
                "--config.net.mlp.hidden_units=16",
                *arguments,
            ),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    history = folder / "run" / "history.csv"
    while running.poll() is None and not history.exists():
        time.sleep(0.01)
    return running


class DataServiceTest(absltest.TestCase):
    @pytest.mark.slow
    def test_training_by_a_service_that_loses_a_worker(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        write_images(folder / "images")
        logs = [folder / f"{i}.log" for i in range(3)]
        with contextlib.ExitStack() as stack:
            stack.enter_context(process(logs[0]))
            port = wait_for(logs[0], r"listens on grpc://localhost:(\d+)")[1]
            workers = [
                stack.enter_context(
                    process(log, f"--dispatcher=localhost:{port}")
                )
                for log in logs[1:]
            ]
            for log in logs[1:]:
                wait_for(log, "serves the dispatcher")
            training = train(
                folder,
                f"--config.data.service=grpc://localhost:{port}",
                "--config.training.deterministic=False",
            )
            workers[0].kill()
            status = training.wait()
        self.assertEqual(status, 0, msg=(folder / "train.log").read_text())
        results = json.loads((folder / "run" / "results.json").read_text())
        self.assertEqual(results["num_epochs"], 60)
        # Dark and bright images: whoever saw them tells them apart.
        self.assertGreater(results["train_accuracy_noisy"], 0.9)

    def test_bad_arguments_end_in_one_line(self):
        done = subprocess.run(
            command("data_service", "--worker_address=localhost:5"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 2)
        self.assertRegex(
            done.stderr.splitlines()[-1],
            "error: `--worker_address` is for a worker",
        )


if __name__ == "__main__":
    absltest.main()
