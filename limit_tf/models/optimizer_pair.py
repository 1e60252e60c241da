"""One optimizer for each of two networks, seen by Keras as a single one."""

import functools

import keras
import tensorflow as tf


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
            `LossScaleOptimizer`, or they scale the loss by different factors.
    """
    scaled = keras.optimizers.LossScaleOptimizer
    pair = functools.partial(
        OptimizerPair,
        is_predictor_variable=is_predictor_variable,
        is_warming_up=is_warming_up,
    )
    if gradient_predictor_optimizer is not None:
        both = (optimizer, gradient_predictor_optimizer)
        if any(isinstance(one, scaled) for one in both):
            raise ValueError(
                "`optimizer` and `gradient_predictor_optimizer` must be plain "
                "optimizers: the model scales the loss of both together. "
                f"Received: {' and '.join(type(one).__name__ for one in both)}"
            )
        return pair(*both)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
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


class OptimizerPair(keras.optimizers.Optimizer):
    """Applies each gradient with the optimizer of the network it belongs to.

    Keras scales the loss of, restores and finalises *one* optimizer. The pair
    is that one: a `LossScaleOptimizer` around it skips a step with an overflow
    for both networks. Each network's optimizer counts its own updates.

    Args:
        classifier_optimizer: Optimizer of the classifier.
        gradient_predictor_optimizer: Optimizer of the gradient predictor.
        is_predictor_variable: Tells whether a variable is the predictor's.
        is_warming_up: Tells, in a training step, whether the classifier's
            update is to be left out; None if there is no warm-up.
        tied: Whether setting `learning_rate` sets both optimizers' rates;
            otherwise it sets the classifier's.

    Raises:
        ValueError: If the optimizers scale the loss by different factors.
    """

    def __init__(
        self,
        classifier_optimizer,
        gradient_predictor_optimizer,
        *,
        is_predictor_variable,
        is_warming_up=None,
        tied=False,
    ):
        super().__init__(learning_rate=0.0, name="optimizer_pair")
        self.classifier_optimizer = classifier_optimizer
        self.gradient_predictor_optimizer = gradient_predictor_optimizer
        self._is_predictor_variable = is_predictor_variable
        self._is_warming_up = is_warming_up
        self._tied = tied
        if len(set(self._both("loss_scale_factor"))) > 1:
            raise ValueError(
                "`optimizer` and `gradient_predictor_optimizer` must have the "
                "same loss_scale_factor. Received: "
                f"{self._both('loss_scale_factor')}"
            )

    def build(self, variables):
        """Builds each optimizer on its own network's variables."""
        if self.built:
            return
        for optimizer, _, own in self._split(
            [None] * len(variables), variables
        ):
            optimizer.build(own)
        super().build(variables)

    @property
    def variables(self):
        """Variables of both optimizers, and the pair's own counter."""
        return (
            self._variables
            + self.classifier_optimizer.variables
            + self.gradient_predictor_optimizer.variables
        )

    def apply(self, grads, trainable_variables=None):
        """Updates both networks, or the predictor alone in the warm-up."""
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
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

    def finalize_variable_values(self, var_list):
        """Gives each network the averages of its own optimizer."""
        for optimizer, _, own in self._split([None] * len(var_list), var_list):
            optimizer.finalize_variable_values(own)

    @property
    def iterations(self):
        """Number of the classifier's updates."""
        return self.classifier_optimizer.iterations

    @property
    def learning_rate(self):
        """The classifier's learning rate."""
        return self.classifier_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.classifier_optimizer.learning_rate = learning_rate
        if self._tied:
            self.gradient_predictor_optimizer.learning_rate = learning_rate

    @property
    def loss_scale_factor(self):
        """Constant factor by which both optimizers expect scaled losses."""
        return self._both("loss_scale_factor")[0]

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor):
        # The base class sets it before there are optimizers to pass it to.
        if hasattr(self, "gradient_predictor_optimizer"):
            self.classifier_optimizer.loss_scale_factor = factor
            self.gradient_predictor_optimizer.loss_scale_factor = factor

    def _both(self, name):
        return [
            getattr(optimizer, name)
            for optimizer in (
                self.classifier_optimizer,
                self.gradient_predictor_optimizer,
            )
        ]

    def _split(self, grads, variables):
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

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        keras.ops.cond(condition(), lambda: None, lambda: apply(*grads))
        return

    # Optimizers synchronise replicas by `merge_call`, which cannot stand in a
    # branch of one replica: the branch is taken for all of them at once.
    def apply_on_all(strategy, *tensors):
        def apply_on_each():
            strategy.extended.call_for_each_replica(apply, args=tensors)

        keras.ops.cond(condition(), lambda: None, apply_on_each)

    replica.merge_call(apply_on_all, args=tuple(grads))
