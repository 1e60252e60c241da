"""Tensor maths without state: labels, logit gradients, means."""

from limit_tf.ops.batch_means import global_batch_size
from limit_tf.ops.batch_means import global_mean
from limit_tf.ops.batch_means import sum_of_losses
from limit_tf.ops.batch_means import weighted
from limit_tf.ops.labels import label_distribution
from limit_tf.ops.logit_gradients import cross_entropy
from limit_tf.ops.logit_gradients import predicted_logit_gradient
from limit_tf.ops.logit_gradients import true_logit_gradient

__all__ = [
    "cross_entropy",
    "global_batch_size",
    "global_mean",
    "label_distribution",
    "predicted_logit_gradient",
    "sum_of_losses",
    "true_logit_gradient",
    "weighted",
]
