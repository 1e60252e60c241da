"""What a family of gradient distributions must be able to do."""

import tensorflow as tf


class GradientDistribution:
    """Family of the distribution `q` of the logit gradient (section 3.3).

    A family of one's own implements `matching_loss`, and `sample` and
    `scale_from_lambda` if it can be sampled. It is registered with
    `keras.saving.register_keras_serializable`, so that models that use it can
    be saved.
    """

    can_sample = True

    def matching_loss(
        self,
        predicted_gradient: tf.Tensor,
        true_gradient: tf.Tensor,
        predictor_logits: tf.Tensor,
        labels: tf.Tensor,
    ) -> tf.Tensor:
        """Loss of each example that fits the gradient predictor.

        Args:
            predicted_gradient: `mu`, `(batch, num_classes)`, float32.
            true_gradient: `g`, `(batch, num_classes)`, float32.
            predictor_logits: `r`, `(batch, num_classes)`.
            labels: Label distributions `(batch, num_classes)`, float32.

        Returns:
            Tensor `(batch,)`, float32, summed over the classes.
        """
        raise NotImplementedError

    def sample(
        self, predicted_gradient: tf.Tensor, scale: float, seed: tf.Tensor
    ) -> tf.Tensor:
        """Draws a gradient for each example.

        Args:
            predicted_gradient: `mu`, `(batch, num_classes)`, float32.
            scale: Standard deviation of every coordinate.
            seed: Two integers, shape `(2,)`; the same seed draws the same.

        Returns:
            Tensor `(batch, num_classes)`, float32.
        """
        raise NotImplementedError

    def scale_from_lambda(self, lambda_: float) -> float:
        """Standard deviation that the paper's `lambda` stands for."""
        raise ValueError(
            f"{type(self).__name__} has no spread that `lambda_` could set."
        )

    def get_config(self) -> dict:
        """Constructor arguments, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "GradientDistribution":
        """Builds the distribution from `get_config`'s answer."""
        return cls(**config)
