"""A Keras model that checks the labels it is given."""

import inspect

import keras

from limit_tf.models import label_checks
from limit_tf.models.replicated_model import ReplicatedModel

_FIT = inspect.signature(keras.Model.fit)
_EVALUATE = inspect.signature(keras.Model.evaluate)


class LabelCheckingModel(ReplicatedModel):
    """Refuses labels that its classes do not have, in arrays and in streams.

    A subclass implements `prepare` and has `num_classes`.
    """

    def prepare(self, x) -> int | None:
        """Builds the model for its data.

        Args:
            x: First argument of `fit` or `evaluate`.

        Returns:
            The number of classes, or None for a Python stream whose elements
            nobody has seen yet.
        """
        raise NotImplementedError

    def fit(self, x=None, y=None, *args, **kwargs):
        """Trains the model; see `keras.Model.fit`.

        Labels in arrays are checked before any work starts, labels in streams
        batch by batch as they arrive.

        Args:
            x: Inputs, or a stream of `(x, y)` or `(x, y, sample_weight)`.
            y: Labels, unless `x` is a stream.
            *args: Further arguments of `keras.Model.fit`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If a label is missing, NaN or out of range.
        """
        call = _FIT.bind(self, x, y, *args, **kwargs).arguments
        call["x"] = self._checked(x, y)
        validation = call.get("validation_data")
        if isinstance(validation, (tuple, list)):
            val_y = validation[1] if len(validation) > 1 else None
            self._checked(validation[0], val_y, "val_y")
        elif validation is not None:
            call["validation_data"] = self._checked(validation, None)
        extra = self.extra_callbacks(call)
        if extra:
            call["callbacks"] = _with_callbacks(
                self, call.get("callbacks"), extra
            )
        call.pop("self")
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
            ValueError: If a label is missing, NaN or out of range.
        """
        if "_use_cached_eval_dataset" in kwargs:  # `fit` has checked it
            return super().evaluate(x, y, *args, **kwargs)
        call = _EVALUATE.bind(self, x, y, *args, **kwargs).arguments
        call["x"] = self._checked(x, y)
        call.pop("self")
        return super().evaluate(**call)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """Runs one training step; see `keras.Model.train_on_batch`."""
        self._checked(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """Runs one evaluation step; see `keras.Model.test_on_batch`."""
        self._checked(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def check_batch(self, x, y, argument: str = "y") -> None:
        """Refuses arrays that the built model cannot be trained on.

        Args:
            x: Inputs.
            y: Labels.
            argument: Name of the labels in error messages.

        Raises:
            ValueError: If a value is missing or wrong.
        """
        del x
        label_checks.check_labels(y, self.num_classes, argument)

    def batch_assertions(self, x, y) -> list:
        """Assertions on the tensors of a data set, as `check_batch`."""
        del x
        return [label_checks.label_assertion(y, self.num_classes)]

    def _checked(self, x, y, argument="y"):
        if self.prepare(x) is None:
            return x
        if y is None and label_checks.is_stream(x):
            return label_checks.checked_stream(
                x, self.check_batch, self.batch_assertions
            )
        self.check_batch(x, y, argument)
        return x


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
