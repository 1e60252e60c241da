"""The seed of what training steps draw."""

import keras
import numpy as np
import tensorflow as tf


class StepSeed:
    """A seed that is state: whoever goes on with a run draws as it did.

    It is a variable, which a graph reads anew, and none of the model's
    weights, whose number it would change.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int):
        self._value = keras.Variable(
            seed, dtype="int64", trainable=False, name="seed"
        )

    def assign(self, seed) -> None:
        """Sets the seed."""
        self._value.assign(np.asarray(seed, np.int64))

    def numpy(self) -> np.ndarray:
        """The seed, an int64."""
        return self._value.numpy()

    def tensor(self, dtype) -> tf.Tensor:
        """The seed as a scalar that a graph reads when it runs."""
        return tf.cast(self._value.value, dtype)
