"""Wrong labels of a finished run: its files, its figures, its refusals."""

import base64
import json
import pathlib
import re
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf import label_issues
from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import LabelIssueSearch
from limit_tf.experiments.label_issue_search import detection_figures
from limit_tf.label_issues import table
from tests import testing


class LabelIssueSearchTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.workdir = str(cls.folder / "run")
        config = testing.tiny_config(
            cls.folder,
            data={"num_train_examples": None},
            net={"mlp": {"hidden_units": 64, "num_hidden_layers": 2}},
            noise={"kind": "pair", "rate": 0.3, "class_map": {1: 7, 3: 8}},
            training={"epochs": 12, "batch_size": 64},
        )
        Experiment(config, cls.workdir).run()
        cls.output = cls.folder / "issues"
        cls.summary = LabelIssueSearch(cls.workdir, str(cls.output)).run()
        cls.noise = json.loads((cls.output / "noise.json").read_text())
        cls.rows = table.read(cls.output / "issues.csv")
        cls.splits = FinishedRun(cls.workdir).loaded[1]

    def test_the_table_has_every_label_of_the_training_images(self):
        train, validation = self.splits.train, self.splits.validation
        given = {
            str(i): str(label)
            for part in (train, validation)
            for i, label in zip(part.example_ids, part.labels, strict=True)
        }
        clean = {
            str(i): str(label)
            for part in (train, validation)
            for i, label in zip(
                part.example_ids, part.clean_labels, strict=True
            )
        }
        ids = self.rows["id"].tolist()
        self.assertLen(ids, 1300)
        self.assertEqual(
            dict(zip(ids, self.rows["given_label"].tolist(), strict=True)),
            given,
        )
        self.assertEqual(
            dict(zip(ids, self.rows["clean_label"].tolist(), strict=True)),
            clean,
        )
        self.assertEqual(
            {
                i
                for i, split in zip(ids, self.rows["split"], strict=True)
                if split == "validation"
            },
            {str(i) for i in validation.example_ids},
        )

    def test_scores_are_those_of_the_saved_model(self):
        run = FinishedRun(self.workdir)
        scores = label_issues.label_scores(run.model, self.splits.train)
        expected = dict(
            zip(scores.example_ids.astype(str), scores.l1_distance, strict=True)
        )
        found = dict(
            zip(self.rows["id"], self.rows["l1_distance"], strict=True)
        )
        for example_id, distance in expected.items():
            self.assertAlmostEqual(
                float(found[example_id]), float(distance), places=4
            )

    def test_the_noise_is_told_with_the_truth_beside_it(self):
        wrong = self.rows["given_label"] != self.rows["clean_label"]
        self.assertAlmostEqual(self.noise["true_noise_rate"], wrong.mean())
        low, high = self.noise["noise_rate_interval"]
        self.assertBetween(self.noise["noise_rate"], low, high)
        self.assertEqual(
            self.noise["intervals_hold"],
            "sampling error and differences between parts",
        )
        self.assertEqual(self.noise["class_names"], [str(i) for i in range(10)])
        self.assertLen(self.noise["transition_matrix"], 10)
        self.assertGreater(self.noise["transition_matrix"][1][7], 0.15)
        self.assertGreater(self.noise["roc_auc"], 0.9)
        self.assertGreater(self.noise["average_precision"], 0.5)
        self.assertEqual(set(self.noise["by_split"]), {"train", "validation"})

    def test_the_report_shows_every_label(self):
        page = (self.output / "report.html").read_text(encoding="utf-8")
        self.assertIn("Label issues: digits", page)
        self.assertIn("data:image/png;base64", page)
        self.assertNotIn("https://", page)

    def test_the_reports_images_are_as_bright_as_they_should_be(self):
        # Pixels of the digits go to 16.
        page = (self.output / "report.html").read_text(encoding="utf-8")
        sheets = re.findall(r"data:image/png;base64,([\w+/=]+)", page)
        sheet = tf.io.decode_png(base64.b64decode(sheets[0])).numpy()
        self.assertEqual(sheet.max(), 255)

    def test_the_summary_names_the_files_and_the_figures(self):
        self.assertIn("1,300 labels", self.summary)
        self.assertIn(
            "estimated from 1,300 labels (train and validation)", self.summary
        )
        low, high = self.noise["noise_rate_interval"]
        self.assertIn(
            f"95% interval {low:.1%} to {high:.1%} (sampling error and",
            self.summary,
        )
        self.assertIn(f"ROC AUC {self.noise['roc_auc']:.4f}", self.summary)
        self.assertIn(str(self.output / "report.html"), self.summary)

    def test_one_split_in_parquet_by_a_fraction(self):
        output = self.folder / "test_split"
        LabelIssueSearch(
            self.workdir,
            str(output),
            split="test",
            file_format="parquet",
            fraction=0.1,
        ).run()
        rows = table.read(output / "issues.parquet")
        self.assertLen(rows["id"], 497)
        self.assertEqual(rows["is_issue"].sum(), 50)
        # Test labels are right: there is nothing to rank.
        noise = json.loads((output / "noise.json").read_text())
        self.assertIsNone(noise["roc_auc"])
        self.assertEqual(noise["precision"], 0.0)

    def test_noise_is_estimated_from_all_labels_of_one_origin(self):
        for split, origin in (
            ("train", ["train", "validation"]),
            ("test", ["test"]),
        ):
            output = self.folder / f"only_{split}"
            LabelIssueSearch(self.workdir, str(output), split=split).run()
            noise = json.loads((output / "noise.json").read_text())
            self.assertEqual(noise["estimated_from"], origin)
            self.assertEqual(
                noise["noise_rate"] == self.noise["noise_rate"],
                split == "train",
            )

    def test_nothing_is_overwritten(self):
        with self.assertRaisesRegex(ValueError, "`output`.*issues.csv, which"):
            LabelIssueSearch(self.workdir, str(self.output))
        with self.assertRaisesRegex(ValueError, "`output`.*noise.json, which"):
            LabelIssueSearch(
                self.workdir, str(self.output), file_format="parquet"
            )

    @parameterized.parameters(
        ({"split": "valid"}, "`split` must be one of train, validation, test"),
        ({"split": "train+train"}, "`split` must be one of"),
        ({"file_format": "json"}, "`file_format` must be one of csv, parquet"),
        ({"fraction": 2.0}, "`fraction` must lie in"),
        ({"num_report_rows": 0}, "`num_report_rows` must be at least 1"),
        ({"num_report_images": -1}, "`num_report_images` must be at least 0"),
    )
    def test_wrong_arguments_are_named_before_any_work(self, wrong, message):
        with self.assertRaisesRegex(ValueError, message):
            LabelIssueSearch(self.workdir, str(self.folder / "new"), **wrong)
        self.assertFalse((self.folder / "new").exists())

    def test_a_run_must_be_finished(self):
        unfinished = self.folder / "unfinished"
        unfinished.mkdir(exist_ok=True)
        with self.assertRaisesRegex(ValueError, "holds no results.json"):
            FinishedRun(str(unfinished))
        (unfinished / "results.json").write_text("{")
        with self.assertRaisesRegex(ValueError, "results.json cannot be read"):
            FinishedRun(str(unfinished))

    def test_a_comparison_names_its_runs(self):
        comparison = self.folder / "comparison"
        (comparison / "limit").mkdir(parents=True)
        (comparison / "results.json").write_text("[]")
        (comparison / "limit" / "results.json").write_text("{}")
        with self.assertRaisesRegex(ValueError, "runs are .*comparison/limit"):
            FinishedRun(str(comparison))


class DetectionFiguresTest(absltest.TestCase):
    def test_figures_by_hand(self):
        # Wrong, wrong, right, wrong, right from the top; three are issues.
        issues = label_issues.LabelIssues(
            class_names=("a", "b"),
            positions=np.arange(5),
            example_ids=np.arange(5),
            given_labels=np.array([0, 1, 0, 1, 1]),
            suggested_labels=np.array([1, 0, 1, 1, 1]),
            scores=np.array([0.9, 0.8, 0.7, 0.3, 0.1]),
            is_issue=np.array([True, True, True, False, False]),
            rule="",
            clean_labels=np.array([1, 0, 0, 0, 1]),
        )
        figures = detection_figures(issues)
        self.assertAlmostEqual(figures["true_noise_rate"], 0.6)
        # Of the 3 x 2 pairs of a wrong and a right label, one is misplaced.
        self.assertAlmostEqual(figures["roc_auc"], 5 / 6)
        # Precision at each wrong one: 1, 1 and 3/4.
        self.assertAlmostEqual(figures["average_precision"], 2.75 / 3)
        self.assertAlmostEqual(figures["precision"], 2 / 3)
        self.assertAlmostEqual(figures["recall"], 2 / 3)
        self.assertAlmostEqual(figures["precision_at_true_number"], 2 / 3)


class LoadImagesTest(absltest.TestCase):
    def test_images_come_in_the_order_asked_for(self):
        images = data.load("digits").train.images
        positions = np.array([5, 0, 7])
        np.testing.assert_array_equal(
            data.load_images(images, positions), images[positions]
        )


if __name__ == "__main__":
    absltest.main()
