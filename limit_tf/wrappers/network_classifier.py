"""What the estimators have in common, on top of Keras's own wrapper.

They extend `keras.wrappers.SKLearnClassifier` and not SciKeras: scikit-learn
1.9 does not take the estimators of SciKeras's last release (0.13.0) for
classifiers (it lacks `__sklearn_tags__`, and the order of its mixins hides
scikit-learn's), so that cross-validation does not stratify. Keras's wrapper
gives the type and the tags. Its `fit` and `predict` are replaced: they take no
images, forget the arguments in clones, and know no probabilities.
"""

import contextlib
import random

import keras
import numpy as np
import scipy.special
import sklearn.base
import tensorflow as tf
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from sklearn.utils.validation import validate_data

from limit_tf import data
from limit_tf import nets
from limit_tf.models.network_copy import check_origin
from limit_tf.models.network_copy import network_copy
from limit_tf.models.weight_checks import check_weights
from limit_tf.noise.arguments import check_integer

_HIDDEN_UNITS = 256
_NUM_HIDDEN_LAYERS = 2
_NUM_FOR_STATISTICS = 10_000  # at least, if there are so many examples
_PREDICTION_BATCH_SIZE = 1024


class NetworkClassifier(keras.wrappers.SKLearnClassifier):
    """Trains a Keras model on arrays, as scikit-learn's estimators do.

    A subclass has a constructor that stores the arguments named here, among
    others, and implements `make_model`.

    Attributes:
        classes_: Labels of the `K` classes, sorted.
        n_features_in_: Second dimension of `X`.
        input_shape_: Shape of one example.
        model_: The trained `keras.Model`.
        history_: Figures of every epoch: lists by name.
    """

    def make_model(self, inputs: np.ndarray, num_classes: int, seed: int):
        """Builds the model that `fit` compiles and trains.

        Args:
            inputs: Training inputs, float32, or uint8 images.
            num_classes: Number of classes.
            seed: Seed of whatever the model draws.

        Returns:
            A `limit_tf.models.NetworkModel`.
        """
        raise NotImplementedError

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        """Trains a new model.

        Args:
            X: Examples, shape `(n, ...)`: rows of numbers, or images. Images
                in uint8, shape `(n, height, width, channels)`, reach the
                network as they are, anything else as float32.
            y: Labels of any kind, shape `(n,)`.
            sample_weight: Non-negative weights, shape `(n,)`.

        Returns:
            The estimator.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If an argument of `fit` or of the constructor breaks a
                rule, and which.
        """
        self._check_arguments()
        _refuse_missing(y)
        X, y = validate_data(  # noqa: N806
            self, X, y, allow_nd=True, ensure_min_samples=2
        )
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "`y` must hold more than one class. "
                f"Received: {len(self.classes_)} class"
            )
        columns = [_network_inputs(X), labels.astype(np.int64)]
        if sample_weight is not None:
            columns.append(_checked_weights(sample_weight, len(labels)))
        self.input_shape_ = X.shape[1:]
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        train, validation = self._split(columns, seed)
        model = self._built_model(train[0], seed)
        self.history_ = self._train(model, train, validation, seed)
        # Their graphs hold on to the training data.
        model.train_function = model.test_function = None
        self.model_ = model
        return self

    def predict(self, X):  # noqa: N803
        """Returns the classifier's labels.

        Args:
            X: Examples, shape `(n, ...)`.

        Returns:
            Labels, shape `(n,)`, of the kind that `fit` was given.
        """
        check_is_fitted(self)
        return self.classes_[self.logits(X).argmax(axis=1)]

    def predict_proba(self, X):  # noqa: N803
        """Returns the probabilities of the classes.

        Args:
            X: Examples, shape `(n, ...)`.

        Returns:
            Probabilities in the order of `classes_`, shape `(n, K)`, float64.
        """
        return scipy.special.softmax(self.logits(X), axis=1)

    def decision_function(self, X):  # noqa: N803
        """Returns how much speaks for a class.

        Args:
            X: Examples, shape `(n, ...)`.

        Returns:
            Logits in the order of `classes_`, shape `(n, K)`, float64; of two
            classes the second less the first, shape `(n,)`.
        """
        logits = self.logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def logits(self, X, network=None):  # noqa: N803
        """Returns what a network answers.

        Args:
            X: Examples, shape `(n, ...)`.
            network: Network of `model_`; None for the classifier.

        Returns:
            Logits in the order of `classes_`, shape `(n, K)`, float64.

        Raises:
            ValueError: If the examples have another shape than those of `fit`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, allow_nd=True)  # noqa: N806
        if X.shape[1:] != self.input_shape_:
            raise ValueError(
                "`X` must hold examples of the shape that `fit` was given, "
                f"{self.input_shape_}. Received: {X.shape[1:]}"
            )
        network = self.model_ if network is None else network
        network.jit_compile = _has_gpu()
        inputs = _network_inputs(X)
        # `predict` would spend more time on its data set than on small data.
        batches = [
            network.predict_on_batch(inputs[i : i + _PREDICTION_BATCH_SIZE])
            for i in range(0, len(inputs), _PREDICTION_BATCH_SIZE)
        ]
        return np.concatenate(batches).astype(np.float64)

    @property
    def epoch_(self) -> int:
        """Number of epochs that the model was trained for."""
        return len(getattr(self, "history_", {}).get("loss", ()))

    def build_network(
        self, network, argument: str, inputs: np.ndarray, num_classes: int
    ):
        """Builds a network; one that is given is copied.

        Args:
            network: Argument of the constructor.
            argument: Its name.
            inputs: Training inputs.
            num_classes: Number of classes.

        Returns:
            A Keras model.

        Raises:
            TypeError: If it is neither a model, nor callable, nor None.
        """
        if network is None:
            return _default_network(inputs, num_classes)
        if isinstance(network, keras.Model):
            return network_copy(
                network, argument, origin=self.network_from, shift_seeds=False
            )
        if callable(network):
            return network(
                input_shape=inputs.shape[1:], num_classes=num_classes
            )
        raise TypeError(
            f"`{argument}` must be a Keras model, a function or None. "
            f"Received: {argument}={network!r}"
        )

    def _check_arguments(self):
        check_origin(self.network_from, "network_from", False)
        check_integer(self.epochs, "epochs", low=1)
        check_integer(self.batch_size, "batch_size", low=1)
        fraction = self.validation_fraction
        if not 0.0 <= fraction < 1.0:
            raise ValueError(
                "`validation_fraction` must lie in [0, 1). "
                f"Received: validation_fraction={fraction}"
            )
        if self.patience is not None:
            check_integer(self.patience, "patience", low=1)
            if not fraction:
                raise ValueError(
                    "`validation_fraction` must be positive where `patience` "
                    "is given. Received: validation_fraction=0.0"
                )

    def _split(self, columns, seed):
        """Columns to train on, and to validate on if there are any."""
        if not self.validation_fraction:
            return columns, None
        try:
            rows = train_test_split(
                np.arange(len(columns[1])),
                test_size=self.validation_fraction,
                stratify=columns[1],
                random_state=seed,
            )
        except ValueError as error:
            raise ValueError(
                "`validation_fraction` must leave examples of every class on "
                "both sides. Received: validation_fraction="
                f"{self.validation_fraction} ({error})"
            ) from error
        return [[column[part] for column in columns] for part in rows]

    def _built_model(self, inputs, seed):
        num_classes = len(self.classes_)
        with _layers_seeded(seed):
            model = self.make_model(inputs, num_classes, seed)
            num_logits = model.prepare(inputs)
        if num_logits != num_classes:
            raise ValueError(
                f"`network` must end in {num_classes} logits, one for each "
                f"class of `y`. Received: {num_logits} logits"
            )
        return model

    def _train(self, model, train, validation, seed):
        inputs, labels, *weights = train
        steps_per_epoch = data.num_batches(len(labels), self.batch_size)
        model.compile(
            optimizer=self._new_optimizer(),
            metrics=["accuracy"],
            steps_per_execution=data.steps_per_execution(None, steps_per_epoch),
            jit_compile=_has_gpu(),  # On a CPU, oneDNN's kernels are faster.
        )
        options, callbacks = {}, []
        if validation is not None:
            options["validation_data"] = data.evaluation_dataset(
                *validation[:2], batch_size=_PREDICTION_BATCH_SIZE
            )
        if self.patience is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_accuracy",
                    mode="max",
                    patience=self.patience,
                    restore_best_weights=True,
                )
            )
        stream = data.training_dataset(
            inputs,
            labels,
            batch_size=self.batch_size,
            seed=seed,
            epoch=0,
            num_epochs=self.epochs,
            sample_weight=weights[0] if weights else None,
        )
        history = model.fit(
            stream,
            epochs=self.epochs,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,  # The stream is.
            callbacks=callbacks,
            verbose=self.verbose,
            **options,
        )
        return history.history

    def _new_optimizer(self):
        optimizer = self.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer):
            optimizer = type(optimizer).from_config(optimizer.get_config())
        optimizer = keras.optimizers.get(optimizer)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        return optimizer

    def __sklearn_clone__(self):
        """Returns an unfitted estimator with copies of the arguments."""
        return sklearn.base.BaseEstimator.__sklearn_clone__(self)

    def __sklearn_tags__(self):
        """Returns the tags of Keras's wrapper, and that images are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _network_inputs(values):
    """Arrays as the network is to see them."""
    if values.dtype == np.uint8 and values.ndim == 4:
        return values
    with np.errstate(over="ignore"):  # Infinities are refused below.
        inputs = values.astype(np.float32, copy=False)
    if not np.isfinite(inputs).all():
        raise ValueError(
            "`X` must hold numbers that float32 can hold. Received: "
            f"numbers from {values.min():.3g} to {values.max():.3g}"
        )
    return inputs


def _checked_weights(sample_weight, num_examples):
    check_weights(sample_weight, num_examples)
    weights = np.asarray(sample_weight, np.float32).reshape(-1)
    if not weights.any():
        raise ValueError(
            "`sample_weight` must hold a weight above zero. Received: "
            f"{num_examples} zeros"
        )
    return weights


def _refuse_missing(y):
    """Refuses missing labels, of which scikit-learn finds NaN alone."""
    labels = np.asarray(y)
    if labels.dtype.kind != "O":
        return
    is_missing = np.array([label is None for label in labels.reshape(-1)])
    if is_missing.any():
        raise ValueError(
            "`y` must hold a label of every example. Received: "
            f"{np.count_nonzero(is_missing)} missing of {is_missing.size}, the "
            f"first y[{int(is_missing.argmax())}]=None"
        )


def _default_network(inputs, num_classes):
    """Perceptron that standardises its inputs, channel by channel."""
    some = inputs[:: max(1, len(inputs) // _NUM_FOR_STATISTICS)]
    axes = tuple(range(inputs.ndim - 1))
    std = some.std(axis=axes, dtype=np.float64)
    return nets.mlp(
        num_classes,
        inputs.shape[1:],
        hidden_units=_HIDDEN_UNITS,
        num_hidden_layers=_NUM_HIDDEN_LAYERS,
        pixel_scaling={
            "pixel_max": 1.0,
            "mean": some.mean(axis=axes, dtype=np.float64),
            "std": np.where(std > 0, std, 1.0),
            "dtype": inputs.dtype.name,
        },
    )


def _has_gpu():
    return bool(tf.config.list_physical_devices("GPU"))


@contextlib.contextmanager
def _layers_seeded(seed):
    """Makes layers without a seed of their own draw it from this one.

    Keras asks Python's generator for them, whose state is put back.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
