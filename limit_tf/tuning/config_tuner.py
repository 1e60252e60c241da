"""Trains a search's trials as runs of a configuration."""

import contextlib
import io
import itertools
import pathlib
import time

import keras_tuner
import tensorflow as tf
import tqdm
from absl import logging

from limit_tf import data
from limit_tf.experiments import Experiment
from limit_tf.tuning import hparams_log
from limit_tf.tuning import labels
from limit_tf.tuning import memory
from limit_tf.tuning import report
from limit_tf.tuning import trials
from limit_tf.tuning import workers
from limit_tf.tuning.pruning import MedianStoppingRule
from limit_tf.tuning.search_space import SearchSpace
from limit_tf.tuning.smoothing import best_mean
from limit_tf.tuning.smoothing import window_of
from limit_tf.tuning.surviving_oracle import OBJECTIVE
from limit_tf.tuning.surviving_oracle import SurvivingOracle

# Of a trial to the oracle, which keeps and saves all of them: a long trial
# reports more rarely.
_SECONDS_BETWEEN_REPORTS = 1.0
_SHARE_BETWEEN_REPORTS = 0.01
_SECONDS_BETWEEN_QUESTIONS = 0.3
_SECONDS_BETWEEN_ATTEMPTS = 1.0
_MOST_ATTEMPTS = 60


class ChiefIsGone(RuntimeError):
    """The process that knows what to try next cannot be reached."""


class BudgetIsSpent(Exception):
    """A trial is interrupted, because the time of the search is over."""


class ConfigTuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Tuner whose trials are runs of `limit_tf.experiments.Experiment`.

    A trial's run lies in `FOLDER/trials/TRIAL_ID`, like that of
    `limit_tf.cli.train`, except that nothing is exported. If it was killed, it
    goes on where it was; if it is finished, nothing is trained. The objective
    is the best mean accuracy on the validation labels, see
    `limit_tf.tuning.smoothing`.

    Where keras-tuner's environment names a chief, `search` serves the oracle in
    the chief, and trains what that chief asks for in a worker.

    Args:
        space: Search space.
        oracle: What chooses the values.
        folder: Folder of the search.
        rule: Rule by which trials stop; None where the oracle itself sees to
            it that hopeless ones end.
        loaded: Source and noisy splits, the same for all trials.

    References:
        - [O'Malley et al., 2019](https://github.com/keras-team/keras-tuner)
    """

    def __init__(
        self,
        space: SearchSpace,
        oracle: SurvivingOracle,
        folder: pathlib.Path,
        rule: MedianStoppingRule | None,
        loaded: tuple[data.Source, data.NoisySplits],
    ):
        self._space = space
        self._folder = folder
        self._rule = rule
        self._loaded = loaded
        super().__init__(oracle, directory=folder, project_name="oracle")

    def search(self) -> None:
        """Runs trials until the oracle has no more."""
        if workers.is_chief():
            super().search()
            return
        while True:
            trial = self._ask("create_trial", self.tuner_id)
            if trial.status == "STOPPED":
                return
            if trial.status == "IDLE":
                time.sleep(_SECONDS_BETWEEN_QUESTIONS)
                continue
            try:
                finished = self.run_trial(trial)
                trial.status = "COMPLETED"
                self.report(
                    trial.trial_id,
                    finished.mean_accuracy,
                    finished.best_epoch,
                )
            except ChiefIsGone:
                raise
            except BudgetIsSpent:
                trial.status = "STOPPED"
                _say(
                    f"Trial {trial.trial_id} is unfinished: the budget is "
                    "spent; with a larger one, it goes on"
                )
            except Exception as error:
                logging.debug("The error came from here:", exc_info=True)
                trial.status = "FAILED"
                trial.message = _one_line(error)
                _say(f"Trial {trial.trial_id} failed: {trial.message}")
            self._ask("end_trial", trial)

    def run_trial(self, trial) -> trials.FinishedTrial:
        """Trains a trial, or goes on with it, or reads what it came to.

        Args:
            trial: The trial, see `keras_tuner.engine.trial.Trial`.

        Returns:
            What it came to.

        Raises:
            BudgetIsSpent: If there was no time for all epochs; those that were
                trained are saved.
        """
        config = self._space.config_of(trial.hyperparameters)
        folder = self._folder / trials.FOLDER / trial.trial_id
        is_new = not (folder / "results.json").exists()
        folder.parent.mkdir(exist_ok=True)
        with _quiet(), memory.released_afterwards():
            Experiment(
                config,
                str(folder),
                stop_early=_Watch(
                    self, trial.trial_id, window_of(config.training.epochs)
                ),
                keep_predictions=True,
                loaded=self._loaded,
            ).run()
        finished = trials.read_trial(folder, self._space.keys)
        if is_new:
            hparams_log.write_trial(folder, finished)
        kind = labels.validation_labels(config)
        _say(f"Trial {trial.trial_id}: {_described(finished, kind)}")
        return finished

    def finished_accuracies(self) -> list[list[float]]:
        """Accuracies after the epochs of each trial that ran to its end."""
        return list(trials.read_accuracies(self._folder).values())

    def report(self, trial_id: str, accuracy: float, epoch: int):
        """Tells the oracle how a trial goes.

        Args:
            trial_id: Name of the trial.
            accuracy: Its best accuracy so far.
            epoch: Number of its epochs so far.

        Returns:
            The trial; its status is STOPPED where it should end.
        """
        return self._ask(
            "update_trial", trial_id, {OBJECTIVE: accuracy}, step=epoch
        )

    def save(self):
        """Does nothing: the oracle saves itself."""

    def _ask(self, question, *arguments, **options):
        """Calls the oracle, again if its chief went away meanwhile."""
        if not workers.has_chief():
            return getattr(self.oracle, question)(*arguments, **options)
        import grpc

        for attempt in itertools.count(1):
            try:
                # keras-tuner prints the conditions of every message.
                with contextlib.redirect_stdout(io.StringIO()):
                    return getattr(self.oracle, question)(*arguments, **options)
            except grpc.RpcError as error:
                is_away = error.code() is grpc.StatusCode.UNAVAILABLE
                if attempt == _MOST_ATTEMPTS or not is_away:
                    raise ChiefIsGone(
                        "The chief does not answer: "
                        f"{error.code().name}, {error.details()}"
                    ) from error
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)


class _Watch:
    """Decides after each epoch of a trial whether it ends there."""

    def __init__(self, tuner, trial_id, window):
        self._tuner = tuner
        self._trial_id = trial_id
        self._window = window
        self._rule = tuner._rule
        self._finished = (
            [] if self._rule is None else (tuner.finished_accuracies())
        )
        self._start = self._last_report = time.monotonic()

    def __call__(self, history):
        accuracies = [row["valid_accuracy"] for row in history]
        if self._rule is not None and self._rule.should_stop(
            accuracies, self._finished
        ):
            return trials.PRUNED
        now = time.monotonic()
        if now - self._last_report < max(
            _SECONDS_BETWEEN_REPORTS,
            _SHARE_BETWEEN_REPORTS * (now - self._start),
        ):
            return None
        self._last_report = now
        # The mean of fewer epochs might be better than that of all later ones.
        mean = 0.0
        if len(accuracies) >= self._window:
            mean = best_mean(accuracies, self._window)
        answer = self._tuner.report(self._trial_id, mean, len(accuracies))
        if answer.status == "STOPPED":
            raise BudgetIsSpent
        return None


@contextlib.contextmanager
def _quiet():
    """Keeps from the user what every run says about itself.

    TensorFlow's note is that many functions are traced: one a trial.
    """
    logger = tf.get_logger()
    levels = logging.get_verbosity(), logger.level
    logging.set_verbosity(min(levels[0], logging.WARNING))
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        logger.setLevel(levels[1])


def _described(trial, kind):
    own = ", ".join(
        f"{key.rpartition('.')[2]}={report.word(value)}"
        for key, value in trial.values.items()
    )
    stopped = trial.stopped_early
    return (
        f"{trial.mean_accuracy:.1%} on {kind} after {trial.num_epochs} epochs"
        f"{'' if stopped is None else f' ({stopped})'}, {own}"
    )


def _say(text):
    with tqdm.tqdm.external_write_mode():  # a line beside the bars
        logging.info(text)


def _one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
