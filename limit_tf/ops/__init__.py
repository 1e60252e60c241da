"""Tensor maths without state: label distributions and logit gradients."""

from limit_tf.ops.labels import label_distribution
from limit_tf.ops.logit_gradients import cross_entropy
from limit_tf.ops.logit_gradients import predicted_logit_gradient
from limit_tf.ops.logit_gradients import true_logit_gradient

__all__ = [
    "cross_entropy",
    "label_distribution",
    "predicted_logit_gradient",
    "true_logit_gradient",
]
