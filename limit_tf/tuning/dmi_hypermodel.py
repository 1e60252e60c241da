"""Determinant mutual information for a keras-tuner program of one's own."""

import dataclasses

import keras

from limit_tf import losses
from limit_tf.models import copy_weights
from limit_tf.tuning.classifier_hypermodel import ClassifierHyperModel


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class DmiHyperModel(ClassifierHyperModel):
    """Searches the learning rate of the determinant mutual information.

    From random weights the determinant gives no direction: training starts
    from a network that cross-entropy has trained on the same labels.
    Hyperparameter: `learning_rate`.

    Args:
        build_classifier: Function that builds a network ending in logits,
            `build_classifier(num_classes)`.
        num_classes: Number of classes.
        start_from: Built network of the same architecture, trained by
            cross-entropy; every trial starts from its weights.
        learning_rates: Least and largest learning rate.
        optimizer: Class or function that is called with `learning_rate=`.
        jit_compile: Whether to compile the steps by XLA.
        name: Name of the hypermodel.
        tunable: Whether keras-tuner searches; otherwise it takes defaults.

    Raises:
        TypeError: If the builder is no function, or `start_from` no model.
        ValueError: If a value is outside its range.

    Example:
    ```python
    import keras
    import keras_tuner

    from limit_tf.tuning import DmiHyperModel

    def build_classifier(num_classes):
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(num_classes)]
        )

    trained = build_classifier(3)  # by cross-entropy
    hypermodel = DmiHyperModel(build_classifier, 3, start_from=trained)
    model = hypermodel.build(keras_tuner.HyperParameters())
    ```
    """

    start_from: keras.Model
    learning_rates: tuple[float, float] = (1e-6, 1e-3)

    def __post_init__(self):
        """Checks the arguments."""
        super().__post_init__()
        if not isinstance(self.start_from, keras.Model):
            raise TypeError(
                "`start_from` must be a Keras model. Received: "
                f"start_from={self.start_from!r}"
            )

    def _loss(self, hp):
        return losses.DeterminantMutualInformation()

    def _classifier(self):
        classifier = super()._classifier()
        copy_weights(self.start_from, classifier)
        return classifier
