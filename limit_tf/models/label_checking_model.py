"""A Keras model that checks the data it is given."""

import functools
import inspect

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import checked_streams
from limit_tf.models import input_checks
from limit_tf.models import label_checks
from limit_tf.models import weight_checks
from limit_tf.models.replicated_model import ReplicatedModel
from limit_tf.models.row_assertions import in_one_line

_FIT = inspect.signature(keras.Model.fit)
_EVALUATE = inspect.signature(keras.Model.evaluate)
_TRAIN_ON_BATCH = inspect.signature(keras.Model.train_on_batch)
_TEST_ON_BATCH = inspect.signature(keras.Model.test_on_batch)


class LabelCheckingModel(ReplicatedModel):
    """Refuses inputs, labels and weights that would spoil a training.

    Labels that its classes do not have, weights that are NaN, infinite or
    negative, and inputs that are NaN or infinite raise a `ValueError` that
    says how many there are and names the first. Arrays are looked at before
    any work starts, streams batch by batch as they arrive.

    A subclass implements `prepare` and has `num_classes`.
    """

    # Whether training steps can weigh examples.
    TAKES_WEIGHTS = True
    # Whether inputs may be NaN or infinite: a network may take them away.
    allow_non_finite_inputs = False
    # Number of axes of a batch of inputs, where it is known.
    input_rank: int | None = None
    # Whether streams were given that cannot be checked on their way.
    _asserts_in_steps = False

    def prepare(self, x) -> int | None:
        """Builds the model for its data.

        Args:
            x: First argument of `fit` or `evaluate`, or a batch of it.

        Returns:
            The number of classes, or None for a Python stream whose elements
            nobody has seen yet.
        """
        raise NotImplementedError

    def fit(self, x=None, y=None, *args, **kwargs):
        """Trains the model; see `keras.Model.fit`.

        Labels, weights and inputs in arrays are checked before any work
        starts, those in streams batch by batch as they arrive.

        Args:
            x: Inputs, or a stream of `(x, y)` or `(x, y, sample_weight)`.
            y: Labels, unless `x` is a stream.
            *args: Further arguments of `keras.Model.fit`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            TypeError: If labels or weights are no numbers.
            ValueError: If a label is missing, NaN or out of range, a weight
                NaN, infinite or negative, or an input NaN or infinite.
        """
        call = _FIT.bind(self, x, y, *args, **kwargs).arguments
        self._check_training_call(call)
        validation = call.get("validation_data")
        if isinstance(validation, (tuple, list)):
            call["validation_data"] = self._checked_validation(validation)
        elif validation is not None:
            call["validation_data"], _ = self._checked(validation)
        extra = self.extra_callbacks(call)
        if extra:
            call["callbacks"] = _with_callbacks(
                self, call.get("callbacks"), extra
            )
        call.pop("self")
        with in_one_line():
            return super().fit(**call)

    def extra_callbacks(self, call: dict) -> list[keras.callbacks.Callback]:
        """Callbacks that the model itself adds to a training.

        Args:
            call: Arguments of `fit` by name.

        Returns:
            Callbacks, to be called before the user's: what those save is
            then up to date.

        Raises:
            ValueError: If `fit` lacks what the model needs.
        """
        del call
        return []

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Evaluates the model; see `keras.Model.evaluate`.

        Args:
            x: Inputs, or a stream of `(x, y)` or `(x, y, sample_weight)`.
            y: Labels, unless `x` is a stream.
            *args: Further arguments of `keras.Model.evaluate`.
            **kwargs: Further arguments of `keras.Model.evaluate`.

        Returns:
            See `keras.Model.evaluate`.

        Raises:
            TypeError: If labels or weights are no numbers.
            ValueError: If a label, weight or input is refused, as by `fit`.
        """
        if "_use_cached_eval_dataset" in kwargs:  # `fit` has checked it
            return super().evaluate(x, y, *args, **kwargs)
        call = _EVALUATE.bind(self, x, y, *args, **kwargs).arguments
        call["x"], call["y"] = self._checked(x, y, call.get("sample_weight"))
        call.pop("self")
        with in_one_line():
            return super().evaluate(**call)

    def predict(self, x, *args, **kwargs):
        """Predicts; see `keras.Model.predict`.

        Args:
            x: Inputs, or a stream of them.
            *args: Further arguments of `keras.Model.predict`.
            **kwargs: Further arguments of `keras.Model.predict`.

        Returns:
            See `keras.Model.predict`.

        Raises:
            ValueError: If an input is NaN or infinite.
        """
        if checked_streams.is_stream(x):
            x = checked_streams.checked_stream(
                x,
                checked_streams.BatchChecks(
                    lambda x, *_: self.check_inputs(x),
                    lambda x, *_: self.input_assertions(x),
                ),
            )
        else:
            self.check_inputs(x)
        with in_one_line():
            return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """Runs one training step; see `keras.Model.train_on_batch`."""
        call = _TRAIN_ON_BATCH.bind(self, x, y, *args, **kwargs).arguments
        self._check_training_call(call)
        call.pop("self")
        return super().train_on_batch(**call)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """Runs one evaluation step; see `keras.Model.test_on_batch`."""
        call = _TEST_ON_BATCH.bind(self, x, y, *args, **kwargs).arguments
        call["x"], call["y"] = self._checked(x, y, call.get("sample_weight"))
        call.pop("self")
        return super().test_on_batch(**call)

    def predict_on_batch(self, x):
        """Predicts one batch; see `keras.Model.predict_on_batch`."""
        self.check_inputs(x)
        return super().predict_on_batch(x)

    def check_inputs(self, x, argument: str = "x") -> None:
        """Refuses arrays of inputs that are NaN or infinite.

        Args:
            x: Inputs.
            argument: Their name in error messages.

        Raises:
            ValueError: If a number is NaN or infinite.
        """
        if not self.allow_non_finite_inputs:
            input_checks.check_finite(x, argument)

    def input_assertions(self, x) -> list:
        """Assertions on the tensors of a data set, as `check_inputs`."""
        if self.allow_non_finite_inputs:
            return []
        return input_checks.finite_assertions(x)

    def check_batch(self, x, y, sample_weight=None, prefix: str = "") -> None:
        """Refuses arrays that the built model cannot be trained on.

        Args:
            x: Inputs.
            y: Labels.
            sample_weight: Weights of the examples, or None.
            prefix: What the names in error messages begin with.

        Raises:
            TypeError: If labels or weights are no numbers.
            ValueError: If a value is missing or wrong.
        """
        self.check_inputs(x, f"{prefix}x")
        label_checks.check_labels(y, self.num_classes, f"{prefix}y")
        weight_checks.check_weights(
            sample_weight, np.shape(y)[0], f"{prefix}sample_weight"
        )

    def batch_assertions(self, x, y, sample_weight=None) -> list:
        """Assertions on the tensors of a data set, as `check_batch`."""
        return [
            *self.input_assertions(x),
            label_checks.label_assertion(y, self.num_classes),
            *weight_checks.weight_assertions(sample_weight),
        ]

    def _check_training_call(self, call):
        """Checks the arguments of a training, and completes them."""
        weights = {
            name: call.get(name) for name in ("sample_weight", "class_weight")
        }
        self._require_no_weights(**weights)
        call["x"], call["y"] = self._checked(
            call.get("x"), call.get("y"), **weights
        )
        if weights["class_weight"] is not None:
            call["class_weight"] = weight_checks.complete_class_weight(
                weights["class_weight"], self._known_num_classes()
            )

    def _checked_validation(self, validation):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation)
        x, y = self._checked(x, y, sample_weight, prefix="val_")
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def _checked(
        self, x, y=None, sample_weight=None, class_weight=None, prefix=""
    ):
        """Returns inputs and labels as Keras is to get them, checked."""
        if checked_streams.is_stream(x):
            if y is None:  # Keras refuses labels beside a stream
                x = self._checked_stream(x, class_weight)
            return x, y
        self.prepare(x)
        y = _without_objects(y, f"{prefix}y")
        self.check_batch(x, y, sample_weight, prefix)
        return x, y

    def _checked_stream(self, data, class_weight):
        if isinstance(data, tf.data.Dataset):
            checked_streams.check_elements(data.element_spec, self.input_rank)
        if not checked_streams.can_check(data) and not self._asserts_in_steps:
            self._asserts_in_steps = True
            self.train_function = self.test_function = None
        arrays = self.check_batch
        if self.prepare(data) is None:
            arrays = functools.partial(self._check_first_batch, class_weight)
        return checked_streams.checked_stream(
            data, checked_streams.BatchChecks(arrays, self.batch_assertions)
        )

    def _check_first_batch(self, class_weight, x, y, sample_weight=None):
        """Builds networks from the first batch, and checks it and the rest."""
        if self._known_num_classes() is None:
            self.prepare(x)
            if class_weight is not None:
                weight_checks.complete_class_weight(
                    class_weight, self.num_classes
                )
        self.check_batch(x, y, sample_weight)

    def asserted(self, x, y, sample_weight):
        """Checks the tensors of a step where they could not be checked before.

        Args:
            x: Inputs.
            y: Labels.
            sample_weight: Weights, or None.

        Returns:
            The same tensors. Under XLA on one device, which has no
            assertions, wrong labels show as NaN instead.
        """
        replica = tf.distribute.get_replica_context()
        if (
            not self._asserts_in_steps
            or self._known_num_classes() is None
            or (self.jit_compile and replica.num_replicas_in_sync == 1)
        ):
            return x, y, sample_weight
        with tf.control_dependencies(
            self.batch_assertions(x, y, sample_weight)
        ):
            return keras.tree.map_structure(
                tf.identity, (x, y, sample_weight), none_is_leaf=False
            )

    def _known_num_classes(self):
        try:
            return self.num_classes
        except ValueError:
            return None

    def _require_no_weights(self, **weights):
        if self.TAKES_WEIGHTS:
            return
        for name, value in weights.items():
            if value is not None:
                raise ValueError(
                    f"`{name}` must be left out: {type(self).__name__} mixes "
                    "examples in training, for which weights have no meaning. "
                    f"Received: {name} of type {type(value).__name__}"
                )


def _without_objects(y, argument):
    """Labels in lists, or as objects, as an array of numbers."""
    kind = getattr(getattr(y, "dtype", None), "kind", "")
    if isinstance(y, (list, tuple)) or kind == "O":
        return label_checks.label_array(y, argument)
    return y


def _with_callbacks(model, given, extra):
    if isinstance(given, keras.callbacks.CallbackList):
        for callback in extra:
            callback.set_model(model)  # which `fit` leaves to the caller
        # The list may have served another training, whose callbacks stayed.
        kinds = {type(callback) for callback in given.callbacks}
        given.callbacks[:0] = [c for c in extra if type(c) not in kinds]
        return given
    if given is None:
        return extra
    return [*extra, *(given if isinstance(given, (list, tuple)) else [given])]
