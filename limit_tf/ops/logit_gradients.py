"""Gradients of the cross-entropy with respect to a classifier's logits.

Notation of LIMIT (Harutyunyan et al., ICML 2020, https://arxiv.org/abs/2002.07933):
`a` are the classifier's logits, `r` the gradient predictor's, `s` is softmax.
All values are per example: the mean over the batch is taken by the caller.
"""

import tensorflow as tf


def predicted_logit_gradient(
    logits: tf.Tensor, predictor_logits: tf.Tensor
) -> tf.Tensor:
    """Predicted gradient `mu = s(a) - s(r)`, the mean of `q` (section 3.3).

    Args:
        logits: Classifier logits `(batch, num_classes)`, any float dtype. No
            gradient flows back to them.
        predictor_logits: Gradient predictor's logits, same shape.

    Returns:
        Tensor `(batch, num_classes)`, float32. It sums to zero over classes.
    """
    probs = tf.stop_gradient(tf.nn.softmax(tf.cast(logits, tf.float32)))
    return probs - tf.nn.softmax(tf.cast(predictor_logits, tf.float32))


def true_logit_gradient(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Gradient `g = s(a) - y` of the cross-entropy (section 3.2).

    Args:
        logits: Classifier logits `(batch, num_classes)`, any float dtype. No
            gradient flows back to them.
        labels: Label distributions `(batch, num_classes)`, float32.

    Returns:
        Tensor `(batch, num_classes)`, float32.
    """
    probs = tf.stop_gradient(tf.nn.softmax(tf.cast(logits, tf.float32)))
    return probs - labels


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each example, in float32 whatever the logits' dtype.

    Args:
        labels: Label distributions `(batch, num_classes)`, float32.
        logits: Logits `(batch, num_classes)`, any float dtype.

    Returns:
        Tensor `(batch,)`, float32, in nats.
    """
    return tf.nn.softmax_cross_entropy_with_logits(
        labels, tf.cast(logits, tf.float32)
    )
