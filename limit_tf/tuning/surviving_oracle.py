"""keras-tuner's oracles, made to survive.

An oracle says which values come next. keras-tuner's are used as they are, with
these additions:

- The first trial has the configuration's own values.
- A search has a budget of time, which counts over all its starts. A trial that
  it interrupts goes on where it was once there is more.
- The trial of a worker that was killed goes to the next worker that asks, which
  goes on where the dead one was. keras-tuner alone gives it back only to a
  worker of the same name, and its chief would wait for that one for ever. Hence
  no worker is sent home either while another one's trial runs.
- A chief that is killed and started again leaves running trials with the
  workers that are still at them.
- A failed trial does not end the search, three in a row do, and so does the
  first; started again, the search tries them again.
- Files are written whole or not at all.
"""

import math
import pathlib
import time

import keras_tuner

from limit_tf import atomic_files
from limit_tf.tuning import workers

OBJECTIVE = "mean_accuracy"
_MOST_FAILURES = 3
_RUNNING, _IDLE, _STOPPED = "RUNNING", "IDLE", "STOPPED"
_COMPLETED, _FAILED = "COMPLETED", "FAILED"


class SurvivingOracle(keras_tuner.Oracle):
    """What this room's oracles have in common; see the module.

    Args:
        folder: Folder of the search.
        budget_seconds: Seconds after which no trial begins and those that run
            are interrupted after their epoch; None sets no limit.
        **kwargs: Arguments of keras-tuner's oracle.
    """

    def __init__(
        self,
        *,
        folder: pathlib.Path,
        budget_seconds: float | None = None,
        **kwargs,
    ):
        self._folder = folder
        self._budget_seconds = budget_seconds
        self._spent_seconds = 0.0
        self._last_look = None
        self._is_exhausted = False
        self.on_trial_end = None
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            tune_new_entries=False,
            allow_new_entries=False,
            max_consecutive_failed_trials=10**9,  # see `failures`
            **kwargs,
        )
        self.verbose = 0

    @property
    def seconds_left(self) -> float:
        """What is left of the budget; infinite without one."""
        now = time.monotonic()
        if self._last_look is not None:
            self._spent_seconds += now - self._last_look
        self._last_look = now
        if self._budget_seconds is None:
            return math.inf
        return max(0.0, self._budget_seconds - self._spent_seconds)

    def failures(self) -> list[str]:
        """Messages of the failed trials that end the search."""
        ended = [self.trials[trial_id] for trial_id in self.end_order]
        messages = []
        for trial in reversed(ended):
            if trial.status != _FAILED:
                break
            messages.append(f"trial {trial.trial_id}: {trial.message}")
        only_failures = len(messages) == len(ended)
        if len(messages) >= _MOST_FAILURES or only_failures:
            return messages
        return []

    def is_over(self) -> bool:
        """Whether there is nothing left for a worker to do."""
        if not self.seconds_left or self.failures():
            return True
        if self.ongoing_trials or self._retry_queue:
            return False
        most = self.max_trials
        return self._is_exhausted or bool(most and len(self.trials) >= most)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        """Gives a worker its next trial; see `keras_tuner.Oracle`."""
        self.release_dead_workers()
        if not self.seconds_left or self.failures():
            return self._no_trial(tuner_id, _STOPPED)
        trial = super().create_trial(tuner_id)
        if trial.status == _STOPPED and self.ongoing_trials:
            return self._no_trial(tuner_id, _IDLE)
        return trial

    @keras_tuner.synchronized
    def release_dead_workers(self):
        """Puts the trials of workers that were killed back in the queue."""
        for tuner_id in [*self.tuner_ids, *self.ongoing_trials]:
            if workers.is_dead(self._folder, tuner_id):
                self.tuner_ids.discard(tuner_id)
                self._put_back(tuner_id)

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        """Hears of a running trial; its answer's status may be STOPPED."""
        trial = super().update_trial(trial_id, metrics, step=step)
        if self.seconds_left:
            return trial
        answer = type(trial).from_state(trial.get_state())
        answer.status = _STOPPED
        return answer

    @keras_tuner.synchronized
    def end_trial(self, trial):
        """Hears of the end of a trial; see `keras_tuner.Oracle`.

        Args:
            trial: The trial; one whose status is STOPPED was interrupted and
                waits for whoever asks next.
        """
        if trial.trial_id in self.end_order:
            return  # told again, by a worker that did not hear the answer
        self.seconds_left  # noqa: B018  (brings the clock up to date)
        if trial.status == _STOPPED:
            for tuner_id, ongoing in list(self.ongoing_trials.items()):
                if ongoing.trial_id == trial.trial_id:
                    self._put_back(tuner_id)
            return
        # What comes from a worker has passed through single precision.
        trial.hyperparameters = self.trials[trial.trial_id].hyperparameters
        super().end_trial(trial)
        self.save()  # keras-tuner did so while it still counted as running
        if self.on_trial_end is not None:
            self.on_trial_end()

    def _put_back(self, tuner_id):
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is not None:
            self._retry_queue.append(trial.trial_id)
            self.save()

    def populate_space(self, trial_id):
        """Chooses the values of a trial; see `keras_tuner.Oracle`."""
        if self._is_exhausted:
            return {"status": _STOPPED, "values": None}
        response = super().populate_space(trial_id)
        self._is_exhausted = response["status"] == _STOPPED
        return response

    def _random_values(self):
        if not self.start_order:
            return dict(self.hyperparameters.values)
        return super()._random_values()

    def _no_trial(self, tuner_id, status):
        if status == _STOPPED:
            self.tuner_ids.discard(tuner_id)
        else:
            self.tuner_ids.add(tuner_id)
        return keras_tuner.engine.trial.Trial(
            hyperparameters=keras_tuner.HyperParameters(),
            trial_id="none",
            status=status,
        )

    def get_state(self):
        """State to save, for a search that goes on later."""
        return {
            **super().get_state(),
            "spent_seconds": self._spent_seconds,
            "is_exhausted": self._is_exhausted,
        }

    def set_state(self, state):
        """Takes over a saved state."""
        super().set_state(state)
        self._spent_seconds = state["spent_seconds"]
        self._is_exhausted = state["is_exhausted"]
        self._workers_before = dict(state["ongoing_trials"])

    def save(self):
        """Saves the state; a kill leaves the old file or the new one."""
        atomic_files.write_json(
            pathlib.Path(self._get_oracle_fname()), self.get_state()
        )

    def _save_trial(self, trial):
        folder = self._get_trial_dir(trial.trial_id)
        atomic_files.write_json(
            pathlib.Path(folder, "trial.json"), trial.get_state()
        )

    def reload(self):
        """Goes on with a search: what was not finished is tried again."""
        super().reload()
        # Killed between a new trial's file and the state that knows of it.
        for trial_id in set(self.trials) - set(self.start_order):
            del self.trials[trial_id]
        self._retry_queue = [
            trial_id
            for trial_id in dict.fromkeys(self._retry_queue)
            if trial_id not in self.end_order
        ]
        for tuner_id, trial_id in self._workers_before.items():
            is_dead = workers.is_dead(self._folder, tuner_id)
            if trial_id in self._retry_queue and not is_dead:
                self._retry_queue.remove(trial_id)
                self.ongoing_trials[tuner_id] = self.trials[trial_id]
                self.tuner_ids.add(tuner_id)
        for trial_id in list(self.end_order):
            if self.trials[trial_id].status == _FAILED:
                self.end_order.remove(trial_id)
                self._retry_queue.append(trial_id)
