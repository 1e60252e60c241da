"""A search for the best values of a configuration, from start to report."""

import json
import os
import pathlib
import shutil

import ml_collections
from absl import logging

from limit_tf import data
from limit_tf import folders
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments import settings
from limit_tf.experiments.experiment import Exporter
from limit_tf.experiments.workdir import Workdir
from limit_tf.tuning import chief
from limit_tf.tuning import hparams_log
from limit_tf.tuning import labels
from limit_tf.tuning import oracles
from limit_tf.tuning import trials
from limit_tf.tuning import workers
from limit_tf.tuning.config_tuner import ConfigTuner
from limit_tf.tuning.findings import Findings
from limit_tf.tuning.progress import Progress
from limit_tf.tuning.pruning import MedianStoppingRule
from limit_tf.tuning.search_space import SearchSpace
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.smoothing import window_of

_SINGLE = "tuner0"


class Search:
    """A search that can be killed at any moment and started again.

    The constructor checks the arguments and loads the data once; `run`
    searches. In a worker (see `limit_tf.cli.tune`) `run` trains what the chief
    asks for; the chief trains nothing.

    Args:
        config: Configuration, see `configs/digits.py`; rows are not searched.
        workdir: Folder of the search: new, empty, or of the same search.
        tuner: `"grid"`, `"random"`, `"bayesian"` or `"hyperband"`.
        max_trials: Most trials. None takes 30 for bayesian and random, the
            whole grid, and one round of Hyperband.
        budget_minutes: Minutes after which the search ends, over all its
            starts; None sets no limit. With more, a later start goes on with
            the trials that were interrupted.
        seed: Seed of the values that are tried. That of the configuration
            (split, noise, weights) is the same in all trials.

    Raises:
        ValueError: If a value is outside its range, or the folder belongs to
            another search, configuration or process.
        FileNotFoundError: If the data is neither there nor to be had.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: str,
        *,
        tuner: str = "grid",
        max_trials: int | None = None,
        budget_minutes: float | None = None,
        seed: int = 0,
    ):
        _check(tuner, max_trials, budget_minutes, seed)
        config = settings.without_rows(config)
        settings.check(config)
        workers.check_environment()
        self._config = config
        self._tuner = tuner
        self._folder = pathlib.Path(workdir)
        self._is_worker = workers.has_chief() and not workers.is_chief()
        self._workdir = None
        # Checks the method's values before the folder is touched.
        SearchSpace(config, 1, grid=tuner == "grid")
        identity = {
            **config.to_dict(),
            "search": {"tuner": tuner, "seed": seed},
        }
        if self._is_worker:
            workers.wait_for_search(self._folder, identity)
        else:
            self._workdir = Workdir(workdir, identity, folders.SEARCH)
        try:
            self._loaded = build.load_data(config)
            source, splits = self._loaded
            self._num_labels = len(splits.validation.labels)
            self._labels = labels.validation_labels(config)
            self._space = SearchSpace(
                config,
                data.num_batches(len(splits.train), config.training.batch_size),
                grid=tuner == "grid",
            )
            if self._workdir is not None:
                if not self._state_file.exists():
                    # Refuses now what every trial would stumble on.
                    build.build_model(config, source, splits)
                self._workdir.claim()
            self._lock = workers.WorkerLock(
                self._folder, os.environ.get("KERASTUNER_TUNER_ID", _SINGLE)
            )
        except BaseException:
            if self._workdir is not None:
                self._workdir.discard()
            self.close()
            raise
        self._findings = Findings(self._folder, config, self._space)
        self._oracle = oracles.build(
            tuner,
            self._space.hyperparameters(),
            epochs=config.training.epochs,
            max_trials=max_trials,
            seed=seed,
            folder=self._folder,
            budget_seconds=budget_minutes and 60.0 * budget_minutes,
        )

    @property
    def _state_file(self):
        return self._folder / "oracle" / "oracle.json"

    def run(self) -> Selection | None:
        """Searches, and writes the reports.

        Returns:
            The choice; None in a worker.

        Raises:
            RuntimeError: If trials failed so that the search ended, or none
                was finished.
        """
        try:
            if self._is_worker:
                self._tuner_of(self._oracle).search()
                return None
            self._search()
            return self._findings.report()
        finally:
            self.close()

    def _search(self):
        oracle = self._oracle
        oracle._set_project_dir(str(self._folder), "oracle")
        if self._state_file.exists():
            oracle.reload()
        hparams_log.write_space(self._folder, oracle.hyperparameters)
        logging.info(
            "%s on %s: %d trials at most, judged by %d %s",
            self._config.method,
            self._config.data.name,
            oracle.num_trials(),
            self._num_labels,
            self._labels,
        )
        progress = Progress(oracle, self._num_labels, self._labels)
        try:
            if not workers.is_chief():
                self._tuner_of(oracle).search()
            elif not oracle.is_over():
                logging.info(
                    "The chief waits for workers at %s:%s",
                    os.environ["KERASTUNER_ORACLE_IP"],
                    os.environ["KERASTUNER_ORACLE_PORT"],
                )
                chief.serve(self._tuner_of(oracle), oracle)
        finally:
            progress.close()
        failures = oracle.failures()
        if failures:
            raise RuntimeError(
                f"The search ended after {len(failures)} failed "
                f"{'trial' if len(failures) == 1 else 'trials'}; started "
                f"again, it tries them again. The last one: {failures[0]}"
            )

    def _tuner_of(self, oracle):
        rule = None
        if self._tuner != "hyperband":
            epochs = self._config.training.epochs
            rule = MedianStoppingRule(
                epochs, self._num_labels, window=window_of(epochs)
            )
        return ConfigTuner(
            self._space, oracle, self._folder, rule, self._loaded
        )

    def finished_trials(self) -> list[trials.FinishedTrial]:
        """The finished trials, in the order of their numbers."""
        return self._findings.finished_trials()

    def summary(self, selection: Selection) -> str:
        """The best trials, what was chosen and why, and where the files are."""
        return self._findings.summary(selection)

    def train_best(
        self, selection: Selection, *, exporter: Exporter | None = None
    ) -> dict:
        """Trains the chosen configuration once more.

        Args:
            selection: What `run` returned.
            exporter: Exports the run once it is finished, see `Experiment`.

        Returns:
            The contents of the run's `results.json`.
        """
        config = self._findings.config_of(selection.chosen)
        folder = self._folder / "best"
        saved = folder / "config.json"
        if saved.exists() and _differs(saved, config):
            shutil.rmtree(folder)  # of what an earlier end of it chose
        return Experiment(
            config, str(folder), exporter=exporter, loaded=self._loaded
        ).run()

    def close(self) -> None:
        """Lets other processes use the folder."""
        if self._workdir is not None:
            self._workdir.close()
        lock = getattr(self, "_lock", None)
        if lock is not None:
            lock.close()


def _differs(file, config):
    before = json.loads(file.read_text(encoding="utf-8"))
    return before != json.loads(json.dumps(config.to_dict()))


def _check(tuner, max_trials, budget_minutes, seed):
    if tuner not in oracles.ORACLES:
        raise ValueError(
            f"`tuner` must be one of {list(oracles.ORACLES)}. Received: "
            f"{tuner!r}"
        )
    if max_trials is not None and max_trials < 1:
        raise ValueError(
            f"`max_trials` must be at least 1. Received: {max_trials}"
        )
    if budget_minutes is not None and not budget_minutes > 0:
        raise ValueError(
            f"`budget_minutes` must be positive. Received: {budget_minutes}"
        )
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0. Received: {seed}")
