"""One optimizer for each of two networks, seen by Keras as a single one."""

import functools

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import joint_learning_rate
from limit_tf.models.joint_learning_rate import JointRate

# Settings that are the pair's own, not those of its optimizers.
_OWN_SETTINGS = {"name", "learning_rate"}


def join_optimizers(
    optimizer: keras.optimizers.Optimizer,
    gradient_predictor_optimizer: keras.optimizers.Optimizer | None,
    *,
    is_predictor_variable,
    is_warming_up=None,
) -> keras.optimizers.Optimizer:
    """Returns the one optimizer that Keras is to see.

    It is `optimizer` itself if the networks share it, and an `OptimizerPair`
    if there are two, or if one state for both networks would mislead: a global
    norm would carry labels from the predictor's gradients to the classifier,
    and after a warm-up Adam's bias correction would be wrong for the
    classifier. The predictor's is then a copy.

    Args:
        optimizer: The classifier's optimizer.
        gradient_predictor_optimizer: The predictor's, or None to share.
        is_predictor_variable: See `OptimizerPair`.
        is_warming_up: See `OptimizerPair`.

    Returns:
        An optimizer.

    Raises:
        ValueError: If there are two and one of them is a
            `LossScaleOptimizer` or a pair, or they scale the loss by different
            factors.
    """
    scaled = keras.optimizers.LossScaleOptimizer
    pair = functools.partial(
        OptimizerPair,
        is_predictor_variable=is_predictor_variable,
        is_warming_up=is_warming_up,
    )
    if gradient_predictor_optimizer is not None:
        both = (optimizer, gradient_predictor_optimizer)
        if any(isinstance(one, (scaled, OptimizerPair)) for one in both):
            raise ValueError(
                "`optimizer` and `gradient_predictor_optimizer` must be plain "
                "optimizers: the model scales the loss of both together. "
                f"Received: {' and '.join(type(one).__name__ for one in both)}"
            )
        return pair(*both)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(inner, OptimizerPair):  # of an earlier call of `compile`
        inner.bind(is_predictor_variable, is_warming_up)
        return optimizer
    if is_warming_up is None and inner.global_clipnorm is None:
        return optimizer
    joined = pair(inner, _copy(inner), tied=True)
    if not isinstance(optimizer, scaled):
        return joined
    config = optimizer.get_config()
    return scaled(
        joined,
        initial_scale=config["initial_scale"],
        dynamic_growth_steps=config["dynamic_growth_steps"],
    )


def _copy(optimizer):
    """Copies an optimizer; its configuration leaves out what decay spares."""
    copy = type(optimizer).from_config(optimizer.get_config())
    for name in (
        "_exclude_from_weight_decay",
        "_exclude_from_weight_decay_pattern",
    ):
        if hasattr(optimizer, name):
            setattr(copy, name, getattr(optimizer, name))
    return copy


@keras.saving.register_keras_serializable(package="limit_tf")
class OptimizerPair(keras.optimizers.Optimizer):
    """Applies each gradient with the optimizer of the network it belongs to.

    Keras scales the loss of, restores, averages and finalises *one* optimizer.
    The pair is that one: a `LossScaleOptimizer` around it skips a step with an
    overflow for both networks. Each network's optimizer counts its own updates.

    Settings read as the classifier's and are set for both. `learning_rate`,
    whether it is set or assigned to, moves both rates and keeps their ratio
    (where the classifier's is 0 from the start there is none: it moves alone);
    to move one alone, set that of `classifier_optimizer` or of
    `gradient_predictor_optimizer`. As with any Keras optimizer, a rate that
    follows a schedule cannot be set to a number.

    Args:
        classifier_optimizer: Optimizer of the classifier.
        gradient_predictor_optimizer: Optimizer of the gradient predictor.
        is_predictor_variable: See `bind`.
        is_warming_up: See `bind`.
        tied: Whether the second optimizer is a copy of the first.
        name: Name of the pair.

    Raises:
        ValueError: If the optimizers scale the loss by different factors.
    """

    def __init__(
        self,
        classifier_optimizer,
        gradient_predictor_optimizer,
        *,
        is_predictor_variable=None,
        is_warming_up=None,
        tied=False,
        name="optimizer_pair",
    ):
        super().__init__(learning_rate=0.0, name=name)
        # What the base class has set is to be asked of the optimizers.
        for setting in set(super().get_config()) - _OWN_SETTINGS:
            delattr(self, setting)
        self.tied = tied
        self.bind(is_predictor_variable, is_warming_up)
        self.gradient_predictor_optimizer = gradient_predictor_optimizer
        self.classifier_optimizer = classifier_optimizer
        if len(set(self._both("loss_scale_factor"))) > 1:
            raise ValueError(
                "`optimizer` and `gradient_predictor_optimizer` must have the "
                "same loss_scale_factor. Received: "
                f"{self._both('loss_scale_factor')}"
            )
        self._first_ratio = joint_learning_rate.ratio(
            *self._both("learning_rate")
        )

    def bind(self, is_predictor_variable, is_warming_up=None) -> None:
        """Says whose variables are whose; `LimitModel.compile` does.

        Args:
            is_predictor_variable: Tells whether a variable is the predictor's.
            is_warming_up: Tells, in a training step, whether the classifier's
                update is to be left out; None if there is no warm-up.
        """
        self._is_predictor_variable = is_predictor_variable
        self._is_warming_up = is_warming_up

    def __getattr__(self, name):
        """Reads what the pair does not have of the classifier's optimizer."""
        if name.startswith("_") or "classifier_optimizer" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}"
            )
        return getattr(self.classifier_optimizer, name)

    def __setattr__(self, name, value):
        """Sets what the pair does not have for both optimizers."""
        is_own = (
            name.startswith("_")
            or "classifier_optimizer" not in vars(self)
            or name in vars(self)
            or hasattr(type(self), name)
        )
        if is_own:
            super().__setattr__(name, value)
            return
        for optimizer in self._optimizers():
            setattr(optimizer, name, value)

    def build(self, variables):
        """Builds each optimizer on its own network's variables."""
        if self.built:
            return
        for optimizer, _, own in self._split(
            [None] * len(variables), variables
        ):
            optimizer.build(own)
        # In a function, since Keras takes variables in an attribute for the
        # optimizer's own.
        self._variables_in_order = lambda: variables
        self.built = True

    @property
    def variables(self):
        """Variables of both optimizers, and the pair's own counter."""
        return (
            self._variables
            + self.classifier_optimizer.variables
            + self.gradient_predictor_optimizer.variables
        )

    def set_weights(self, weights):
        """Sets the variables of both optimizers, in the order of `variables`.

        Args:
            weights: Their values.

        Raises:
            ValueError: If the pair is not built, or a shape is wrong.
        """
        variables = self.variables
        shapes = [
            [tuple(np.shape(v)) for v in side] for side in (weights, variables)
        ]
        if not self.built or shapes[0] != shapes[1]:
            raise ValueError(
                "`weights` must hold a value for each of the variables of a "
                f"built optimizer. Received: {len(weights)} values for "
                f"{len(variables)} variables, built={self.built}"
            )
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)

    def apply(self, grads, trainable_variables=None):
        """Updates both networks, or the predictor alone in the warm-up."""
        if trainable_variables is None:
            trainable_variables = self._variables_in_order()
        if not self.built:
            self.build(list(trainable_variables))
        for optimizer, own_grads, own in self._split(
            grads, trainable_variables
        ):
            if not own:
                continue
            if optimizer is self.classifier_optimizer and self._is_warming_up:
                _apply_unless(self._is_warming_up, optimizer, own_grads, own)
            else:
                optimizer.apply(own_grads, own)
        self._iterations.assign_add(1)

    def apply_gradients(self, grads_and_vars):
        """Updates both networks; returns the number of updates."""
        super().apply_gradients(grads_and_vars)
        return self.iterations

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable by its network's optimizer."""
        ((optimizer, _, _),) = (
            part for part in self._split([gradient], [variable]) if part[2]
        )
        optimizer.update_step(gradient, variable, learning_rate)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Excludes variables of both networks from weight decay.

        Args:
            var_list: Variables.
            var_names: Parts of the names of variables.
        """
        for optimizer in self._optimizers():
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        """Gives each network the averages of its own optimizer."""
        for optimizer, _, own in self._split([None] * len(var_list), var_list):
            optimizer.finalize_variable_values(own)

    @property
    def iterations(self):
        """Number of the classifier's updates."""
        return self.classifier_optimizer.iterations

    @property
    def use_ema(self):
        """Whether one of the optimizers averages its network's weights."""
        return any(self._both("use_ema"))

    @use_ema.setter
    def use_ema(self, use_ema):
        for optimizer in self._optimizers():
            optimizer.use_ema = use_ema

    @use_ema.deleter
    def use_ema(self):
        """Nothing is kept here."""

    # `SwapEMAWeights` swaps the variables of the first with those of the
    # second: they are of the optimizers that average, in the same order.
    @property
    def _trainable_variables(self):
        return [v for o in self._averaging() for v in o._trainable_variables]

    @_trainable_variables.setter
    def _trainable_variables(self, variables):
        """The base class clears it: nothing is kept here."""

    @property
    def _model_variables_moving_average(self):
        if not self.use_ema:
            raise AttributeError("no optimizer of the pair averages weights")
        return [
            average
            for optimizer in self._averaging()
            for average in optimizer._model_variables_moving_average
        ]

    @property
    def learning_rate(self):
        """The classifier's learning rate; who assigns to it moves both."""
        rates = self._both("learning_rate")
        if not all(isinstance(rate, keras.Variable) for rate in rates):
            return rates[0]
        return JointRate(*rates, self._first_ratio)

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if callable(learning_rate):
            factor = joint_learning_rate.ratio(*self._both("learning_rate"))
            self.classifier_optimizer.learning_rate = learning_rate
            if factor is not None:
                self.gradient_predictor_optimizer.learning_rate = (
                    joint_learning_rate.scaled(learning_rate, factor)
                )
            return
        if not isinstance(self.learning_rate, JointRate):
            raise TypeError(
                "`learning_rate` must not be set to a number where an "
                "optimizer of the pair follows a schedule. Received: "
                f"learning_rate={learning_rate}"
            )
        self.learning_rate.assign(learning_rate)

    def get_config(self):
        """Returns the constructor's arguments that can be written down."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "classifier_optimizer": serialize(self.classifier_optimizer),
            "gradient_predictor_optimizer": serialize(
                self.gradient_predictor_optimizer
            ),
            "tied": self.tied,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds a pair that is to be bound yet from `get_config`'s answer."""
        optimizers = {
            key: keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
            for key in ("classifier_optimizer", "gradient_predictor_optimizer")
        }
        return cls(**{**config, **optimizers})

    def _optimizers(self):
        own = vars(self)
        names = ("classifier_optimizer", "gradient_predictor_optimizer")
        return [own[name] for name in names if name in own]

    def _averaging(self):
        return [o for o in self._optimizers() if o.use_ema]

    def _both(self, name):
        return [getattr(optimizer, name) for optimizer in self._optimizers()]

    def _split(self, grads, variables):
        if self._is_predictor_variable is None:
            raise ValueError(
                "An OptimizerPair must be given to LimitModel.compile before "
                "it is used: it does not know whose variables are whose."
            )
        pairs = list(zip(grads, variables, strict=True))
        is_predictor = [self._is_predictor_variable(v) for _, v in pairs]
        for optimizer, wanted in (
            (self.gradient_predictor_optimizer, True),
            (self.classifier_optimizer, False),
        ):
            own = [
                p
                for p, own in zip(pairs, is_predictor, strict=True)
                if own is wanted
            ]
            yield optimizer, [g for g, _ in own], [v for _, v in own]


def _apply_unless(condition, optimizer, grads, variables):
    """Applies gradients in a step in which the condition does not hold."""

    def apply(*tensors):
        optimizer.apply(list(tensors), variables)

    def pass_over(*_):
        # Averages start with the weights, not with zeros.
        if optimizer.use_ema:
            optimizer._update_model_variables_moving_average(variables)

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        keras.ops.cond(condition(), pass_over, lambda: apply(*grads))
        return

    # Optimizers synchronise replicas by `merge_call`, which cannot stand in a
    # branch of one replica: the branch is taken for all of them at once.
    def apply_on_all(strategy, *tensors):
        def on_each(function):
            strategy.extended.call_for_each_replica(function, args=tensors)

        keras.ops.cond(
            condition(), lambda: on_each(pass_over), lambda: on_each(apply)
        )

    replica.merge_call(apply_on_all, args=tuple(grads))
