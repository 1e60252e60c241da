"""Where a replica's share lies in the batch of all replicas."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class BatchPlace:
    """Place of a share in the global batch, replica after replica.

    Args:
        rows: Zeros, a row for each example of the global batch: a shape that
            XLA knows where a number would not be known.
        start: Position of the share's first example, an int32 scalar.
    """

    rows: tf.Tensor
    start: tf.Tensor

    @classmethod
    def of_replica(cls, replica, size: tf.Tensor) -> "BatchPlace":
        """Asks all replicas for the sizes of their shares.

        Args:
            replica: The replica's context.
            size: Number of examples of its share, an int32 scalar.

        Returns:
            The place of the share.
        """
        count = replica.num_replicas_in_sync
        own = tf.one_hot(
            tf.convert_to_tensor(replica.replica_id_in_sync_group),
            count,
            on_value=tf.cast(size, tf.float32),
        )
        sizes = replica.all_reduce(tf.distribute.ReduceOp.SUM, own)
        sizes = tf.cast(sizes, tf.int32)
        before = tf.cumsum(sizes, exclusive=True)
        return cls(
            tf.zeros([tf.reduce_sum(sizes)]),
            before[replica.replica_id_in_sync_group],
        )

    def among_all(self, values: tf.Tensor) -> tf.Tensor:
        """Puts a share's rows into zeros for those of the other replicas.

        Args:
            values: Tensor `(batch, num_columns)`.

        Returns:
            Tensor `(global_batch, num_columns)`.
        """
        shape = tf.stack([tf.shape(self.rows)[0], tf.shape(values)[1]])
        positions = self.start + tf.range(tf.shape(values)[0])
        return tf.tensor_scatter_nd_update(
            tf.zeros(shape, values.dtype), positions[:, tf.newaxis], values
        )

    def own_rows(self, values: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Takes the rows of a share.

        Args:
            values: Tensor `(global_batch, num_columns)`.
            size: Number of examples of the share.

        Returns:
            Tensor `(batch, num_columns)`.
        """
        return tf.gather(values, self.start + tf.range(size))
