"""Early-learning regularisation for a keras-tuner program of one's own."""

import dataclasses

from limit_tf.models import ElrModel
from limit_tf.tuning import builders
from limit_tf.tuning.classifier_hypermodel import ClassifierHyperModel


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class ElrHyperModel(ClassifierHyperModel):
    """Searches the weight and the momentum of early-learning regularisation.

    Hyperparameters: `regularization`, `target_momentum`, `learning_rate`.
    Training inputs carry the ids of their examples, see `ElrModel`.

    Args:
        build_classifier: Function that builds a network ending in logits,
            `build_classifier(num_classes)`.
        num_classes: Number of classes.
        num_examples: Number of training examples.
        regularizations: Least and largest weight.
        target_momenta: Least and largest momentum.
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

    from limit_tf.tuning import ElrHyperModel

    def build_classifier(num_classes):
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(num_classes)]
        )

    hypermodel = ElrHyperModel(build_classifier, 3, num_examples=100)
    model = hypermodel.build(keras_tuner.HyperParameters())
    ```
    """

    num_examples: int
    regularizations: tuple[float, float] = (1.0, 10.0)
    target_momenta: tuple[float, float] = (0.5, 0.99)

    def __post_init__(self):
        """Checks the arguments."""
        super().__post_init__()
        self.regularizations = builders.check_range(
            self.regularizations, "regularizations"
        )
        self.target_momenta = builders.check_range(
            self.target_momenta, "target_momenta", below=1.0
        )

    def _model(self, hp):
        regularization = builders.log_float(
            hp, "regularization", self.regularizations
        )
        momentum = hp.Float(
            "target_momentum",
            *self.target_momenta,
            default=sum(self.target_momenta) / 2,
        )
        return ElrModel(
            self._classifier(),
            self.num_examples,
            num_classes=self.num_classes,
            regularization=regularization,
            target_momentum=momentum,
        )
