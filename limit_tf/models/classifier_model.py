"""A classifier that is trained by a loss on the given labels."""

import keras
import tensorflow as tf

from limit_tf.models.network_model import NetworkModel
from limit_tf.models.reported_loss import LabelCrossEntropy
from limit_tf.models.reported_loss import share_of_mean
from limit_tf.ops import sum_of_losses


@keras.saving.register_keras_serializable(package="limit_tf")
class ClassifierModel(NetworkModel):
    """Trains a classifier as Keras does, and checks what it is given.

    What it adds to `classifier.fit` is that labels which the classes do not
    have are refused, in arrays and streams, and that inputs are augmented
    inside the training step. The loss is any Keras loss of labels and logits,
    such as those in `limit_tf.losses`.

    Args:
        classifier: Keras model of any kind that ends in logits
            `(batch, num_classes)`. `call`, `predict` and `export` give them.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass.
        seed: Seed of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If the network is not a Keras model.
        ValueError: If it does not end in logits.

    Example:
    ```python
    import keras

    import limit_tf

    classifier = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    model = limit_tf.ClassifierModel(classifier)
    model.compile(
        optimizer="adam",
        loss=limit_tf.losses.GeneralizedCrossEntropy(q=0.7),
        metrics=["accuracy"],
    )
    ```
    """

    LOSS_IS_MINIMISED = True

    def __init__(
        self, classifier, *, augmentation=None, seed=None, name=None, **kwargs
    ):
        super().__init__(
            {"classifier": classifier},
            augmentation=augmentation,
            seed=seed,
            name=name,
            **kwargs,
        )

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """Configures the training; see `keras.Model.compile`.

        Args:
            optimizer: Optimizer of the classifier.
            loss: Loss of labels and logits. None takes the cross-entropy of
                labels of any form.
            *args: Further arguments of `keras.Model.compile`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss expects probabilities.
        """
        if loss is None:
            loss = LabelCrossEntropy()
        super().compile(optimizer, loss, *args, **kwargs)

    def train_step(self, data):
        """Updates the classifier on one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        x = self.augmented(x)
        if self.is_replicated:
            logs = self._replica_step(x, y, sample_weight)
        else:
            logs = super().train_step((x, y, sample_weight))
        self.train_steps.assign_add(1)
        return logs

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        return super().test_step(self.unpacked(data))

    def _replica_step(self, x, y, sample_weight):
        """Keras's step, with the mean over the batches of all replicas."""
        factor = share_of_mean(self._loss, y, sample_weight)
        gradients, logits, loss = self.on_replica(
            self._gradients, x, y, sample_weight, factor
        )
        self.report({"loss": loss}, tf.shape(logits)[0])
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.compute_metrics(x, y, logits, sample_weight)

    def _gradients(self, x, y, sample_weight, factor):
        """Gradients of the classifier, its logits and its loss."""
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.compute_loss(x, y, logits, sample_weight, training=True)
            penalty = sum_of_losses(self.losses)
            scaled = self.optimizer.scale_loss(
                factor * (loss - penalty) + penalty
            )
        gradients = tape.gradient(scaled, self.trainable_variables)
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        return gradients, logits, num_replicas * loss
