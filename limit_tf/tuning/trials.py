"""The finished trials of a search, as their folders tell them."""

import dataclasses
import json
import pathlib
import statistics

import numpy as np

from limit_tf.experiments import results
from limit_tf.experiments.experiment import PREDICTIONS_FILE
from limit_tf.tuning.smoothing import best_window
from limit_tf.tuning.smoothing import window_of

FOLDER = "trials"
# Why the rule of the median ended a trial.
PRUNED = "pruned"


@dataclasses.dataclass(frozen=True)
class FinishedTrial:
    """One finished trial.

    Attributes:
        trial_id: Name of its folder.
        values: Values that the search has set, by their dotted key.
        valid_accuracy: Best accuracy on the noisy validation labels.
        valid_cross_entropy: Cross-entropy on them in the same epoch.
        num_valid_labels: Number of these labels.
        test_accuracy: Accuracy on the test labels; None where nobody vouches
            for them. Nothing is chosen by it.
        epochs: Most epochs that it was given.
        num_epochs: Number of epochs that it was trained.
        best_epoch: Epoch of the best accuracy.
        stopped_early: Why it ended before the last epoch; None if it did not,
            or by its own patience.
        seconds: Seconds of its training.
        hits: For each of the noisy validation labels, in which share of the
            consecutive epochs of the best mean accuracy it is predicted,
            `(num_valid_labels,)`.
        train_accuracy: Mean accuracy on the training labels in these epochs,
            while they were trained on.
        held_out_accuracy: Accuracy on held-out labels that nobody has checked;
            None where the test labels are checked.
    """

    trial_id: str
    values: dict
    valid_accuracy: float
    valid_cross_entropy: float
    num_valid_labels: int
    test_accuracy: float | None
    epochs: int
    num_epochs: int
    best_epoch: int
    stopped_early: str | None
    seconds: float
    hits: np.ndarray = dataclasses.field(compare=False, repr=False)
    train_accuracy: float
    held_out_accuracy: float | None = None

    @property
    def mean_accuracy(self) -> float:
        """Best mean accuracy of consecutive epochs; trials are judged by it."""
        return float(self.hits.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean accuracy."""
        return error_of_mean(self.hits)

    @property
    def memorised(self) -> float:
        """Share of the labels that inputs do not tell which is memorised.

        Where the validation labels are as noisy as those of the training,
        `1 - mean_accuracy` of either cannot be told; by what the accuracy on
        the training labels is ahead, they are known all the same. By chance,
        the figure may lie below zero.
        """
        untold = 1.0 - self.mean_accuracy
        ahead = self.train_accuracy - self.mean_accuracy
        return ahead / untold if untold else 0.0


def error_of_mean(values: np.ndarray) -> float:
    """Standard error of the mean of `n` values: `sqrt(var / n)`.

    The variance's denominator is `n - 1`.
    """
    return float(np.sqrt(values.var() / max(len(values) - 1, 1)))


def read_trials(folder: pathlib.Path, keys: list[str]) -> list[FinishedTrial]:
    """Reads the finished trials of a search.

    Args:
        folder: Folder of the search.
        keys: Dotted keys of the values that the search sets.

    Returns:
        The trials in the order of their numbers.
    """
    files = pathlib.Path(folder, FOLDER).glob("*/results.json")
    return [
        read_trial(file.parent, keys)
        for file in sorted(files, key=lambda file: int(file.parent.name))
    ]


def read_trial(folder: pathlib.Path, keys: list[str]) -> FinishedTrial:
    """Reads a finished trial.

    Args:
        folder: Folder of the trial.
        keys: Dotted keys of the values that the search sets.

    Returns:
        The trial.
    """
    outcome = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    config = outcome["config"]
    epochs = config["training"]["epochs"]
    is_hit = _hits(folder)
    window = best_window(is_hit.mean(axis=1), window_of(epochs))
    history = results.read_history(folder)[window]
    return FinishedTrial(
        trial_id=folder.name,
        values={key: value_at(config, key) for key in keys},
        valid_accuracy=outcome["valid_accuracy"],
        valid_cross_entropy=outcome["valid_cross_entropy"],
        num_valid_labels=outcome["num_valid_examples"],
        test_accuracy=outcome["test_accuracy"],
        held_out_accuracy=outcome.get("held_out_accuracy"),
        epochs=epochs,
        num_epochs=outcome["num_epochs"],
        best_epoch=outcome["best_epoch"],
        stopped_early=outcome["stopped_early"],
        seconds=outcome["wall_seconds"],
        hits=is_hit[window].mean(axis=0),
        train_accuracy=statistics.mean(
            row["train_accuracy_noisy"] for row in history
        ),
    )


def read_accuracies(folder: pathlib.Path) -> dict[str, list[float]]:
    """Reads the noisy-validation accuracies of trials that ran to their end.

    Args:
        folder: Folder of the search.

    Returns:
        For each trial's id, the accuracies after its epochs. Trials that were
        stopped are left out.
    """
    accuracies = {}
    for file in pathlib.Path(folder, FOLDER).glob("*/results.json"):
        outcome = json.loads(file.read_text(encoding="utf-8"))
        if outcome["stopped_early"] is None:
            accuracies[file.parent.name] = [
                row["valid_accuracy"]
                for row in results.read_history(file.parent)
            ]
    return accuracies


def read_predictions(
    folder: pathlib.Path, trial_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """Reads what a finished trial's best epoch predicts.

    Args:
        folder: Folder of the search.
        trial_id: Name of the trial.

    Returns:
        Logits of the validation images, `(n, num_classes)`, float32, and their
        noisy labels, `(n,)`.
    """
    file = pathlib.Path(folder, FOLDER, trial_id, PREDICTIONS_FILE)
    with np.load(file) as arrays:
        return arrays["logits"], arrays["labels"]


def value_at(config: dict, key: str):
    """Returns the value of a dotted key in a nested dictionary."""
    for part in key.split("."):
        config = config[part]
    return config


def set_values(config, values: dict) -> None:
    """Sets values of a configuration by their dotted keys."""
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (value_at(config, section) if section else config)[name] = value


def _hits(folder):
    with np.load(folder / PREDICTIONS_FILE) as arrays:
        return arrays["classes"] == arrays["labels"]
