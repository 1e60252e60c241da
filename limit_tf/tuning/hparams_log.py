"""Hyperparameters and results for TensorBoard's HParams page."""

import pathlib

import keras_tuner
import tensorflow as tf

METRICS = {
    "best_valid_accuracy": "best noisy-validation accuracy",
    "valid_cross_entropy": "noisy-validation cross-entropy",
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
                api.Metric(tag, display_name=name)
                for tag, name in METRICS.items()
            ],
        )


def write_trial(
    folder: pathlib.Path, trial_id: str, values: dict, outcome: dict
) -> None:
    """Writes a row of the page: a finished trial.

    Args:
        folder: Folder of the trial.
        trial_id: Name of the trial.
        values: Values that the search has set, by dotted key.
        outcome: Contents of the trial's `results.json`.
    """
    from tensorboard.plugins.hparams import api

    figures = {"best_valid_accuracy": "valid_accuracy"}
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    with writer.as_default(step=outcome["best_epoch"]):
        api.hparams(
            {
                key: "none" if value is None else value
                for key, value in values.items()
            },
            trial_id=trial_id,
        )
        for tag in METRICS:
            tf.summary.scalar(tag, outcome[figures.get(tag, tag)])
    writer.close()
