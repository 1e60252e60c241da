"""What happens after each epoch: evaluate, keep the best, report, save."""

import time
from collections.abc import Callable

import keras
import numpy as np

from limit_tf import progress
from limit_tf.experiments import results
from limit_tf.experiments.evaluation import Predictor
from limit_tf.experiments.state import Checkpoint
from limit_tf.experiments.state import RunState
from limit_tf.experiments.tensorboard_log import TensorBoardLog


class EpochEnd(keras.callbacks.Callback):
    """Evaluates after each epoch, keeps the best one and saves the run.

    Args:
        state: Progress of the run; brought up to date after each epoch.
        checkpoint: Where the run is saved.
        data: Noisy splits.
        predict: What predicts with the network that is trained.
        epochs: Most epochs to train.
        patience: Epochs without a better noisy validation accuracy after
            which training stops; None never stops.
        test_every: Epochs between two evaluations on the test images, which
            nothing but the curves uses.
        test_figure: Name of the accuracy on the test images, see `held_out`.
        workdir: Folder of the history and of the TensorBoard logs.
        keep_predictions: Whether the state keeps the predicted classes of the
            validation images.
        stops_early: Decides from the history whether training ends before
            the last epoch.
        description: Label of the progress bar.
    """

    # It does what `LimitModel.fit` would add a callback for.
    adapts_penalty = True

    def __init__(
        self,
        *,
        state: RunState,
        checkpoint: Checkpoint,
        data,
        predict: Predictor,
        epochs: int,
        patience: int | None,
        test_every: int,
        test_figure: str,
        workdir,
        keep_predictions: bool,
        stops_early: Callable[[list[dict]], bool],
        description: str,
    ):
        super().__init__()
        self._state = state
        self._checkpoint = checkpoint
        self._data = data
        self._predict = predict
        self._epochs = epochs
        self._patience = patience
        self._test_every = test_every
        self._test_figure = test_figure
        self._workdir = workdir
        self._keep_predictions = keep_predictions
        self._stops_early = stops_early
        self._description = description
        self._first_epoch = state.num_epochs

    def on_train_begin(self, logs=None):
        """Starts the clock, the progress bar and the TensorBoard log."""
        self._clock = time.monotonic()
        self._board = TensorBoardLog(self._workdir)
        self._bar = progress.bar(
            self._epochs,
            self._description,
            initial=self._state.num_epochs,
            unit="epoch",
            every_one=True,
            dynamic_ncols=True,
            mininterval=0.5,
            leave=None,  # unless it stands below another bar
        )

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the epoch's clock."""
        self._epoch_clock = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates, keeps the best epoch, saves and reports."""
        state = self._state
        if epoch > self._first_epoch:
            state.timed_seconds += time.monotonic() - self._epoch_clock
            state.timed_examples += len(self._data.train)
        figures = {"epoch": epoch + 1, **self._training_figures(logs)}
        figures["valid_accuracy"] = self._validate()
        is_best = state.add_epoch(figures)
        is_last = state.is_finished(
            self._epochs, self._patience
        ) or self._stops_early(state.history)
        if is_last or state.num_epochs % self._test_every == 0:
            test = self._data.test
            figures[self._test_figure] = self._predict.accuracy(
                test.images, test.labels
            )
        if getattr(self.model, "is_adapting", False):
            self.model.adapt_penalty(
                figures["train_accuracy_noisy"],
                [row["valid_accuracy"] for row in state.history],
            )
        now = time.monotonic()
        state.wall_seconds += now - self._clock
        self._clock = now
        results.write_history(self._workdir, state.history)
        self._log(figures)
        self._checkpoint.save(state, is_best, is_last)
        self.model.stop_training = is_last

    def on_train_end(self, logs=None):
        """Closes the progress bar and the TensorBoard log."""
        self._bar.close()
        self._board.close()

    def _training_figures(self, logs):
        names = {"accuracy": "train_accuracy_noisy"}
        return {names.get(k, k): float(v) for k, v in logs.items()}

    def _validate(self):
        part = self._data.validation
        classes = self._predict.classes(part.images)
        if self._keep_predictions:
            self._state.valid_classes.append(classes.astype(np.uint16))
        return float(np.mean(classes == part.labels))

    def _log(self, figures):
        scalars = {k: v for k, v in figures.items() if k != "epoch"}
        self._board.write(scalars, figures["epoch"], self.model)
        state = self._state
        self._bar.set_postfix_str(
            f"noisy validation {figures['valid_accuracy']:.1%}, best "
            f"{state.best_valid_accuracy:.1%} in epoch {state.best_epoch}",
            refresh=False,
        )
        self._bar.update()
