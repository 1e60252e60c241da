"""An exported model, run by a C program: without Python, without Keras."""

import importlib.util
import math
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

from limit_tf.experiments import FinishedRun
from limit_tf.serving.examples import ServedExamples
from tests.serving import builders

_DTYPES = {"float": np.float32, "int64": np.int64}
_SOURCE = pathlib.Path(__file__).with_name("run_saved_model.c")
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


def setUpModule():
    if shutil.which("gcc") is None:
        raise unittest.SkipTest("gcc is not installed")
    root = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
    for name in ("include/tensorflow/c/c_api.h", *_LIBRARIES):
        if not (root / name).exists():
            raise unittest.SkipTest(f"TensorFlow came without {name}")
    global _program
    _program = str(pathlib.Path(tempfile.mkdtemp(), "run_saved_model"))
    subprocess.run(
        [
            *("gcc", "-std=c99", "-Wall", "-O1", str(_SOURCE)),
            f"-I{root / 'include'}",
            *(str(root / name) for name in _LIBRARIES),
            *(f"-Wl,-rpath,{root}", "-o", _program),
            # TensorFlow has many symbols; the other linker takes 7 seconds.
            *(["-fuse-ld=gold"] if shutil.which("ld.gold") else []),
        ],
        check=True,
    )


def packed(array):
    """The content of a file that the program reads."""
    if array.dtype != object:
        return array.tobytes()
    return b"".join(struct.pack("=Q", len(s)) + s for s in array.ravel())


def unpacked(content, dtype, shape):
    if dtype in _DTYPES:
        return np.frombuffer(content, _DTYPES[dtype]).reshape(shape)
    strings = []
    while content:
        (size,) = struct.unpack_from("=Q", content)
        strings.append(content[8 : 8 + size])
        content = content[8 + size :]
    assert len(strings) == math.prod(shape)
    return np.array(strings, object).reshape(shape)


def _kernels():
    """What makes the program choose kernels as this process does."""
    name = "TF_ENABLE_ONEDNN_OPTS"
    return {name: os.environ[name]} if name in os.environ else {}


def run(version, signature, arguments):
    """Runs a signature by the program; tensors are named by the message."""
    folder = pathlib.Path(tempfile.mkdtemp())
    signature = builders.signature_defs(version)[signature]
    command = [_program, str(version)]
    for name, array in arguments.items():
        info = signature.inputs[name]
        file = folder / f"in_{name}"
        file.write_bytes(packed(array))
        dtype = {tf.string: "string", tf.int64: "int64", tf.float32: "float"}
        shape = "x".join(map(str, array.shape)) or "scalar"
        command += ["in", info.name, dtype[tf.as_dtype(info.dtype)]]
        command += [shape, str(file)]
    names = sorted(signature.outputs)
    for name in names:
        command += ["out", signature.outputs[name].name, str(folder / name)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"TF_CPP_MIN_LOG_LEVEL": "3"} | _kernels(),
    )
    answers = {}
    for name, line in zip(names, done.stdout.splitlines(), strict=False):
        _, dtype, shape = line.split(" ")
        shape = [int(size) for size in shape.split("x")]
        answers[name] = unpacked((folder / name).read_bytes(), dtype, shape)
    return done, answers


@pytest.mark.slow
class CApiTest(tf.test.TestCase):
    def assert_same_answers(self, version, run_folder, signature):
        _, splits = FinishedRun(run_folder).loaded
        test = splits.test
        examples = ServedExamples(test.images, test.labels, 16)
        arguments = examples.arguments(signature, 16)
        loaded = tf.saved_model.load(str(version))
        expected = loaded.signatures[signature](
            **{name: tf.constant(array) for name, array in arguments.items()}
        )
        done, answers = run(version, signature, arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(answers), set(expected))
        for name, value in expected.items():
            self.assertAllEqual(answers[name], value)

    def test_serving_default_answers_to_the_last_bit_as_in_python(self):
        version = builders.exported_digits() / "1"
        self.assert_same_answers(
            version, builders.digits_run(), "serving_default"
        )

    def test_serving_bytes_does(self):
        version = builders.exported_photos() / "1"
        self.assert_same_answers(
            version, builders.folder_run(), "serving_bytes"
        )

    def test_classify_does(self):
        version = builders.exported_photos() / "1"
        self.assert_same_answers(version, builders.folder_run(), "classify")

    def test_label_scores_does(self):
        version = builders.exported_digits() / "1"
        self.assert_same_answers(version, builders.digits_run(), "label_scores")

    def test_inputs_of_another_rank_are_refused(self):
        version = builders.exported_digits() / "1"
        images = np.zeros((2, 8, 8), np.float32)
        done, _ = run(version, "serving_default", {"images": images})
        self.assertEqual(done.returncode, 1)
        self.assertIn("not compatible with expected shape", done.stderr)

    def test_the_program_knows_no_python(self):
        if shutil.which("ldd") is None:
            self.skipTest("ldd is not installed")
        libraries = subprocess.run(
            ["ldd", _program], capture_output=True, text=True, check=True
        ).stdout
        self.assertIn("libtensorflow_cc", libraries)
        self.assertNotIn("libpython", libraries)


if __name__ == "__main__":
    absltest.main()
