import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest

from limit_tf.data import GivenLabels

ROOT = pathlib.Path(__file__).parents[2]


class RelabelTest(absltest.TestCase):
    def test_decisions_become_labels_that_training_takes(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "issues.csv").write_text(
            "id,given_label,suggested_label,score,is_issue\n"
            "a,cat,dog,0.9,true\nb,cat,dog,0.8,true\nc,dog,dog,0.1,false\n"
        )
        (folder / "decisions.csv").write_text("id,decision,label\nb,reject,")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "limit_tf.cli.relabel",
                f"--issues={folder}/issues.csv",
                f"--decisions={folder}/decisions.csv",
                f"--output={folder}/labels.csv",
                "--action=down_weight",
                "--undecided=accept",
                "--weight=0.25",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertEqual(
            (folder / "labels.csv").read_text(),
            "id,label,weight\na,cat,0.25\nb,cat,1\nc,dog,1\n",
        )
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "3 labels: 2 kept, 0 replaced, 0 dropped, 1 down-weighted.",
                "class  before  after  change",
                "cat         2   1.25   -0.75",
                "dog         1      1      +0",
                f"Labels: {folder}/labels.csv",
            ],
        )
        labels = GivenLabels.read(folder / "labels.csv", ("cat", "dog"))
        self.assertEqual(labels.labels.tolist(), [0, 0, 1])
        np.testing.assert_array_equal(labels.weights, [0.25, 1, 1])


if __name__ == "__main__":
    absltest.main()
