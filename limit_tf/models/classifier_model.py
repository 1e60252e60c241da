"""A classifier that is trained by a loss on the given labels."""

import keras

from limit_tf.models.network_model import NetworkModel
from limit_tf.models.reported_loss import LabelCrossEntropy


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

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """Configures the training; see `keras.Model.compile`.

        Args:
            optimizer: Optimizer of the classifier.
            loss: Loss of labels and logits. None takes the cross-entropy of
                labels of any form.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss expects probabilities.
        """
        if loss is None:
            loss = LabelCrossEntropy()
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def train_step(self, data):
        """Updates the classifier on one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        logs = super().train_step((self.augmented(x), y, sample_weight))
        self.train_steps.assign_add(1)
        return logs

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        return super().test_step(self.unpacked(data))
