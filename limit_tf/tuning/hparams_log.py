"""Hyperparameters and results for TensorBoard's HParams page."""

import pathlib

import keras_tuner
import tensorflow as tf

from limit_tf.tuning.trials import FinishedTrial

METRICS = {
    "mean_accuracy": "validation accuracy, best mean",
    "valid_accuracy": "validation accuracy, best epoch",
    "valid_cross_entropy": "validation cross-entropy",
}


def write_space(
    folder: pathlib.Path, hyperparameters: keras_tuner.HyperParameters
) -> None:
    """Writes what the page's columns are, once a search.

    Args:
        folder: Folder of the search; `tensorboard --logdir` takes it.
        hyperparameters: Space of the search.
    """
    from tensorboard.plugins.hparams import api

    logs = folder / "tensorboard"
    if logs.exists():
        return
    names = dict.fromkeys(hp.name for hp in hyperparameters.space)
    with tf.summary.create_file_writer(str(logs)).as_default():
        api.hparams_config(
            hparams=[api.HParam(name) for name in names],
            metrics=[
                api.Metric(f"trial/{tag}", display_name=name)
                for tag, name in METRICS.items()
            ],
        )


def write_trial(folder: pathlib.Path, trial: FinishedTrial) -> None:
    """Writes a row of the page: a finished trial.

    Args:
        folder: Folder of the trial.
        trial: What it came to.
    """
    from tensorboard.plugins.hparams import api

    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    with writer.as_default(step=trial.best_epoch):
        api.hparams(
            {
                key: "none" if value is None else value
                for key, value in trial.values.items()
            },
            trial_id=trial.trial_id,
        )
        for tag in METRICS:
            tf.summary.scalar(f"trial/{tag}", getattr(trial, tag))
    writer.close()
