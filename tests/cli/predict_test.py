"""The command that predicts images."""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image

from tests.serving import small_model
from tests.serving import stand_in

ROOT = pathlib.Path(__file__).parents[2]
# The command without the package's __init__.py, which imports all of it, and
# without Keras, which TensorFlow would import.
_ALONE = f"""
import runpy, sys, types
sys.modules["keras"] = None
package = sys.modules["limit_tf"] = types.ModuleType("limit_tf")
package.__path__ = ["{ROOT}/limit_tf"]
runpy.run_module("limit_tf.cli.predict", run_name="__main__", alter_sys=True)
"""

folder = None
array = small_model.images(3)


def setUpModule():
    global folder
    temporary = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(temporary.cleanup)
    folder = pathlib.Path(temporary.name)
    small_model.write(folder / "small")
    small_model.write_files(folder / "photos", array)
    np.save(folder / "images.npy", array)


def tearDownModule():
    # pytest does not do it by itself.
    unittest.doModuleCleanups()


def run(*arguments, command=("-m", "limit_tf.cli.predict")):
    return subprocess.run(
        [sys.executable, *command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def run_alone(*arguments):
    return run(*arguments, command=("-c", _ALONE))


@pytest.mark.slow
class PredictTest(absltest.TestCase):
    def assert_done(self, done):
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def assert_refused(self, done, pattern):
        self.assertEqual(done.returncode, 2, msg=done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr.strip().splitlines()[-1], pattern)
        self.assertNotIn("Traceback", done.stderr)

    def test_predictions_are_printed_in_order(self):
        names = [f"{folder}/photos/{i:03d}.png" for i in (2, 0, 1)]
        done = run(
            f"--model={folder}/small",
            f"--images={names[0]}",
            f"--images={names[1]},{names[2]}",
        )
        self.assert_done(done)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        self.assertEqual([row["input"] for row in rows], names)

    def test_predictions_are_written(self):
        done = run_alone(
            f"--model={folder}/small",
            "--version=1",
            f"--images={folder}/images.npy",
            f"--output={folder}/predictions.json",
            "--batch_size=2",
            "--top=2",
        )
        self.assert_done(done)
        self.assertRegex(done.stdout, "^3 predictions by .*/small/1: ")
        text = (folder / "predictions.json").read_text(encoding="utf-8")
        self.assertEqual([len(v["top"]) for v in json.loads(text)], [2, 2, 2])

    def test_broken_files_are_listed_and_the_rest_is_predicted(self):
        photos = folder / "mixed"
        small_model.write_files(photos, array)
        webp = io.BytesIO()
        Image.fromarray(array[0][..., 0]).save(webp, "WEBP", lossless=True)
        (photos / "web.jpg").write_bytes(webp.getvalue())
        (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
        arguments = [f"--model={folder}/small", f"--images={photos}"]
        output = folder / "mixed.csv"
        done = run_alone(*arguments, f"--output={output}")
        self.assertEqual(done.returncode, 4, msg=done.stderr)
        lines = done.stderr.strip().splitlines()
        self.assertRegex(lines[-2], r"^not predicted: .*broken.jpg \(.*JPEG")
        self.assertEqual(lines[-1], "error: 1 image could not be predicted")
        with open(output, newline="", encoding="utf-8") as file:
            found = [row["input"] for row in csv.DictReader(file)]
        names = ["000.png", "001.png", "002.png", "web.jpg"]
        self.assertEqual(found, [f"{photos}/{name}" for name in names])

        output.unlink()
        done = run_alone(*arguments, f"--output={output}", "--fail_fast")
        self.assert_refused(done, "^error: `--images`.*broken.jpg")
        self.assertFalse(output.exists())

    @unittest.skipIf(stand_in.missing, stand_in.missing)
    def test_a_stand_in_for_a_server_is_asked(self):
        with stand_in.running(folder / "small" / "1") as server:
            grpc, rest = (
                run_alone(
                    f"--server={server.address(protocol)}",
                    f"--protocol={protocol}",
                    f"--images={folder}/photos",
                    "--model_name=small",
                    "--retries=1",
                    "--timeout=60",
                )
                for protocol in ("grpc", "rest")
            )
        self.assert_done(grpc)
        self.assert_done(rest)
        self.assertLen(rest.stdout.splitlines(), 4)
        self.assertEqual(grpc.stdout, rest.stdout)

    def test_wrong_flags_end_in_one_line(self):
        images = f"--images={folder}/photos"
        self.assert_refused(
            run_alone(images), "^error: `--model`.*`--server`.*neither"
        )
        self.assert_refused(
            run_alone(f"--model={folder}/small", images, "more.png"),
            "^error: Every word must belong to a flag.*Received: more.png",
        )


if __name__ == "__main__":
    absltest.main()
