"""Means over a batch that may be spread over several replicas."""

import contextlib
import threading

import tensorflow as tf

from limit_tf.ops.batch_place import BatchPlace

_known = threading.local()


@contextlib.contextmanager
def known_place(place: BatchPlace):
    """Tells where this replica's share is, so that no replica is asked.

    Args:
        place: Place of the share in the batches of all replicas.
    """
    before = getattr(_known, "place", None)
    _known.place = place
    try:
        yield
    finally:
        _known.place = before


def batch_place(values: tf.Tensor) -> BatchPlace | None:
    """Place of this replica's share among the batches of all replicas.

    Args:
        values: Tensor `(batch, ...)` of this replica.

    Returns:
        The place; None where there is one replica, whose share is all.
    """
    if getattr(_known, "place", None) is not None:
        return _known.place
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return None
    return BatchPlace.of_replica(replica, tf.shape(values)[0])


def weighted(values: tf.Tensor, sample_weight: tf.Tensor | None) -> tf.Tensor:
    """Multiplies per-example values with their weights.

    Args:
        values: Tensor `(batch,)`.
        sample_weight: Tensor `(batch,)` or `(batch, 1)`, or None for ones.

    Returns:
        Tensor `(batch,)`.
    """
    if sample_weight is None:
        return values
    return values * tf.reshape(tf.cast(sample_weight, values.dtype), [-1])


def global_batch_size(values: tf.Tensor) -> tf.Tensor:
    """Number of examples in the batches of all replicas.

    Args:
        values: Tensor `(batch, ...)` of this replica.

    Returns:
        Scalar, float32.
    """
    place = batch_place(values)
    if place is None:
        return tf.cast(tf.shape(values)[0], tf.float32)
    return tf.cast(tf.shape(place.rows)[0], tf.float32)


def global_mean(values: tf.Tensor) -> tf.Tensor:
    """This replica's part of the mean over the batches of all replicas.

    Optimizers add the replicas' gradients, so the parts add up to the mean,
    also where a last batch gives the replicas unequal shares.

    Args:
        values: Tensor `(batch,)`, float32.

    Returns:
        Scalar, float32.
    """
    return tf.reduce_sum(values) / global_batch_size(values)


def by_position(function, values: tf.Tensor) -> tf.Tensor:
    """Draws for a share what one device would draw for the whole batch.

    Args:
        function: Function of a tensor like `values` of all replicas, which
            treats each row by itself and draws by its position.
        values: Tensor `(batch, num_columns)` of this replica.

    Returns:
        The rows of the answer that are this replica's.
    """
    place = batch_place(values)
    if place is None:
        return function(values)
    drawn = function(place.among_all(values))
    return place.own_rows(drawn, tf.shape(values)[0])


def sum_of_losses(losses: list[tf.Tensor]) -> tf.Tensor:
    """Sum of a network's own losses, divided by the number of replicas.

    Args:
        losses: Scalars, as in a Keras layer's `losses`.

    Returns:
        Scalar, float32.
    """
    if not losses:
        return tf.zeros([])
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return tf.add_n([tf.cast(x, tf.float32) for x in losses]) / num_replicas
