"""The oracles: what comes next, and what survives."""

import pathlib
import tempfile
from unittest import mock

import keras_tuner
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning import oracles
from limit_tf.tuning import workers


class OraclesTest(parameterized.TestCase):
    def oracle(self, tuner, epochs=100, max_trials=None, folder=None):
        folder = folder or pathlib.Path(tempfile.mkdtemp())
        hp = keras_tuner.HyperParameters()
        hp.Choice("a", [1, 2, 3], default=2)
        hp.Choice("b", ["x", "y"])
        oracle = oracles.build(
            tuner,
            hp,
            epochs=epochs,
            max_trials=max_trials,
            seed=0,
            folder=folder,
        )
        oracle._set_project_dir(str(folder), "oracle")
        return oracle

    def test_number_of_trials(self):
        for tuner, most, expected in (
            ("random", None, 30),
            ("bayesian", 7, 7),
            ("grid", None, 6),
            ("grid", 4, 4),
            # Brackets of 18 + 6 + 2, 9 + 3 and 6 trials.
            ("hyperband", None, 44),
            ("hyperband", 10, 10),
        ):
            oracle = self.oracle(tuner, max_trials=most)
            self.assertEqual(oracle.num_trials(), expected, msg=tuner)

    def test_grid_goes_on_after_a_restart(self):
        oracle = self.oracle("grid")
        seen = []
        for _ in range(3):
            trial = oracle.create_trial("tuner0")
            seen.append(tuple(trial.hyperparameters.values.values()))
            self.end(oracle, trial)
        self.assertEqual(seen[0], (2, "x"))
        other = self.restarted(oracle, tuner="grid")
        while True:
            trial = other.create_trial("tuner0")
            if trial.status == "STOPPED":
                break
            seen.append(tuple(trial.hyperparameters.values.values()))
            self.end(other, trial)
        self.assertCountEqual(
            seen, [(a, b) for a in (1, 2, 3) for b in ("x", "y")]
        )

    def restarted(self, oracle, **kwargs):
        """The oracle of a process that goes on with the search."""
        other = self.oracle(folder=oracle._folder, **kwargs)
        other.reload()
        return other

    def end(self, oracle, trial, status="COMPLETED"):
        oracle.update_trial(trial.trial_id, {"mean_accuracy": 0.5})
        trial.status = status
        oracle.end_trial(trial)

    def test_a_dead_workers_trial_goes_to_the_next_that_asks(self):
        oracle = self.oracle("random", max_trials=2)
        lock = workers.WorkerLock(oracle._folder, "worker0")
        other_lock = workers.WorkerLock(oracle._folder, "worker1")
        trial = oracle.create_trial("worker0")
        other = oracle.create_trial("worker1")
        self.assertNotEqual(trial.trial_id, other.trial_id)
        self.end(oracle, other)
        # It might still need help, so nobody is sent home.
        self.assertEqual(oracle.create_trial("worker1").status, "IDLE")
        lock.close()
        again = oracle.create_trial("worker1")
        self.assertEqual(again.trial_id, trial.trial_id)
        self.end(oracle, again)
        self.assertEqual(oracle.create_trial("worker1").status, "STOPPED")
        self.assertEmpty(oracle.tuner_ids)
        other_lock.close()

    def test_an_interrupted_trial_waits_for_the_next_start(self):
        oracle = self.oracle("random", max_trials=2)
        locks = [
            workers.WorkerLock(oracle._folder, name)
            for name in ("worker0", "worker1")
        ]
        self.end(oracle, oracle.create_trial("worker0"))
        trial = oracle.create_trial("worker1")
        oracle._budget_seconds = 0.0
        answer = oracle.update_trial(trial.trial_id, {"mean_accuracy": 0.5})
        self.assertEqual(answer.status, "STOPPED")
        for _ in range(2):  # told twice
            self.end(oracle, trial, status="STOPPED")
        for name in ("worker0", "worker1"):
            self.assertEqual(oracle.create_trial(name).status, "STOPPED")
        self.assertTrue(oracle.is_over())
        self.assertEmpty(oracle.tuner_ids)
        self.assertEmpty(oracle.ongoing_trials)

        again = self.restarted(oracle, tuner="random", max_trials=2)
        self.assertFalse(again.is_over())
        self.assertEqual(again.end_order, ["0"])
        self.assertEqual(again.create_trial("worker0").trial_id, trial.trial_id)
        self.assertEqual(again.create_trial("worker1").status, "IDLE")
        for lock in locks:
            lock.close()

    def test_a_new_chief_leaves_trials_with_living_workers(self):
        oracle = self.oracle("random", max_trials=3)
        locks = {
            name: workers.WorkerLock(oracle._folder, name)
            for name in ("worker0", "worker1", "worker2")
        }
        given = {name: oracle.create_trial(name).trial_id for name in locks}
        self.end(oracle, oracle.trials[given["worker2"]])
        locks["worker1"].close()
        oracle = self.restarted(oracle, tuner="random", max_trials=3)
        for asking, owner in (("worker0", "worker0"), ("worker2", "worker1")):
            trial = oracle.create_trial(asking)
            self.assertEqual(trial.trial_id, given[owner])
            self.end(oracle, trial)
            self.end(oracle, trial)  # told twice
        self.assertLen(oracle.end_order, 3)
        self.assertTrue(oracle.is_over())

    def test_a_kill_between_a_trials_file_and_the_state(self):
        oracle = self.oracle("random", max_trials=3)
        self.end(oracle, oracle.create_trial("tuner0"))
        state = pathlib.Path(oracle._get_oracle_fname())
        before = state.read_text()
        trial = oracle.create_trial("tuner0")
        state.write_text(before)
        again = self.restarted(oracle, tuner="random", max_trials=3)
        again = again.create_trial("tuner0")
        self.assertEqual(again.trial_id, trial.trial_id)
        self.assertEqual(
            again.hyperparameters.values, trial.hyperparameters.values
        )

    def test_two_workers_of_one_name_are_refused(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        lock = workers.WorkerLock(folder, "worker0")
        with mock.patch.object(workers, "_PATIENCE_SECONDS", 0.1):
            with self.assertRaisesRegex(ValueError, "TUNER_ID.*'worker0'"):
                workers.WorkerLock(folder, "worker0")
        lock.close()

    def test_a_worker_of_another_search_is_refused(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "config.json").write_text('{"seed": 1}')
        workers.wait_for_search(folder, {"seed": 1})
        with self.assertRaisesRegex(ValueError, "seed: 1 there, 2 here"):
            workers.wait_for_search(folder, {"seed": 2})

    def test_nobody_goes_home_while_a_trial_runs(self):
        oracle = self.oracle("random", max_trials=1)
        trial = oracle.create_trial("worker0")
        self.assertEqual(oracle.create_trial("worker1").status, "IDLE")
        self.end(oracle, trial)
        self.assertEqual(oracle.create_trial("worker1").status, "STOPPED")
        self.assertTrue(oracle.is_over())


if __name__ == "__main__":
    absltest.main()
