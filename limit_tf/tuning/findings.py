"""What a search found: the choice, its files, and words for people."""

import copy
import pathlib

import ml_collections

from limit_tf import atomic_files
from limit_tf.tuning import best_config
from limit_tf.tuning import correction
from limit_tf.tuning import labels
from limit_tf.tuning import plot
from limit_tf.tuning import report
from limit_tf.tuning import trials
from limit_tf.tuning.search_space import SearchSpace
from limit_tf.tuning.selection import Selection
from limit_tf.tuning.selection import select
from limit_tf.tuning.smoothing import window_of


class Findings:
    """The finished trials of a search, and what follows from them.

    Args:
        folder: Folder of the search.
        config: Configuration that is searched.
        space: Search space.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        config: ml_collections.ConfigDict,
        space: SearchSpace,
    ):
        self._folder = folder
        self._config = config
        self._space = space
        self._labels = labels.validation_labels(config)
        self._corrected = {}  # by trial, of the last report

    def finished_trials(self) -> list[trials.FinishedTrial]:
        """The finished trials, in the order of their numbers."""
        return trials.read_trials(self._folder, self._space.keys)

    def report(self) -> Selection:
        """Chooses a trial and writes the search's files.

        Returns:
            The choice.

        Raises:
            RuntimeError: If no trial was finished.
        """
        finished = self.finished_trials()
        if not finished:
            raise RuntimeError(
                "The search ended before a trial was finished: give it more "
                "time (`budget_minutes`)."
            )
        penalty, family = self._space.penalty, self._space.family
        selection = select(finished, family)
        self._corrected = self._correct(finished)
        report.write_csv(
            self._folder / "trials.csv", finished, selection, self._corrected
        )
        plot.write(
            self._folder / "tuning.png", finished, selection, penalty, family
        )
        chosen = selection.chosen
        path = self._folder / "best_config.py"
        atomic_files.write_text(
            path,
            best_config.source(
                self.config_of(chosen),
                title=(
                    f"{self._config.data.name}, {self._config.method}: trial "
                    f"{chosen.trial_id} of a search.\n\n"
                    f"{chosen.mean_accuracy:.1%} on the {self._labels}, mean "
                    f"of {window_of(chosen.epochs)} epochs."
                ),
                path=str(path),
            ),
        )
        return selection

    def config_of(
        self, trial: trials.FinishedTrial
    ) -> ml_collections.ConfigDict:
        """The configuration with a trial's values, trained in full."""
        config = copy.deepcopy(self._config)
        trials.set_values(config, trial.values)
        return config

    def summary(self, selection: Selection) -> str:
        """The best trials, what was chosen and why, and where the files are."""
        finished = self.finished_trials()
        chosen = selection.chosen
        values = ", ".join(f"{k}={v}" for k, v in chosen.values.items())
        return (
            f"{report.table(finished, selection)}\n\n"
            f"Means of the best {window_of(chosen.epochs)} consecutive epochs; "
            f"± one standard error of {chosen.num_valid_labels} "
            f"{self._labels}; {len(finished)} trials finished.\n"
            f"Chosen: trial {chosen.trial_id}, {selection.reason}.\n"
            f"{values}\n"
            f"{self._on_true_labels(chosen)}\n"
            f"Configuration: {self._folder / 'best_config.py'}\n"
            f"All trials: {self._folder / 'trials.csv'}, "
            f"{self._folder / 'tuning.png'}"
        )

    def _correct(self, finished):
        if not labels.are_noisy(self._config):
            return {}
        return correction.correct(self._folder, finished)

    def _on_true_labels(self, chosen):
        figure = self._corrected.get(chosen.trial_id)
        if figure is None:
            return ""
        if figure.accuracy is None:
            return f"Accuracy on true labels: not estimated, {figure.reason}.\n"
        return (
            f"Accuracy on true labels, estimated from {chosen.num_valid_labels}"
            f" {self._labels}: {figure.accuracy:.1%} ± "
            f"{figure.standard_error:.1%} (one standard error), by a "
            f"transition matrix {figure.reason}.\n"
        )
