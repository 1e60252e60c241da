"""The benchmark as its user runs it, with a peer, and its refusals."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.benchmark import CASES
from limit_tf.benchmark import cases
from limit_tf.benchmark import subjects
from tests import forked_commands

ROOT = pathlib.Path(__file__).parents[2]
DETECTION = ("--label_issues", "--config=configs/digits.py")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "limit_tf.cli.benchmark", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def slow_peer(images, labels, batch_size, num_classes):
    """Another implementation: it checks what it gets and does nothing."""
    import time

    case = CASES["digits_cnn"]
    assert images.shape == (case.num_steps * batch_size, *case.input_shape)
    assert images.dtype == "uint8" and labels.dtype == "int64"
    assert len(labels) == len(images) and num_classes == 10
    return lambda: time.sleep(1.0)


class CommandTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_quick_run_writes_figures_that_fit_together(self):
        folder = pathlib.Path(tempfile.mkdtemp(), "new", "folder")
        done = run(
            f"--output={folder}",
            "--quick",
            "--cases=digits_cnn",
            "--repeats=1",
            "--peer=tests.benchmark.benchmark_test:slow_peer",
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        outcome = json.loads((folder / "benchmark.json").read_text())
        self.assertGreater(
            outcome["machine"]["matmul_flops_per_second"]["float32"], 1e8
        )
        (part,) = outcome["parts"]
        for name, step in part["step_milliseconds"].items():
            self.assertBetween(step["median"], step["min"], step["max"])
            self.assertAlmostEqual(
                part["examples_per_second"][name]["max"],
                128 / step["min"] * 1e3,
                places=3,
            )
        self.assertGreater(part["step_milliseconds"]["peer"]["min"], 1e3 / 18)
        milliseconds = part["step_milliseconds"]
        for ratio, wholes, parts in (
            (part["times_as_fast_as_peer"], "peer", ["limit"]),
            (
                part["overhead"]["limit"],
                "limit",
                ["classifier", "gradient_predictor"],
            ),
        ):
            whole = milliseconds[wholes]
            least = whole["min"] / sum(milliseconds[i]["max"] for i in parts)
            most = whole["max"] / sum(milliseconds[i]["min"] for i in parts)
            self.assertBetween(ratio["median"], least * 0.99, most * 1.01)
        # 8 x 8 images: convolutions with 9 and 9 * 32 weights an output of 32
        # and 64, dense layers, forward once and backward twice, two networks.
        forward = 2 * (64 * 9 * (32 + 32 * 64) + 64 * 64 * 128 + 128 * 10)
        self.assertBetween(
            part["flops_per_example"], 2 * 2 * forward, 2 * 4 * forward
        )
        self.assertIn("| digits_cnn, batch 128 | graph, float32 |", done.stdout)
        self.assertEqual(
            (folder / "benchmark.md").read_text().strip(), done.stdout.strip()
        )

        again = run(f"--output={folder}")
        self.assertEqual(again.returncode, 2)
        self.assertRegex(
            again.stderr.splitlines()[-1],
            "error: `--output`.*overwritten",
        )

    @pytest.mark.slow
    def test_bad_arguments_end_in_one_line(self):
        cases = (
            (["--cases=resnet9"], "`--cases`.*mnist_cnn.*Received: resnet9"),
            (["--peer=no.module:f"], "`--peer`.*finds.*'no.module:f'"),
            (["--peer=torch"], "`--peer` must be MODULE:FUNCTION.*'torch'"),
            (
                ["--label_issues"],
                "`--config` must be given with --label_issues",
            ),
            (
                [*DETECTION, "--noises=none:0.5"],
                "`--noises` must be KIND:RATE.*'none:0.5'",
            ),
            ([*DETECTION, "--seeds=one"], "`--seeds` must be integers.*'one'"),
            ([*DETECTION, "--cleanlab_epochs=0"], "`--cleanlab_epochs` must"),
        )
        results = forked_commands.run_each(
            "limit_tf.cli.benchmark",
            *(
                [f"--output={tempfile.mkdtemp()}", *arguments]
                for arguments, _ in cases
            ),
        )
        for (arguments, message), done in zip(cases, results, strict=True):
            with self.subTest(arguments[-1]):
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr.splitlines()[-1], message)


class TrainingTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_rounds_with_the_images_on_the_device(self):
        case = cases.Case("mlp", (4, 4, 1), 3, 32, 2, 2)
        timed = subjects.Training(
            "limit", case, cases.Mode(device_resident=True), case.num_steps
        )
        for what in ("round", "repeated_batch_round", "pipeline_round"):
            self.assertGreater(getattr(timed, what)(), 0.0)


class ModesTest(parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_modes_have_names_of_their_own(self, on_gpu):
        modes = cases.modes(on_gpu)
        self.assertLen({mode.name for mode in modes}, len(modes))

    @parameterized.parameters(True, False)
    def test_one_mode_is_the_default_with_its_data_elsewhere(self, on_gpu):
        default, *_, last = cases.modes(on_gpu)
        self.assertEqual(default.device_resident, on_gpu)
        self.assertEqual(
            last, dataclasses.replace(default, device_resident=not on_gpu)
        )


if __name__ == "__main__":
    absltest.main()
