"""What README.md and the docstrings show runs as it stands there."""

import contextlib
import inspect
import io
import os
import pathlib
import re
import tempfile
import textwrap

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text()


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


class ExampleTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_program_of_the_readme(self):
        programs = python_blocks(README)  # the others go on
        folder = tempfile.mkdtemp()
        before = os.getcwd()
        os.chdir(folder)
        try:
            names = {}
            with contextlib.redirect_stdout(io.StringIO()):
                for program in programs:
                    exec(compile(program, "README.md", "exec"), names)
        finally:
            os.chdir(before)
        test = names["test"]
        logs = names["model"].evaluate(
            test.images, test.labels, verbose=0, return_dict=True
        )
        # Half of the training labels are wrong.
        self.assertGreater(logs["accuracy"], 0.85)
        self.assertTrue(
            os.path.exists(f"{folder}/saved_models/mine/1/saved_model.pb")
        )
        is_wrong = names["train"].is_corrupted
        found = is_wrong[names["issues"].positions[names["issues"].is_issue]]
        self.assertGreater(found.mean(), 0.85)
        self.assertAlmostEqual(
            names["noise"].noise_rate, is_wrong.mean(), delta=0.1
        )
        self.assertTrue(os.path.exists(f"{folder}/report.html"))

    @pytest.mark.slow
    def test_pretrained_networks_text_and_tables(self):
        (program,) = [p for p in python_blocks(README) if "backbone" in p]
        train = limit_tf.data.load("digits").train
        names = {"keras": keras, "limit_tf": limit_tf, "train": train}
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(program, "README.md", "exec"), names)
        finally:
            os.chdir(before)
        predictor = names["noisy_images"].gradient_predictor
        for theirs, ours in zip(
            names["backbone"].weights, predictor.layers[1].weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        scaled = names["noisy_table"].gradient_predictor.layers[0]
        self.assertAlmostEqual(
            float(np.mean(scaled(names["table"]))), 0.0, delta=1e-3
        )
        self.assertEqual(
            names["noisy_texts"].predict(names["texts"], verbose=0).shape,
            (100, 2),
        )

    @parameterized.parameters(
        limit_tf.ClassifierModel,
        limit_tf.ElrModel,
        limit_tf.ElrPlusModel,
        limit_tf.LimitModel,
        limit_tf.NoisyGradientModel,
        limit_tf.SoftRegularizationModel,
        *limit_tf.losses.LOSSES.values(),
        limit_tf.losses.get,
        limit_tf.augmentation.RandomCropFlip,
        limit_tf.q_scale_from_lambda,
        limit_tf.distributions.Gaussian,
        limit_tf.distributions.Laplace,
        limit_tf.distributions.CrossEntropy,
    )
    def test_example_of_the_docstring(self, documented):
        (program,) = python_blocks(inspect.getdoc(documented))
        exec(compile(textwrap.dedent(program), "docstring", "exec"), {})

    def test_readme_has_the_two_commands(self):
        lines = [
            line
            for line in README.splitlines()
            if line.startswith("python3 -m venv .venv && ")
        ]
        self.assertLen(lines, 2)
        self.assertIn("limit_tf.cli.compare", lines[0])
        self.assertTrue(lines[1].endswith("-m pytest"))


if __name__ == "__main__":
    absltest.main()
