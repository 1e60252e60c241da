"""A search in this process: trials, files, refusals."""

import csv
import gc
import json
import os
import pathlib
import runpy
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import tuning
from limit_tf.experiments import Experiment
from limit_tf.tuning import config_tuner
from limit_tf.tuning import trials
from tests import testing


def search(folder, *, config=None, **kwargs):
    config = config or testing.tiny_config(
        folder, training={"epochs": 4, "xla": "off"}
    )
    kwargs = {"tuner": "random", "max_trials": 3, **kwargs}
    return tuning.Search(config, os.path.join(folder, "search"), **kwargs)


def training_graphs():
    """Graphs of training steps, which hold on to all variables they use."""
    gc.collect()
    return [
        graph
        for graph in gc.get_objects()
        if type(graph).__name__ == "FuncGraph" and "one_step" in graph.name
    ]


def times(folder):
    """When each file of the finished trials was written."""
    return {
        file: file.stat().st_mtime_ns
        for results in pathlib.Path(folder).glob("search/trials/*/results.json")
        for file in results.parent.rglob("*")
        if file.name != ".lock"
    }


class SearchTest(parameterized.TestCase):
    def test_random_search_then_more_trials(self):
        folder = tempfile.mkdtemp()
        graphs_before = training_graphs()
        selection = search(folder).run()
        path = pathlib.Path(folder, "search")
        before = times(folder)
        self.assertLen(list(path.glob("trials/*")), 3)
        self.assertFalse(pathlib.Path(folder, "saved_models").exists())
        self.assertLessEqual(len(training_graphs()), len(graphs_before))
        with open(path / "trials.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertLen(rows, 3)
        # The first one has the configuration's own values.
        self.assertEqual(rows[0]["limit.gradient_penalty"], "10.0")
        self.assertEqual(rows[0]["limit.q_dist"], "laplace")
        for row, outcome in zip(
            rows,
            sorted(path.glob("trials/*/results.json")),
            strict=True,
        ):
            outcome = json.loads(outcome.read_text())
            self.assertEqual(
                float(row["valid_accuracy"]), outcome["valid_accuracy"]
            )
        self.assertEqual((path / "tuning.png").read_bytes()[1:4], b"PNG")

        config = runpy.run_path(str(path / "best_config.py"))["get_config"]()
        for key, value in selection.chosen.values.items():
            self.assertEqual(trials.value_at(config, key), value)
        self.assertEqual(config.training.epochs, 4)

        again = search(folder, max_trials=4)
        choice = again.run()
        self.assertLen(again.finished_trials(), 4)
        for file, time in before.items():
            self.assertEqual(file.stat().st_mtime_ns, time, msg=file)
        summary = again.summary(choice)
        self.assertIn("260 noisy validation labels; 4 trials", summary)
        self.assertIn(f"Chosen: trial {choice.chosen.trial_id}", summary)

        outcome = again.train_best(choice)
        self.assertTrue(pathlib.Path(outcome["saved_model"]).exists())

    @parameterized.parameters("bayesian", "hyperband")
    def test_other_tuners(self, tuner):
        folder = tempfile.mkdtemp()
        one = search(folder, tuner=tuner, max_trials=2)
        one.run()
        finished = one.finished_trials()
        self.assertLen(finished, 2)
        self.assertEqual(
            {trial.epochs for trial in finished},
            {2} if tuner == "hyperband" else {4},
        )

    def test_grid_of_another_method(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(
            folder, method="gce", training={"epochs": 1}
        )
        one = search(folder, config=config, tuner="grid", max_trials=2)
        one.run()
        self.assertEqual(
            [trial.values["gce.q"] for trial in one.finished_trials()],
            [0.7, 0.1],
        )

    def test_failed_trials_end_the_search_and_are_tried_again(self):
        folder = tempfile.mkdtemp()
        with mock.patch.object(
            Experiment, "run", side_effect=OSError("disk is full")
        ):
            with self.assertRaisesRegex(RuntimeError, "trial 0.*disk is full"):
                search(folder, max_trials=1).run()
        one = search(folder, max_trials=1)
        one.run()
        self.assertLen(one.finished_trials(), 1)

    def test_budget_ends_a_trial_with_its_epoch(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(folder, training={"epochs": 100_000})
        with mock.patch.object(config_tuner, "_SECONDS_BETWEEN_REPORTS", 0.1):
            one = search(folder, config=config, budget_minutes=3 / 60)
            selection = one.run()
        self.assertEqual(selection.chosen.stopped_early, "out of budget")
        self.assertBetween(selection.chosen.num_epochs, 1, 99_999)
        before = times(folder)
        search(folder, config=config, budget_minutes=3 / 60).run()
        self.assertEqual(times(folder), before)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"tuner": "magic"}, "`tuner`.*'magic'"),
        ({"max_trials": 0}, "`max_trials`.*0"),
        ({"budget_minutes": 0.0}, "`budget_minutes`.*0"),
        ({"budget_minutes": -1.0}, "`budget_minutes`.*-1"),
        ({"seed": -1}, "`seed`.*-1"),
    )
    def test_arguments(self, arguments, message):
        folder = tempfile.mkdtemp()
        with self.assertRaisesRegex(ValueError, message):
            search(folder, **arguments)
        self.assertFalse(pathlib.Path(folder, "search").exists())

    def test_configuration_without_penalty(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(folder)
        del config.limit["gradient_penalty"]
        with self.assertRaisesRegex(ValueError, "gradient_penalty"):
            search(folder, config=config)
        self.assertFalse(pathlib.Path(folder, "search").exists())

    def test_what_every_trial_would_stumble_on(self):
        for changes, message in (
            ({"method": "dmi"}, "`config.init_from`"),
            ({"limit": {"q_dist": "cauchy"}}, "`q_dist`.*'cauchy'"),
        ):
            folder = tempfile.mkdtemp()
            config = testing.tiny_config(folder, **changes)
            with self.assertRaisesRegex(ValueError, message):
                search(folder, config=config)

    def test_folder_of_another_search(self):
        folder = tempfile.mkdtemp()
        search(folder).close()
        for arguments, message in (
            ({"tuner": "grid"}, "config.search.tuner: 'random' there, 'grid'"),
            ({"seed": 3}, "config.search.seed: 0 there, 3 here"),
        ):
            with self.assertRaisesRegex(ValueError, f"`workdir`.*{message}"):
                search(folder, **arguments)
        config = testing.tiny_config(folder, noise={"rate": 0.25})
        with self.assertRaisesRegex(ValueError, "config.noise.rate: 0.5"):
            search(folder, config=config)

    def test_folder_in_use_and_folder_of_a_run(self):
        folder = tempfile.mkdtemp()
        first = search(folder)
        with self.assertRaisesRegex(ValueError, "`workdir`.*in use"):
            search(folder)
        first.close()
        with self.assertRaisesRegex(ValueError, "config.search"):
            Experiment(
                testing.tiny_config(folder, training={"xla": "off"}),
                os.path.join(folder, "search"),
            )

    @parameterized.parameters(
        ({"KERASTUNER_ORACLE_IP": "127.0.0.1"}, "KERASTUNER_TUNER_ID"),
        (
            {
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": "many",
                "KERASTUNER_TUNER_ID": "chief",
            },
            "KERASTUNER_ORACLE_PORT.*'many'",
        ),
    )
    def test_environment(self, environment, message):
        with mock.patch.dict(os.environ, environment):
            with self.assertRaisesRegex(ValueError, message):
                search(tempfile.mkdtemp())


if __name__ == "__main__":
    absltest.main()
