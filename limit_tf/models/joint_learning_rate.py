"""One learning rate that moves two."""

import keras
import tensorflow as tf


class JointRate(keras.Variable):
    """The learning rate of one optimizer, that another's follows.

    It reads as the variable that it stands for, and shares its value. Whoever
    assigns to it moves the other rate in the same proportion.

    Args:
        rate: Learning rate, a variable of an optimizer.
        follower: That of the other optimizer.
        first_ratio: Follower by rate as they were at first, which counts
            where the rate is 0 and tells no ratio. None if it was 0 at first:
            the follower then stays until there is a ratio to keep.
    """

    def __init__(self, rate, follower, first_ratio):
        vars(self).update(vars(rate))  # a view: no value of its own
        self._rate = rate
        self._follower = follower
        self._first_ratio = first_ratio

    def assign(self, value):
        """Sets the rate, and the follower to the same multiple of it.

        Args:
            value: The new rate.

        Returns:
            The new rate.
        """
        old = tf.convert_to_tensor(self._rate.value)
        value = tf.cast(value, old.dtype)
        follower = tf.cast(self._follower, old.dtype)
        in_proportion = value * tf.math.divide_no_nan(follower, old)
        if self._first_ratio is not None:
            follower = value * self._first_ratio
        self._follower.assign(tf.where(old > 0.0, in_proportion, follower))
        return self._rate.assign(value)


@keras.saving.register_keras_serializable(package="limit_tf")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Multiple of another schedule.

    Args:
        schedule: The other schedule.
        factor: What it is multiplied by.
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = float(factor)

    def __call__(self, step):
        """Returns the learning rate of a step."""
        return self.factor * self.schedule(step)

    def get_config(self):
        """Returns the constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        """Builds the schedule from `get_config`'s answer."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def scaled(learning_rate, factor: float):
    """Multiplies what an optimizer takes for a learning rate that changes.

    Args:
        learning_rate: Schedule, or function without arguments.
        factor: What it is multiplied by.

    Returns:
        Another of the same kind.
    """
    if factor == 1.0:
        return learning_rate
    schedule = keras.optimizers.schedules.LearningRateSchedule
    if isinstance(learning_rate, schedule):
        return ScaledSchedule(learning_rate, factor)
    return lambda: factor * learning_rate()


def ratio(rate, follower) -> float | None:
    """Follower by rate.

    Args:
        rate: Learning rate as an optimizer has it now.
        follower: That of the other optimizer.

    Returns:
        A number, or None where the rate is 0.
    """
    rate, follower = (
        float(tf.convert_to_tensor(value)) for value in (rate, follower)
    )
    return follower / rate if rate else None


class PredictorRate(keras.callbacks.Callback):
    """Shows the predictor's learning rate beside the classifier's.

    `LimitModel.fit` adds it where the predictor has an optimizer of its own.
    """

    NAME = "gradient_predictor_learning_rate"
    _SHOW_RATES = (
        keras.callbacks.LearningRateScheduler,
        keras.callbacks.ReduceLROnPlateau,
        keras.callbacks.TensorBoard,
    )

    @classmethod
    def is_wanted(cls, callbacks) -> bool:
        """Whether one of the callbacks shows a learning rate."""
        callbacks = getattr(callbacks, "callbacks", callbacks)
        return any(
            isinstance(callback, cls._SHOW_RATES)
            for callback in keras.tree.flatten(callbacks)
        )

    def on_epoch_end(self, epoch, logs=None):
        """Adds the rate to the figures of the epoch."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        rate = optimizer.gradient_predictor_optimizer.learning_rate
        logs[self.NAME] = float(tf.convert_to_tensor(rate))
