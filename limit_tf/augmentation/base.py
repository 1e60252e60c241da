"""What a random augmentation must be able to do."""

import tensorflow as tf


class Augmentation:
    """Random change of a batch of images, drawn inside the training step.

    An augmentation of one's own implements `__call__` and, if its constructor
    takes arguments, `get_config`. It holds no state: the seed decides what is
    drawn. It is registered with `keras.saving.register_keras_serializable`, so
    that models that use it can be saved.
    """

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changes every image by a draw of its own.

        Args:
            images: `(batch, height, width, channels)`.
            seed: Two integers, shape `(2,)`; the same seed draws the same.

        Returns:
            The changed images, of the same dtype.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """Constructor arguments, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Augmentation":
        """Builds the augmentation from `get_config`'s answer."""
        return cls(**config)
