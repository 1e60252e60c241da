"""The benchmark of streams as its user runs it, and its refusals."""

import json
import pathlib
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest
from absl.testing import parameterized

from tests import forked_commands

ROOT = pathlib.Path(__file__).parents[2]


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "limit_tf.cli.benchmark_stream", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class CommandTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_figures_fit_together(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        arguments = (
            f"--records={folder}/records",
            f"--output={folder}/stream",
            "--gigabytes=0.004",
            "--repeats=1",
        )
        done = run(*arguments)
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        figures = json.loads((folder / "stream" / "stream.json").read_text())
        files = list((folder / "records").glob("raw/train-*.tfrecord"))
        size = sum(file.stat().st_size for file in files)
        self.assertEqual(figures["num_bytes"], size)
        # 32 x 32 pixels in three colours, and what frames and names them.
        self.assertBetween(size / figures["num_examples"], 3072, 3200)
        self.assertBetween(size, 4e6, 4.3e6)
        self.assertGreater(figures["memory_bytes"], 2**28)
        self.assertAlmostEqual(
            figures["pass_examples_per_second"],
            figures["num_examples"] / figures["pass_seconds"],
            delta=1.0,
        )
        for held in figures["host_bytes_at_each_tenth"]:
            self.assertBetween(held, 2**26, figures["peak_host_bytes"])
        rates = figures["examples_per_second"]
        self.assertAlmostEqual(
            figures["stream_over_memory"]["median"],
            rates["stream"] / rates["memory"],
            places=6,
        )
        self.assertIn("times the memory", done.stdout)

        again = run(*arguments)
        self.assertEqual(again.returncode, 2)
        self.assertRegex(
            again.stderr.splitlines()[-1],
            "error: `--output`.*overwritten",
        )

    def test_data_that_the_disk_does_not_hold_is_refused(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (done,) = forked_commands.run_each(
            "limit_tf.cli.benchmark_stream",
            [
                f"--records={folder}/records",
                f"--output={folder}/stream",
                "--gigabytes=1e9",
            ],
            imported=forked_commands.LIGHT,
        )
        self.assertEqual(done.returncode, 2)
        self.assertRegex(
            done.stderr.splitlines()[-1], "error: `--gigabytes` must fit"
        )
        self.assertEmpty(list(folder.iterdir()))


if __name__ == "__main__":
    absltest.main()
