"""Generalised cross-entropy for a keras-tuner program of one's own."""

import dataclasses

from limit_tf import losses
from limit_tf.tuning import builders
from limit_tf.tuning.classifier_hypermodel import ClassifierHyperModel


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class GceHyperModel(ClassifierHyperModel):
    """Searches the exponent of generalised cross-entropy.

    Hyperparameters: `q` and `learning_rate`.

    Args:
        build_classifier: Function that builds a network ending in logits,
            `build_classifier(num_classes)`.
        num_classes: Number of classes.
        exponents: Least and largest `q`: near 0 the loss is cross-entropy,
            near 1 the mean absolute error.
        learning_rates: Least and largest learning rate.
        optimizer: Class or function that is called with `learning_rate=`.
        jit_compile: Whether to compile the steps by XLA.
        name: Name of the hypermodel.
        tunable: Whether keras-tuner searches; otherwise it takes defaults.

    Raises:
        TypeError: If the builder is no function.
        ValueError: If a value is outside its range.

    Example:
    ```python
    import keras
    import keras_tuner

    from limit_tf.tuning import GceHyperModel

    def build_classifier(num_classes):
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(num_classes)]
        )

    hypermodel = GceHyperModel(build_classifier, num_classes=3)
    model = hypermodel.build(keras_tuner.HyperParameters())
    ```
    """

    exponents: tuple[float, float] = (0.05, 0.95)

    def __post_init__(self):
        """Checks the arguments."""
        super().__post_init__()
        self.exponents = builders.check_range(
            self.exponents, "exponents", below=1.0
        )

    def _loss(self, hp):
        low, high = self.exponents
        q = hp.Float("q", low, high, default=min(max(0.7, low), high))
        return losses.GeneralizedCrossEntropy(q=q)
