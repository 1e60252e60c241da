"""An exported model under TensorFlow's own `saved_model_cli`."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

from limit_tf.experiments import FinishedRun
from tests.serving import builders

_MODULE = "tensorflow.python.tools.saved_model_cli"


@pytest.mark.slow
class SavedModelCliTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.version = builders.exported_digits() / "1"
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        test = FinishedRun(builders.digits_run()).loaded[1].test
        cls.images = test.images[:8].astype(np.float32)
        np.savez(cls.folder / "in.npz", images=cls.images)
        started = [  # Side by side: most of their time is TensorFlow's start.
            subprocess.Popen(
                [sys.executable, "-m", _MODULE, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for arguments in (
                ["show", "--dir", str(cls.version), "--all"],
                [
                    *("run", "--dir", str(cls.version), "--tag_set", "serve"),
                    *("--signature_def", "serving_default"),
                    *("--inputs", f"images={cls.folder / 'in.npz'}[images]"),
                    *("--outdir", str(cls.folder)),
                ],
            )
        ]
        cls.shown, cls.ran = (
            (*process.communicate(), process.returncode) for process in started
        )
        if f"No module named {_MODULE}" in cls.shown[1]:
            raise unittest.SkipTest("TensorFlow came without saved_model_cli")

    def test_it_shows_all_signatures(self):
        output, errors, status = self.shown
        self.assertEqual(status, 0, errors)
        self.assertIn("'serve'", output)
        for name in (
            "serving_default",
            "serving_bytes",
            "classify",
            "label_scores",
        ):
            self.assertIn(f"signature_def['{name}']", output)
        self.assertIn("inputs['image_bytes'] tensor_info", output)
        self.assertIn("shape: (-1, 8, 8, 1)", output)

    def test_it_runs_a_signature(self):
        _, errors, status = self.ran
        self.assertEqual(status, 0, errors)
        expected = tf.saved_model.load(str(self.version)).signatures[
            "serving_default"
        ](images=tf.constant(self.images))
        for name in ("logits", "probabilities", "class_ids"):
            found = np.load(self.folder / f"{name}.npy")
            self.assertAllEqual(found, expected[name])


if __name__ == "__main__":
    absltest.main()
