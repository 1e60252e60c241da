"""The command that finds label issues, and training on what it suggests."""

import pathlib
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest

from limit_tf.experiments import Experiment
from limit_tf.label_issues import relabel
from limit_tf.label_issues import table
from tests import forked_commands
from tests import testing

ROOT = pathlib.Path(__file__).parents[2]


def find(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "limit_tf.cli.find_label_issues", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class FindLabelIssuesTest(absltest.TestCase):
    @pytest.mark.slow
    def test_labels_that_it_suggests_can_be_trained_on(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        settings = {
            "data": {"num_train_examples": None},
            "net": {"mlp": {"hidden_units": 64, "num_hidden_layers": 2}},
            "training": {"epochs": 15, "batch_size": 64},
        }
        config = testing.tiny_config(folder, **settings)
        noisy = Experiment(config, str(folder / "run")).run()

        done = find(f"--workdir={folder}/run", f"--output={folder}/issues")
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertIn("1,300 labels", done.stdout)
        self.assertIn("ROC AUC", done.stdout)

        issues = table.read(folder / "issues" / "issues.csv")
        labels = folder / "labels.csv"
        relabel.write(labels, relabel.relabelled(issues))
        config = testing.tiny_config(
            folder,
            method="cross_entropy",
            noise={"kind": "none", "rate": 0.0},
            **settings,
        )
        config.data.labels_file = str(labels)
        clean = Experiment(config, str(folder / "again")).run()
        # Half of the labels were wrong.
        self.assertLess(noisy["noise_ceiling"], 0.55)
        self.assertGreater(clean["noise_ceiling"], 0.8)
        self.assertGreater(clean["test_accuracy"], 0.8)

    def test_wrong_input_ends_in_one_line(self):
        folder = tempfile.mkdtemp()
        done = forked_commands.run_each(
            "limit_tf.cli.find_label_issues",
            [f"--workdir={folder}", f"--output={folder}/issues"],
            [f"--workdir={folder}"],
            imported=forked_commands.LIGHT,
        )
        for answer, message in zip(
            done,
            (
                "error: `--workdir` must be the folder of a finished run",
                "error: `--output` must be given",
            ),
            strict=True,
        ):
            self.assertNotEqual(answer.returncode, 0)
            self.assertNotIn("Traceback", answer.stderr)
            self.assertIn(message, answer.stderr)


if __name__ == "__main__":
    absltest.main()
