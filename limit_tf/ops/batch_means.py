"""Means over a batch that may be spread over several replicas."""

import tensorflow as tf


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
    size = tf.cast(tf.shape(values)[0], tf.float32)
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        size = replica.all_reduce(tf.distribute.ReduceOp.SUM, size)
    return size


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
