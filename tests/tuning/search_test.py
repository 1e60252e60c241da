"""A search in this process: trials, files, refusals."""

import contextlib
import csv
import gc
import itertools
import json
import os
import pathlib
import runpy
import tempfile
from unittest import mock

import pytest
from absl import logging
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import tuning
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments import results
from limit_tf.tuning import config_tuner
from limit_tf.tuning import surviving_oracle
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


@contextlib.contextmanager
def clock_of_looks():
    """A budget's seconds are looks at its clock; each epoch is reported."""
    clock = mock.Mock()
    clock.monotonic.side_effect = itertools.count()
    with (
        mock.patch.object(surviving_oracle, "time", clock),
        mock.patch.object(config_tuner, "_SECONDS_BETWEEN_REPORTS", 0.0),
        mock.patch.object(config_tuner, "_SHARE_BETWEEN_REPORTS", 0.0),
    ):
        yield


def num_epochs(folder):
    return len(results.read_history(folder))


class _Exporter:
    """Says where it would export a run to."""

    def check(self, source):
        pass

    def __call__(self, run):
        return {"saved_model": str(run.path / "exported")}


class SearchTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(logging.set_verbosity, logging.get_verbosity())
        logging.set_verbosity(logging.INFO)  # as the commands do

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

        outcome = again.train_best(choice, exporter=lambda config: _Exporter())
        self.assertEqual(outcome["saved_model"], str(path / "best/exported"))

    @parameterized.parameters("bayesian", "hyperband")
    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_budget_interrupts_a_trial_and_a_larger_one_goes_on(self):
        whole, folder = tempfile.mkdtemp(), tempfile.mkdtemp()
        reference = search(whole, max_trials=2)
        reference.run()
        path = pathlib.Path(folder, "search")
        # Looks at the clock: at the start, before a trial, after each epoch
        # but the last, three times at a trial's end. The first trial takes
        # seven seconds, and the second trial's second epoch ends in the tenth.
        with clock_of_looks():
            one = search(folder, max_trials=2, budget_minutes=9.5 / 60)
            selection = one.run()
        self.assertEqual(selection.chosen.trial_id, "0")
        self.assertLen(one.finished_trials(), 1)
        self.assertIn("; 1 trials finished", one.summary(selection))
        self.assertEqual(num_epochs(path / "trials/1"), 2)
        self.assertTrue((path / "trials/1/checkpoint.npz").exists())
        before = times(folder)
        search(folder, max_trials=2, budget_minutes=9.5 / 60).run()
        self.assertEqual(num_epochs(path / "trials/1"), 2)

        with self.assertLogs("absl", level="INFO") as logs:
            two = search(folder, max_trials=2, budget_minutes=10)
            two.run()
        logged = " ".join(logs.output)
        self.assertNotIn("Trial 0:", logged)
        self.assertIn("Trial 1:", logged)
        for file, time in before.items():
            self.assertEqual(file.stat().st_mtime_ns, time, msg=file)
        self.assertEqual(
            [(t.num_epochs, t.stopped_early) for t in two.finished_trials()],
            [(4, None)] * 2,
        )
        testing.assert_histories_close(
            *(
                pathlib.Path(f, "search/trials/1/history.csv").read_text()
                for f in (whole, folder)
            )
        )

    def test_budget_that_ends_before_a_trial_is_finished(self):
        folder = tempfile.mkdtemp()
        with clock_of_looks():
            with self.assertRaisesRegex(RuntimeError, "`budget_minutes`"):
                search(folder, budget_minutes=1.5 / 60).run()
        self.assertEqual(num_epochs(pathlib.Path(folder, "search/trials/0")), 1)

    @parameterized.parameters(
        ({}, "260 noisy validation labels"),
        ({"data": {"clean_validation": True}}, "260 validation labels"),
        ({"noise": {"kind": "none", "rate": 0.0}}, "260 validation labels"),
    )
    def test_labels_without_noise_are_not_called_noisy(self, changes, words):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(
            folder, method="mae", training={"epochs": 1}, **changes
        )
        with self.assertLogs("absl", level="INFO") as logs:
            one = search(folder, config=config, max_trials=1)
            summary = one.summary(one.run())
        logged = " ".join(logs.output)
        self.assertIn(f"judged by {words}", logged)
        self.assertIn(f"on {words[4:]} after 1 epochs", logged)
        self.assertIn(f"one standard error of {words};", summary)
        self.assertIn(
            f"% on the {words[4:]}",
            pathlib.Path(folder, "search/best_config.py").read_text(),
        )

    @pytest.mark.slow
    def test_data_is_loaded_once(self):
        folder = tempfile.mkdtemp()
        load_data = build.load_data
        with mock.patch.object(
            build, "load_data", side_effect=load_data
        ) as loads:
            one = search(folder, max_trials=2)
            one.train_best(one.run())
        loads.assert_called_once()


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
            (
                {"limit": {"q_dist": "cauchy"}},
                "`config.limit.q_dist`.*'cauchy'",
            ),
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
        with self.assertRaisesRegex(
            ValueError, "`workdir`.*the folder of a search"
        ):
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
