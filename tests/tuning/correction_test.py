"""Figures of trials that an estimated transition matrix gives."""

import csv
import pathlib

import numpy as np
from absl.testing import absltest

from limit_tf import noise
from limit_tf.experiments.experiment import PREDICTIONS_FILE
from limit_tf.tuning import correction
from limit_tf.tuning import report
from limit_tf.tuning import selection
from limit_tf.tuning import trials
from tests.tuning import builders

K = 4


class ForwardCrossEntropyTest(absltest.TestCase):
    def test_by_hand(self):
        matrix = np.array([[0.75, 0.25], [0.4, 0.6]])
        # Probabilities 1/2 and 1/2, then 1 and 0.
        logits = np.array([[3.0, 3.0], [100.0, -100.0]], np.float32)
        value = correction.forward_cross_entropy(
            logits, np.array([0, 1]), matrix
        )
        self.assertAlmostEqual(value, -(np.log(0.575) + np.log(0.25)) / 2)


class CorrectTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.matrix = noise.symmetric_transition_matrix(K, 0.2)
        rng = np.random.default_rng(0)
        self.truth = rng.integers(K, size=4000)
        edges = self.matrix[self.truth].cumsum(axis=1)
        self.labels = (rng.uniform(size=(4000, 1)) > edges).sum(axis=1)
        self.doubt = 1e-2 * rng.normal(size=(4000, K))

    def write(self, name, probs, labels):
        folder = self.folder / trials.FOLDER / name
        folder.mkdir(parents=True)
        logits = np.log(probs) + self.doubt
        np.savez(
            folder / PREDICTIONS_FILE,
            logits=logits.astype(np.float32),
            labels=labels,
        )
        return builders.trial(name, range(80))

    def test_an_accuracy_on_true_labels_is_estimated(self):
        # A tenth of the predictions is of the next class.
        classes = np.where(
            np.arange(4000) < 3600, self.truth, (self.truth + 1) % K
        )
        # The other trial is nearer to the labels: it tells the matrix.
        self.write("good", self.matrix[self.truth], self.labels)
        self.write("bad", self.matrix[classes], self.labels)
        both = [builders.trial(name, range(80)) for name in ("good", "bad")]
        found = correction.correct(self.folder, both)
        self.assertAlmostEqual(found["bad"].accuracy, 0.9, delta=0.05)
        self.assertLess(found["bad"].standard_error, 0.05)
        self.assertEqual(found["bad"].reason, "estimated from trial good")

    def test_what_is_no_accuracy_is_left_out_with_the_reason(self):
        # By the outputs a fifth of the labels is wrong; one in 40 is, as the
        # predictions are always right. So 0.975 of them agree: 1.23 are right.
        rng = np.random.default_rng(1)
        is_wrong = rng.uniform(size=4000) < 0.025
        labels = np.where(is_wrong, (self.truth + 1) % K, self.truth)
        trial = self.write("0", self.matrix[self.truth], labels)
        estimate = correction.accuracy.TransitionEstimate(self.matrix, "given")
        value, error = correction.accuracy.unchecked_accuracy(
            self.truth, labels, estimate
        )
        self.assertGreater(value - 2 * error, 1.0)
        figure = correction.Corrected(
            **vars(correction.accuracy.judged(value, error, "given")),
            cross_entropy=None,
        )
        path = self.folder / "trials.csv"
        choice = selection.Selection(trial, trial, "alone")
        report.write_csv(path, [trial], choice, {"0": figure})
        with open(path, newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        self.assertEqual(row["corrected_accuracy"], "")
        self.assertEqual(row["corrected_standard_error"], "")
        self.assertIn("%, is no accuracy", row["correction"])


if __name__ == "__main__":
    absltest.main()
