"""A moving average of predictions for every training example."""

import keras
import numpy as np
import tensorflow as tf

from limit_tf.ops.batch_means import batch_place


class TargetTable(keras.layers.Layer):
    """Table of targets, a row an example, float32 in any precision.

    The table is a weight, saved and restored with the model. It is updated in
    place: a step reads and writes the rows of its batch alone.

    Args:
        num_examples: Number of rows.
        num_classes: Number of columns.
        momentum: Weight of the past in the average, in `[0, 1)`.
    """

    def __init__(self, num_examples, num_classes, momentum, name=None):
        super().__init__(name=name, dtype="float32", autocast=False)
        self._momentum = momentum
        self.targets = self.add_weight(
            name="targets",
            shape=(num_examples, num_classes),
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
        self.built = True

    def moved(self, example_ids: tf.Tensor, probs: tf.Tensor) -> tf.Tensor:
        """Targets of a batch, moved towards its predictions; see `write`.

        Args:
            example_ids: Rows, integers `(batch,)`, no two of them equal.
            probs: Predictions `(batch, num_classes)`, float32. A prediction
                that is not finite, as of an overflow in float16, leaves its
                row as it was.

        Returns:
            The new targets, `(batch, num_classes)`, float32, without gradient.
            That of an id outside the table is NaN where no error is raised.
        """
        probs = tf.stop_gradient(probs)
        ids = tf.cast(example_ids, tf.int64)
        num_examples = self.targets.shape[0]
        known = (ids >= 0) & (ids < num_examples)
        old = tf.gather(
            self.targets.value, tf.clip_by_value(ids, 0, num_examples - 1)
        )
        new = self._momentum * old + (1.0 - self._momentum) * probs
        finite = tf.reduce_all(tf.math.is_finite(probs), -1, keepdims=True)
        new = tf.where(finite, new, old)
        return tf.where(known[:, tf.newaxis], new, float("nan"))

    def write(self, example_ids: tf.Tensor, targets: tf.Tensor) -> None:
        """Keeps the new targets of a batch.

        Args:
            example_ids: Rows, integers `(batch,)`.
            targets: What `moved` returned, `(batch, num_classes)`.
        """
        ids = tf.cast(example_ids, tf.int64)
        table = self.targets.value
        replica = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync == 1:
            table.scatter_nd_update(ids[:, tf.newaxis], targets)
            return
        # Each replica's copy gets the rows of all of them.
        columns = (ids[:, tf.newaxis], targets)
        if isinstance(
            tf.distribute.get_strategy(),
            tf.distribute.MultiWorkerMirroredStrategy,
        ):
            place = batch_place(ids)
            columns = [
                replica.all_reduce(
                    tf.distribute.ReduceOp.SUM, place.among_all(values)
                )
                for values in columns
            ]
        replica.merge_call(_write_copies, args=(table, *columns))


def _write_copies(strategy, table, ids, rows):
    # Not by a collective: in a loop those have one shape in all steps. Workers
    # have no other way, and each of them writes its replicas' sums once.
    ids, rows = (
        tf.concat(strategy.experimental_local_results(values), 0)
        for values in (ids, rows)
    )
    strategy.extended.update(
        table,
        lambda copy, i, r: copy.scatter_nd_update(i, r),
        args=(ids, rows),
    )


def check_table(num_examples: int, num_classes: int, momentum: float) -> None:
    """Refuses a table that cannot be made.

    Args:
        num_examples: Number of training examples.
        num_classes: Number of classes.
        momentum: Weight of the past.

    Raises:
        ValueError: If a value is outside its range.
    """
    for argument, value, least in (
        ("num_examples", num_examples, 1),
        ("num_classes", num_classes, 2),
    ):
        whole = isinstance(value, (int, np.integer))
        if not whole or isinstance(value, bool) or value < least:
            raise ValueError(
                f"`{argument}` must be a whole number >= {least}. Received: "
                f"{argument}={value!r}"
            )
    if not 0.0 <= momentum < 1.0:
        raise ValueError(
            "`target_momentum` must lie in [0, 1). Received: "
            f"target_momentum={momentum}"
        )
