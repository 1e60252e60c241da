"""Ends a training whose loss is infinite or no number any more."""

import math

import keras

from limit_tf.divergence import DivergedError


class LossWatch(keras.callbacks.Callback):
    """Stops at the first call of steps whose loss is not finite.

    To stand before the callbacks that save, evaluate or report an epoch.
    """

    # Keras may call it beside the training, once a call's results are there.
    async_safe = True

    def __init__(self):
        super().__init__()
        self._step = None

    def on_train_batch_end(self, batch, logs=None):
        """Ends the epoch once the mean loss so far is not finite."""
        if self._step is None and not _is_finite(logs):
            self._step = batch + 1
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        """Raises, so that nothing of such an epoch is kept."""
        if self._step is None and _is_finite(logs):
            return
        step = "" if self._step is None else f", by step {self._step}"
        raise DivergedError(
            f"The training diverged in epoch {epoch + 1}{step}: its loss is "
            f"{logs['loss']}. The learning rate may be too high "
            "(config.training.learning_rate) or the precision too low "
            "(config.training.precision). Nothing of this epoch is kept."
        )


def _is_finite(logs):
    return math.isfinite((logs or {}).get("loss", 0.0))
