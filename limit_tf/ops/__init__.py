"""Tensor maths without state: labels, logit gradients, means."""

from limit_tf.ops.backpropagation import classifier_gradients
from limit_tf.ops.batch_means import by_position
from limit_tf.ops.batch_means import global_batch_size
from limit_tf.ops.batch_means import global_mean
from limit_tf.ops.batch_means import sum_of_losses
from limit_tf.ops.batch_means import weighted
from limit_tf.ops.early_learning import clipped_probs
from limit_tf.ops.early_learning import early_learning_regularizer
from limit_tf.ops.labels import label_distribution
from limit_tf.ops.logit_gradients import cross_entropy
from limit_tf.ops.logit_gradients import predicted_logit_gradient
from limit_tf.ops.logit_gradients import true_logit_gradient
from limit_tf.ops.mixup import mix
from limit_tf.ops.mixup import mixup_weight
from limit_tf.ops.mixup import random_order

__all__ = [
    "by_position",
    "classifier_gradients",
    "clipped_probs",
    "cross_entropy",
    "early_learning_regularizer",
    "global_batch_size",
    "global_mean",
    "label_distribution",
    "mix",
    "mixup_weight",
    "predicted_logit_gradient",
    "random_order",
    "sum_of_losses",
    "true_logit_gradient",
    "weighted",
]
