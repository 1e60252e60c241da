"""The benchmark of label issues: its rows, its resume, its tables."""

import importlib.util
import pathlib
import tempfile

import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.benchmark.detection import Detection
from limit_tf.benchmark.detection import NoiseLevel
from limit_tf.benchmark.detection import Row
from limit_tf.benchmark.detection_study import DetectionStudy
from limit_tf.benchmark.detection_study import markdown
from tests import testing

NOISE = NoiseLevel("symmetric", 0.5)


class Counted:
    """Gives rows without training; counts how often it is asked."""

    name = "digits"

    def __init__(self):
        self.asked = []

    def rows(self, noise, seed):
        self.asked.append((noise, seed))
        yield Row(
            "digits",
            noise.kind,
            noise.rate,
            seed,
            "limit",
            roc_auc=0.9 + seed / 100,
            test_accuracy=0.5,
        )


class DetectionTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        if importlib.util.find_spec("cleanlab") is None:
            self.skipTest("cleanlab is not installed")

    @pytest.mark.slow
    def test_every_way_of_finding_labels_gives_a_row(self):
        config = testing.tiny_config(
            tempfile.mkdtemp(),
            data={"num_train_examples": 256},
            training={"epochs": 3},
        )
        detection = Detection(config, cleanlab_epochs=[1])
        rows = {row.subject: row for row in detection.rows(NOISE, seed=1)}
        self.assertEqual(
            list(rows),
            [
                "limit",
                "limit, L1 distance",
                "cleanlab on limit's probabilities",
                "CleanLearning, 1 epochs",
                "cross-entropy's loss",
                "cross-entropy, issues replaced",
                "cross-entropy, issues dropped",
            ],
        )
        for subject, row in rows.items():
            self.assertEqual((row.data, row.seed), ("digits", 1))
            self.assertBetween(row.test_accuracy, 0.0, 1.0, subject)
        # cleanlab's own ranking is the probability of the label.
        ours, theirs = list(rows.values())[1:3]
        self.assertAlmostEqual(ours.roc_auc, theirs.roc_auc, places=6)
        self.assertGreater(rows["limit"].seconds, 0)

    def test_epochs_must_be_positive(self):
        config = testing.tiny_config(tempfile.mkdtemp())
        with self.assertRaisesRegex(ValueError, "`cleanlab_epochs` must"):
            Detection(config, cleanlab_epochs=[0])


class StudyTest(parameterized.TestCase):
    def test_what_is_measured_is_not_measured_again(self):
        folder = tempfile.mkdtemp()
        first = Counted()
        DetectionStudy(first, folder, [NOISE], [0]).run("head")
        second = Counted()
        text = DetectionStudy(second, folder, [NOISE], [0, 1]).run("head")
        self.assertEqual(first.asked, [(NOISE, 0)])
        self.assertEqual(second.asked, [(NOISE, 1)])
        self.assertEqual(pathlib.Path(folder, "detection.md").read_text(), text)
        self.assertIn("0.9050 ± 0.0071", text)

    def test_a_folder_belongs_to_one_configuration(self):
        folder = tempfile.mkdtemp()
        DetectionStudy(Counted(), folder, [NOISE], [0]).run("head")
        other = Counted()
        other.name = "mnist"
        with self.assertRaisesRegex(ValueError, "`output` must.*'digits'"):
            DetectionStudy(other, folder, [NOISE], [0])

    def test_a_table_has_a_mean_over_the_seeds(self):
        rows = [
            Row("digits", "pair", 0.4, seed, "limit", recall=recall)
            for seed, recall in ((0, 0.8), (1, 0.9))
        ]
        table = markdown(rows)
        self.assertIn("**digits, pair 40%**, seeds 0, 1", table)
        self.assertIn("| limit | - | - | - | - | 85.0 ± 7.1 | - | - |", table)


if __name__ == "__main__":
    absltest.main()
