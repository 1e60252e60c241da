"""Keras's training loop under every strategy of `tf.distribute`.

Keras 3 compiles the whole of a distributed step by XLA, which TensorFlow
refuses; it cannot run several steps a call on several replicas; and it builds a
model by reducing a distributed batch, which fails on several workers. What is
here stands in where there are several replicas; on one, Keras's own runs.
"""

import keras
import tensorflow as tf
from absl import logging

from limit_tf.models import network_layers
from limit_tf.models import replica_functions
from limit_tf.ops.batch_means import batch_place
from limit_tf.ops.batch_means import known_place
from limit_tf.ops.batch_place import BatchPlace

_REFUSED = (
    tf.distribute.ParameterServerStrategy,
    tf.distribute.experimental.ParameterServerStrategy,
    tf.distribute.experimental.CentralStorageStrategy,
)


class ReplicatedModel(keras.Model):
    """Trains on several replicas as on one.

    A subclass puts what a training step computes, without asking the other
    replicas, through `on_replica`.

    Raises:
        ValueError: If the strategy in scope keeps variables elsewhere than on
            the replicas.
    """

    def __init__(self, *args, **kwargs):
        _check_strategy(tf.distribute.get_strategy())
        super().__init__(*args, **kwargs)
        self._replica_parts = {}

    @property
    def is_replicated(self) -> bool:
        """Whether several replicas train the model together."""
        return self.distribute_strategy.num_replicas_in_sync > 1

    def _compiles_replica_parts(self):
        """Whether XLA compiles what goes through `on_replica`.

        It cannot where a layer or the loss asks the other replicas itself, as
        BatchNormalization(synchronized=True) does.
        """
        if not self.jit_compile or self.run_eagerly:
            return False
        asks = [
            part.name
            for part in (*network_layers.all_layers(self), self.loss)
            if getattr(part, "synchronized", False)
        ]
        if asks:
            logging.warning(
                "Steps are not compiled by XLA: %s asks the other replicas",
                asks[0],
            )
        return not asks

    def moving_weights(self) -> list:
        """Weights that a forward pass may move, as BatchNorm statistics."""
        return self.non_trainable_weights

    def on_replica(self, function, inputs, *others):
        """Runs the part of a training step that asks no other replica.

        On several replicas it is this part that XLA compiles. The weights that
        its forward passes move become the mean of the replicas', weighted by
        their shares of the batch: an empty share moves nothing.

        Args:
            function: Method of this model, of tensors and structures of them;
                its answer alike, a tuple that begins with a list of gradients.
            inputs: Inputs of the networks, `(batch, ...)`.
            *others: Further arguments of the function.

        Returns:
            What the function returns.
        """
        if not self.is_replicated:
            return function(inputs, *others)
        example = keras.tree.flatten(inputs)[0]
        place = batch_place(example)
        moving = [v for v in self.moving_weights() if "float" in v.dtype]
        before = [tf.identity(variable.value) for variable in moving]
        results = self._replica_part(function)(
            place.rows, place.start, inputs, *others
        )
        share = tf.shape(example)[0] / tf.shape(place.rows)[0]
        share = tf.cast(share, tf.float32)
        with tf.control_dependencies(tf.nest.flatten(results)):
            _agree(moving, before, share)
        gradients, *rest = results
        return [_zeros_unless(share > 0.0, g) for g in gradients], *rest

    def _replica_part(self, function):
        name = function.__name__
        if name not in self._replica_parts:

            def part(rows, start, *arguments):
                with known_place(BatchPlace(rows, start)):
                    return getattr(self, name)(*arguments)

            if self._compiles_replica_parts():
                part = tf.function(
                    tf.autograph.experimental.do_not_convert(part),
                    jit_compile=True,
                    reduce_retracing=True,
                )
            self._replica_parts[name] = part
        return self._replica_parts[name]

    def make_train_function(self, force=False):
        """Builds the training function; see `keras.Model`."""
        if not self.is_replicated:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self._replica_parts = {}
            self.train_function = replica_functions.of_steps(
                self, self.train_step
            )
        return self.train_function

    def make_test_function(self, force=False):
        """Builds the evaluation function; see `keras.Model`."""
        if not self.is_replicated:
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = replica_functions.of_steps(
                self, self.test_step
            )
        return self.test_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds from this worker's first share of the first batch."""
        if not self.is_replicated:
            return super()._maybe_symbolic_build(iterator, data_batch)
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = replica_functions.first_share(
                next(batches), self.distribute_strategy
            )
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=data_batch)


def _agree(variables, before, share):
    """Moves each copy of a weight by the weighted mean of all movements."""
    if not variables:
        return
    replica = tf.distribute.get_replica_context()
    movements = [
        tf.where(share > 0.0, tf.cast(share, old.dtype) * (v.value - old), 0.0)
        for v, old in zip(variables, before, strict=True)
    ]
    movements = replica.all_reduce(tf.distribute.ReduceOp.SUM, movements)
    for variable, old, movement in zip(
        variables, before, movements, strict=True
    ):
        variable.assign(old + movement)


def _zeros_unless(condition, gradient):
    """Of an empty share, normalisations have gradients that are NaN."""
    if not isinstance(gradient, tf.Tensor):  # None, or slices of no rows
        return gradient
    return tf.where(condition, gradient, tf.zeros_like(gradient))


def _check_strategy(strategy):
    if isinstance(strategy, _REFUSED):
        raise ValueError(
            "The strategy in scope must be one that keeps a copy of every "
            "weight on each replica: MirroredStrategy, "
            "MultiWorkerMirroredStrategy, TPUStrategy or OneDeviceStrategy. "
            f"Received: {type(strategy).__name__}"
        )
