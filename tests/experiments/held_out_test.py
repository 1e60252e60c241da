"""A test part whose labels nobody vouches for, from the folder to the files."""

import csv
import json
import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import LabelIssueSearch
from limit_tf.experiments import build
from limit_tf.experiments import held_out
from limit_tf.experiments import results
from limit_tf.label_issues import relabel
from limit_tf.label_issues import table
from limit_tf.serving import model_card
from tests import testing

NUM_IMAGES = 400
NUM_TEST = 80
CLASSES = ("-dark", "bright")


def write_folder(root):
    """Images of two classes, every tenth in the other's folder.

    Returns the true class by identifier.
    """
    rng = np.random.default_rng(1)
    truth = {}
    for i in range(NUM_IMAGES):
        label = i % 2
        given = 1 - label if rng.random() < 0.1 else label
        level = rng.normal((60, 190)[label], 15, (4, 4, 1))
        file = root / CLASSES[given] / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image = np.clip(level, 0, 255).astype(np.uint8)
        file.write_bytes(tf.io.encode_png(image).numpy())
        truth[f"{CLASSES[given]}/{file.name}"] = CLASSES[label]
    return truth


class HeldOutTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.truth = write_folder(cls.folder / "photos")
        cls.workdir = cls.folder / "run"
        cls.config = cls.new_config()
        cls.outcome = Experiment(cls.config, str(cls.workdir)).run()

    @classmethod
    def new_config(cls, **options):
        return testing.tiny_config(
            cls.folder,
            method="cross_entropy",
            data={
                "name": "folder",
                "data_dir": str(cls.folder / "photos"),
                "image_size": 4,
                "num_train_examples": None,
                "options": {"num_channels": 1, **options},
            },
            noise={"kind": "none", "rate": 0.0},
            training={"epochs": 3},
        )

    def load(self, labels=None, **options):
        config = self.new_config(**options)
        if labels is not None:
            file = self.folder / f"{self.id()}.csv"
            with open(file, "w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerows([("id", "label"), *labels.items()])
            config.data.labels_file = str(file)
        return build.load_data(config)

    def test_its_accuracy_is_no_test_accuracy(self):
        predicted = FinishedRun(str(self.workdir))
        splits = predicted.loaded[1]
        self.assertLen(splits.test, NUM_TEST)
        logits = predicted.model.classifier.predict(
            np.stack(list(map(_pixels, splits.test.images.paths))), verbose=0
        )
        expected = np.mean(logits.argmax(-1) == splits.test.labels)
        outcome = self.outcome
        self.assertAlmostEqual(outcome["held_out_accuracy"], expected)
        for name, other in held_out.KEYS.items():
            self.assertIsNone(outcome[name])
            self.assertIsNotNone(outcome[other])
        self.assertEqual(
            list(outcome["held_out_accuracy_by_class"]), list(CLASSES)
        )
        rows = results.read_history(self.workdir)
        self.assertIn("held_out_accuracy", rows[-1])
        self.assertNotIn("test_accuracy", rows[-1])

    def test_the_table_says_what_it_is(self):
        known = {"accuracy": 0.833, "standard_error": 0.021, "reason": "it"}
        text = results.table([{**self.outcome, held_out.ESTIMATE: known}])
        self.assertIn("held-out labels (unchecked)", text)
        self.assertIn("true labels (estimated)", text)
        self.assertIn("83.3% ± 2.1%", text)
        self.assertIn("test_labels_are_checked=true", text)
        self.assertNotIn("  test accuracy", text)
        unknown = {"accuracy": None, "standard_error": None, "reason": "few"}
        text = results.table([{**self.outcome, held_out.ESTIMATE: unknown}])
        self.assertNotIn("±", text)
        self.assertIn("can be estimated from them: few.", text)
        self.assertIn(held_out.ESTIMATE, self.outcome)
        checked = {**self.outcome, "held_out_accuracy": None}
        self.assertNotIn("unchecked", results.table([checked]))

    def test_the_card_says_what_it_is(self):
        run = FinishedRun(str(self.workdir))
        card = model_card.model_card(
            run,
            run.model.classifier,
            class_names=CLASSES,
            signatures={},
            training_command=None,
        )
        accuracies = card["accuracies"]
        self.assertIsNone(accuracies["test_accuracy"])
        self.assertEqual(
            accuracies["held_out_accuracy"], self.outcome["held_out_accuracy"]
        )
        self.assertIn("nobody has checked them", " ".join(card["not_known"]))

    def test_results_of_before_are_named_for_what_they_are(self):
        source, _ = self.load()
        figures = held_out.named({"test_accuracy": 0.7, "method": "x"}, source)
        self.assertEqual(
            figures,
            {"test_accuracy": None, "held_out_accuracy": 0.7, "method": "x"},
        )

    def test_a_user_who_vouches_gets_a_test_accuracy(self):
        source, splits = self.load(test_labels_are_checked=True)
        self.assertEqual(held_out.key(source), "test_accuracy")
        self.assertLen(splits.test, NUM_TEST)

    def test_a_labels_file_changes_the_labels_of_the_test_too(self):
        source, splits = self.load(self.truth)
        names = np.array(source.class_names)
        for part in (splits.train, splits.validation, splits.test):
            self.assertEqual(
                names[part.labels].tolist(),
                [self.truth[i] for i in part.example_ids],
            )

    @pytest.mark.slow
    def test_every_label_is_looked_at_and_can_be_corrected(self):
        output = self.folder / "issues"
        summary = LabelIssueSearch(str(self.workdir), str(output)).run()
        self.assertIn(f"{NUM_IMAGES:,} labels", summary)
        self.assertIn("Left out: no label", summary)
        found = json.loads((output / "noise.json").read_text())
        self.assertEqual(
            found["estimated_from"], ["train", "validation", "test"]
        )
        self.assertEqual((found["num_labels"], found["left_out"]), (400, {}))
        # No cell is a formula, and every identifier comes back.
        text = (output / "issues.csv").read_text()
        self.assertIn("\n'-dark/", text)
        self.assertNotIn("\n-", text)
        issues = table.read(output / "issues.csv")
        self.assertEqual(set(issues["id"]), set(self.truth))
        corrected = relabel.relabelled(issues)
        relabel.write(output / "labels.csv", corrected)
        self.assertNotIn("\n-", (output / "labels.csv").read_text())
        config = self.new_config()
        config.data.labels_file = str(output / "labels.csv")
        source, splits = build.load_data(config)
        names = np.array(source.class_names)
        expected = dict(zip(corrected.ids, corrected.labels, strict=True))
        self.assertEqual(
            names[splits.test.labels].tolist(),
            [expected[i] for i in splits.test.example_ids],
        )

    @pytest.mark.slow
    def test_labels_that_are_not_looked_at_are_counted(self):
        output = self.folder / "some"
        summary = LabelIssueSearch(
            str(self.workdir), str(output), split="train"
        ).run()
        self.assertIn(
            "Left out: 64 of the validation part (see --split)", summary
        )
        self.assertIn("80 of the test part (see --split)", summary)


def _pixels(path):
    return tf.io.decode_png(tf.io.read_file(path)).numpy()


class TrueAccuracyTest(absltest.TestCase):
    def test_it_is_estimated_with_its_error(self):
        # Nine images of ten are told, 30 % of the labels are wrong: of the
        # labels 0.9 * 0.7 + 0.1 * 0.15 are met, 64.5 %.
        rng = np.random.default_rng(0)
        truth = rng.integers(3, size=6000)
        told = np.where(rng.random(6000) < 0.9, truth, (truth + 1) % 3)
        wrong = (truth + rng.integers(1, 3, size=6000)) % 3
        labels = np.where(rng.random(6000) < 0.3, wrong, truth)
        # Sure of half of them, and so of labels that are 70 % right.
        level = rng.uniform(0.5, 1.5, 6000)
        level[told != truth] = 0.5
        logits = np.eye(3)[told] * level[:, None]
        found = held_out.true_accuracy(logits, labels)
        self.assertAlmostEqual(np.mean(told == labels), 0.645, delta=0.02)
        self.assertAlmostEqual(found["accuracy"], 0.9, delta=0.1)
        self.assertBetween(found["standard_error"], 0.0, 0.05)


class StratifyTest(absltest.TestCase):
    def test_published_data_keeps_its_permutation(self):
        config = testing.tiny_config(tempfile.mkdtemp())
        config.data.num_train_examples = None
        source, splits = build.load_data(config)
        order = np.random.default_rng(0).permutation(1300)
        np.testing.assert_array_equal(
            splits.train.example_ids, source.train.example_ids[order[:1040]]
        )
        self.assertTrue(source.test_labels_are_checked)
        config.data.stratify = True
        validation = build.load_data(config)[1].validation
        counts = np.bincount(validation.clean_labels)
        np.testing.assert_array_equal(
            counts, np.rint(np.bincount(source.train.labels) * 0.2)
        )


if __name__ == "__main__":
    absltest.main()
