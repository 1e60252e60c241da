"""The baselines' own parameters for a keras-tuner program of one's own."""

from collections.abc import Callable

import keras
import keras_tuner

from limit_tf import losses
from limit_tf.models import ClassifierModel
from limit_tf.models import ElrModel
from limit_tf.models import copy_weights
from limit_tf.tuning import builders
from limit_tf.tuning.builders import Builder


class _ClassifierHyperModel(keras_tuner.HyperModel):
    """Builds a classifier, searches its learning rate, compiles its model."""

    def __init__(
        self,
        build_classifier,
        num_classes,
        *,
        learning_rates,
        optimizer,
        jit_compile,
        name,
        tunable,
    ):
        super().__init__(name=name, tunable=tunable)
        builders.check_builder(build_classifier, "build_classifier")
        builders.check_num_classes(num_classes)
        self._build_classifier = build_classifier
        self._num_classes = num_classes
        self._learning_rates = builders.check_range(
            learning_rates, "learning_rates"
        )
        self._optimizer = optimizer
        self._jit_compile = jit_compile

    def _classifier(self):
        return builders.build_network(
            self._build_classifier, "build_classifier", self._num_classes
        )

    def _compiled(self, hp, model, loss=None):
        rate = hp.Float(
            "learning_rate",
            *self._learning_rates,
            sampling="log",
            default=builders.middle(self._learning_rates),
        )
        model.compile(
            optimizer=self._optimizer(learning_rate=rate),
            loss=loss,
            metrics=["accuracy"],
            jit_compile=self._jit_compile,
        )
        return model


class GceHyperModel(_ClassifierHyperModel):
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

    def __init__(
        self,
        build_classifier: Builder,
        num_classes: int,
        *,
        exponents: tuple[float, float] = (0.05, 0.95),
        learning_rates: tuple[float, float] = (1e-4, 1e-2),
        optimizer: Callable[..., keras.optimizers.Optimizer] = (
            keras.optimizers.Adam
        ),
        jit_compile: bool | str = "auto",
        name: str | None = None,
        tunable: bool = True,
    ):
        super().__init__(
            build_classifier,
            num_classes,
            learning_rates=learning_rates,
            optimizer=optimizer,
            jit_compile=jit_compile,
            name=name,
            tunable=tunable,
        )
        self._exponents = builders.check_range(
            exponents, "exponents", below=1.0
        )

    def build(self, hp: keras_tuner.HyperParameters) -> ClassifierModel:
        """Builds and compiles the model of a trial."""
        low, high = self._exponents
        q = hp.Float("q", low, high, default=min(max(0.7, low), high))
        return self._compiled(
            hp,
            ClassifierModel(self._classifier()),
            losses.GeneralizedCrossEntropy(q=q),
        )


class DmiHyperModel(_ClassifierHyperModel):
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

    def __init__(
        self,
        build_classifier: Builder,
        num_classes: int,
        *,
        start_from: keras.Model,
        learning_rates: tuple[float, float] = (1e-6, 1e-3),
        optimizer: Callable[..., keras.optimizers.Optimizer] = (
            keras.optimizers.Adam
        ),
        jit_compile: bool | str = "auto",
        name: str | None = None,
        tunable: bool = True,
    ):
        super().__init__(
            build_classifier,
            num_classes,
            learning_rates=learning_rates,
            optimizer=optimizer,
            jit_compile=jit_compile,
            name=name,
            tunable=tunable,
        )
        if not isinstance(start_from, keras.Model):
            raise TypeError(
                "`start_from` must be a Keras model. Received: "
                f"start_from={start_from!r}"
            )
        self._start_from = start_from

    def build(self, hp: keras_tuner.HyperParameters) -> ClassifierModel:
        """Builds and compiles the model of a trial."""
        classifier = self._classifier()
        copy_weights(self._start_from, classifier)
        return self._compiled(
            hp,
            ClassifierModel(classifier),
            losses.DeterminantMutualInformation(),
        )


class ElrHyperModel(_ClassifierHyperModel):
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

    def __init__(
        self,
        build_classifier: Builder,
        num_classes: int,
        *,
        num_examples: int,
        regularizations: tuple[float, float] = (1.0, 10.0),
        target_momenta: tuple[float, float] = (0.5, 0.99),
        learning_rates: tuple[float, float] = (1e-4, 1e-2),
        optimizer: Callable[..., keras.optimizers.Optimizer] = (
            keras.optimizers.Adam
        ),
        jit_compile: bool | str = "auto",
        name: str | None = None,
        tunable: bool = True,
    ):
        super().__init__(
            build_classifier,
            num_classes,
            learning_rates=learning_rates,
            optimizer=optimizer,
            jit_compile=jit_compile,
            name=name,
            tunable=tunable,
        )
        self._num_examples = num_examples
        self._regularizations = builders.check_range(
            regularizations, "regularizations"
        )
        self._target_momenta = builders.check_range(
            target_momenta, "target_momenta", below=1.0
        )

    def build(self, hp: keras_tuner.HyperParameters) -> ElrModel:
        """Builds and compiles the model of a trial."""
        regularization = hp.Float(
            "regularization",
            *self._regularizations,
            sampling="log",
            default=builders.middle(self._regularizations),
        )
        momentum = hp.Float(
            "target_momentum",
            *self._target_momenta,
            default=sum(self._target_momenta) / 2,
        )
        return self._compiled(
            hp,
            ElrModel(
                self._classifier(),
                self._num_examples,
                num_classes=self._num_classes,
                regularization=regularization,
                target_momentum=momentum,
            ),
        )
