"""What the hypermodels of all methods have in common."""

import dataclasses
from collections.abc import Callable

import keras
import keras_tuner

from limit_tf.models import ClassifierModel
from limit_tf.models.network_model import NetworkModel
from limit_tf.tuning import builders
from limit_tf.tuning.builders import Builder


@dataclasses.dataclass(eq=False, repr=False)
class ClassifierHyperModel(keras_tuner.HyperModel):
    """Searches the learning rate of a classifier.

    A method adds its own arguments as fields, checks them in `__post_init__`,
    and says in `_model` and `_loss` what is trained. Both declare the
    hyperparameters that they need.

    Args:
        build_classifier: Function that builds a network ending in logits,
            `build_classifier(num_classes)`.
        num_classes: Number of classes.
        learning_rates: Least and largest learning rate.
        optimizer: Class or function that is called with `learning_rate=`.
        jit_compile: Whether to compile the steps by XLA.
        name: Name of the hypermodel.
        tunable: Whether keras-tuner searches; otherwise it takes defaults.

    Raises:
        TypeError: If the builder is no function.
        ValueError: If a value is outside its range.
    """

    build_classifier: Builder
    num_classes: int
    _: dataclasses.KW_ONLY
    learning_rates: tuple[float, float] = (1e-4, 1e-2)
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam
    jit_compile: bool | str = "auto"
    name: str | None = None
    tunable: bool = True

    def __post_init__(self):
        """Checks the arguments."""
        super().__init__(name=self.name, tunable=self.tunable)
        builders.check_builder(self.build_classifier, "build_classifier")
        builders.check_num_classes(self.num_classes)
        self.learning_rates = builders.check_range(
            self.learning_rates, "learning_rates"
        )

    def build(self, hp: keras_tuner.HyperParameters) -> NetworkModel:
        """Builds and compiles the model of a trial.

        Args:
            hp: Its hyperparameters.

        Returns:
            A compiled model.
        """
        model = self._model(hp)
        loss = self._loss(hp)
        rate = builders.log_float(hp, "learning_rate", self.learning_rates)
        model.compile(
            optimizer=self.optimizer(learning_rate=rate),
            loss=loss,
            metrics=["accuracy"],
            jit_compile=self.jit_compile,
        )
        return model

    def _model(self, hp):
        """The model of a trial, not compiled yet."""
        return ClassifierModel(self._classifier())

    def _loss(self, hp):
        """The loss to compile it with; None is the model's own."""
        return None

    def _classifier(self):
        return builders.build_network(
            self.build_classifier, "build_classifier", self.num_classes
        )
