"""What a run writes for TensorBoard."""

import pathlib

import keras
import tensorflow as tf

FOLDER = "tensorboard"
_TRAIN = "train"
# Figures that belong into one chart: a tag, and a log for each part. All
# others are of the training.
_CHARTS = {
    "train_accuracy_noisy": (_TRAIN, "accuracy"),
    "valid_accuracy": ("validation", "accuracy"),
    "test_accuracy": ("test", "accuracy"),
    "held_out_accuracy": ("held_out", "accuracy"),
}


class TensorBoardLog:
    """Figures of a run, with train, validation and test in one chart.

    Args:
        workdir: Folder of the run.
    """

    def __init__(self, workdir: pathlib.Path):
        self._folder = workdir / FOLDER
        self._writers = {}

    def write(
        self, figures: dict[str, float], epoch: int, model: keras.Model
    ) -> None:
        """Writes the figures of an epoch.

        Args:
            figures: Figures by name.
            epoch: Number of the epoch.
            model: Compiled model, for its learning rate and its penalty.
        """
        figures = {**figures, **_settings(model)}
        for name, value in figures.items():
            part, tag = _CHARTS.get(name, (_TRAIN, name))
            with self._writer(part).as_default(step=epoch):
                tf.summary.scalar(tag, value)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, part):
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(
                str(self._folder / part)
            )
        return self._writers[part]


def _settings(model):
    """What may change from epoch to epoch without being a result."""
    rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
    settings = {"learning_rate": float(rate)}
    if hasattr(model, "penalty_weight"):
        settings["penalty_weight"] = float(model.penalty_weight)
    return settings
