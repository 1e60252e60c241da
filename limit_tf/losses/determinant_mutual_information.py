"""Determinant-based mutual information (DMI) of labels and predictions."""

import math

import keras
import numpy as np
import tensorflow as tf

from limit_tf.losses.arguments import check_number
from limit_tf.losses.arguments import labels_and_logits

SMALLEST = 1e-30  # Smaller numbers count as zero: their inverse might overflow.


@keras.saving.register_keras_serializable(package="limit_tf")
class DeterminantMutualInformation(keras.losses.Loss):
    """DMI loss `-log(|det(Y^T P)| + epsilon)` of a whole batch.

    `Y` are the labels and `P` the softmax of the logits, both
    `(batch, num_classes)`, so `Y^T P` is their joint distribution times the
    batch size. As in the authors' code it is not divided by the batch size:
    the loss of perfect predictions depends on it. A batch that lacks a class
    has a singular `Y^T P` and the loss `-log(epsilon)`: use large batches.

    The loss belongs to the batch, not to its examples, so there is no
    reduction: it is a scalar. Sample weights weigh the examples' terms in
    `Y^T diag(w) P`. Under `tf.distribute` the sum goes over the batches of
    all replicas, and a replica returns its share of the one loss.

    The determinant is computed in float32, whatever the logits' dtype, from
    the logarithms of the diagonal of a QR decomposition, which XLA compiles
    to far faster code than a singular value decomposition. If a class lacks
    examples or predictions, the determinant is exactly zero and so is the
    gradient. A matrix that is singular otherwise gets the gradient of one
    within rounding error of it: finite.

    Args:
        epsilon: Positive number added to the determinant.
        name: Name of the loss.

    Raises:
        TypeError: If `epsilon` is not a number.
        ValueError: If `epsilon` is not positive.

    Example:
    ```python
    from limit_tf import losses

    loss = losses.DeterminantMutualInformation()
    loss([0, 1], [[99.0, 0.0], [0.0, 99.0]])  # -log(1 + 0.001) = -0.001
    ```

    References:
        - [Xu et al., 2019](https://arxiv.org/abs/1909.03388)
    """

    # It asks all replicas for their parts of the batch's joint distribution.
    synchronized = True

    def __init__(self, epsilon=1e-3, name="determinant_mutual_information"):
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.epsilon = check_number(
            epsilon,
            "epsilon",
            lambda value: 0 < value < math.inf,
            "be finite and positive",
        )

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Computes the loss of the batch.

        Args:
            y_true: Class indices `(batch,)` or `(batch, 1)`, or
                distributions `(batch, num_classes)`.
            y_pred: Logits `(batch, num_classes)`.
            sample_weight: Tensor `(batch,)` or `(batch, 1)`, or None.

        Returns:
            Scalar, float32: the loss divided by the number of replicas, so
            that the replicas' gradients, which optimizers add, are that of
            the global batch.

        Raises:
            ValueError: If the labels or the logits have another shape.
        """
        with tf.name_scope(self.name):
            labels, logits = labels_and_logits(y_true, y_pred)
            if sample_weight is not None:
                weights = tf.cast(sample_weight, tf.float32)
                labels *= tf.reshape(weights, [-1, 1])
            joint = tf.matmul(labels, tf.nn.softmax(logits), transpose_a=True)
            replica = tf.distribute.get_replica_context()
            num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
            if replica is not None and num_replicas > 1:
                # The gradient of this sum is again a sum over the replicas.
                joint = replica.all_reduce(tf.distribute.ReduceOp.SUM, joint)
            loss = _negative_log_determinant(joint, self.epsilon)
            return loss / num_replicas

    def call(self, y_true, y_pred):
        """Computes the loss of the batch without weights; see `__call__`."""
        return self(y_true, y_pred)

    def get_config(self):
        """Constructor arguments, for saving."""
        return {"name": self.name, "epsilon": self.epsilon}


def _negative_log_determinant(joint, epsilon):
    """`-log(|det joint| + epsilon)` of a matrix, with a finite gradient."""
    log_epsilon = math.log(epsilon)
    num_classes = joint.shape[-1]

    @tf.custom_gradient
    def loss_and_gradient(joint):
        # Rows and columns are scaled to a sum of one. If one is zero, as the
        # row of a class that the batch lacks, so is the determinant, exactly.
        row_sums = _absolute_sums(joint, 1)
        scaled = tf.math.divide_no_nan(joint, row_sums)
        column_sums = _absolute_sums(scaled, 0)
        scaled = tf.math.divide_no_nan(scaled, column_sums)
        log_sums = _log_product(row_sums) + _log_product(column_sums)

        q, r = tf.linalg.qr(scaled)
        diagonal = tf.linalg.diag_part(r)
        log_determinant = log_sums + _log_product(diagonal)
        log_sum = tf.reduce_logsumexp([log_determinant, log_epsilon])

        def gradient(upstream):
            # d|det U| / dU = |det U| U^-T, and U^-T = Q R^-T. Diagonal entries
            # below the rounding error of R are raised to it: that bounds R^-1.
            rounding = num_classes * np.finfo(np.float32).eps
            lowest = rounding * tf.reduce_max(tf.abs(r)) + SMALLEST
            raised = tf.where(diagonal < 0.0, -lowest, lowest)
            raised = tf.where(tf.abs(diagonal) < lowest, raised, diagonal)
            # |det U| / (|det U| + epsilon), without overflow.
            log_determinant = log_sums + _log_product(raised)
            inverse = tf.linalg.triangular_solve(
                tf.linalg.set_diag(r, raised),
                tf.sigmoid(log_determinant - log_epsilon) * tf.eye(num_classes),
                lower=False,
            )
            slope = tf.matmul(q, inverse, transpose_b=True)
            slope = tf.math.divide_no_nan(slope, row_sums)
            return -upstream * tf.math.divide_no_nan(slope, column_sums)

        return -log_sum, gradient

    return loss_and_gradient(joint)


def _absolute_sums(matrix, axis):
    """Sums of absolute values along an axis; the smallest count as zero."""
    sums = tf.reduce_sum(tf.abs(matrix), axis, keepdims=True)
    return tf.where(sums < SMALLEST, 0.0, sums)


def _log_product(values):
    """Logarithm of the absolute value of the product."""
    return tf.reduce_sum(tf.math.log(tf.abs(values)))
