"""A run goes on with the data that it was begun with, and no other."""

import dataclasses
import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import build
from limit_tf.experiments import fingerprint
from limit_tf.experiments.workdir import differences
from tests import testing


def splits(n=20, **changes):
    ids = np.arange(n)
    x = np.zeros((n, 3), np.float32)
    source = data.from_arrays((x, ids % 2), (x[:4], ids[:4] % 2))
    parts = data.noisy_splits(source, np.eye(2), split_seed=0, noise_seed=0)
    return dataclasses.replace(parts, **changes)


def without_first(part):
    return dataclasses.replace(
        part,
        images=part.images[1:],
        labels=part.labels[1:],
        example_ids=part.example_ids[1:],
    )


def relabelled(part):
    return dataclasses.replace(
        part, labels=np.concatenate([1 - part.labels[:2], part.labels[2:]])
    )


class FingerprintTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.before = splits()

    def assert_refused(self, now, words):
        fingerprint.write(self.folder, self.before)
        with self.assertRaisesRegex(ValueError, f"^`workdir`.*{words}$"):
            fingerprint.check(self.folder, now)

    def test_the_same_data_passes(self):
        fingerprint.check(self.folder, self.before)  # A run of before has none.
        fingerprint.write(self.folder, self.before)
        fingerprint.check(self.folder, splits())

    def test_what_vanished_and_appeared_is_counted(self):
        train = self.before.train
        fewer = dataclasses.replace(self.before, train=without_first(train))
        self.assert_refused(fewer, "begin 1 examples vanished")
        fingerprint.remove(self.folder)
        more, self.before = self.before, fewer
        self.assert_refused(more, "begin 1 examples appeared")

    def test_other_labels_and_weights_are_counted(self):
        now = dataclasses.replace(
            self.before, train=relabelled(self.before.train)
        )
        self.assert_refused(now, "2 examples changed their label or weight")
        weights = np.ones(len(self.before.train), np.float32)
        weights[3] = 0.5
        part = dataclasses.replace(self.before.train, sample_weight=weights)
        now = dataclasses.replace(self.before, train=part)
        self.assert_refused(now, "1 examples changed their label or weight")

    def test_another_order_is_refused(self):
        train = self.before.train
        order = np.arange(len(train))[::-1]
        part = dataclasses.replace(
            train,
            images=train.images[order],
            labels=train.labels[order],
            example_ids=train.example_ids[order],
        )
        now = dataclasses.replace(self.before, train=part)
        self.assert_refused(now, "the order of the examples changed")


class RunTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp()
        self.workdir = pathlib.Path(self.folder, "run")
        self.config = testing.tiny_config(
            self.folder, method="cross_entropy", training={"epochs": 2}
        )

    def begin(self):
        with testing.killed_after_epoch(1):
            Experiment(self.config, str(self.workdir)).run()

    def test_a_run_whose_data_changed_is_refused(self):
        source, parts = build.load_data(self.config)
        self.begin()
        changed = dataclasses.replace(parts, train=without_first(parts.train))
        with self.assertRaisesRegex(ValueError, "1 examples vanished"):
            Experiment(self.config, str(self.workdir), loaded=(source, changed))
        Experiment(self.config, str(self.workdir)).run()
        self.assertFalse((self.workdir / "examples.npz").exists())

    def test_a_run_of_before_keeps_its_split(self):
        self.begin()
        file = self.workdir / "config.json"
        values = json.loads(file.read_text())
        del values["data"]["stratify"]
        file.write_text(json.dumps(values))
        outcome = Experiment(self.config, str(self.workdir)).run()
        self.assertIs(outcome["config"]["data"]["stratify"], False)
        run = FinishedRun(str(self.workdir))
        self.assertIs(run.config.data.stratify, False)

    def test_values_that_are_missing_are_none(self):
        old, new = {"a": 1}, {"a": 1, "b": None, "c": {"d": None}}
        self.assertEqual(differences(old, new), "")
        new["c"]["d"] = 2
        self.assertEqual(
            differences(old, new), "config.c.d: None there, 2 here"
        )


if __name__ == "__main__":
    absltest.main()
