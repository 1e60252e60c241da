"""The regulariser of early-learning regularisation (ELR)."""

import tensorflow as tf

_SMALLEST_PROB = 1e-4


def clipped_probs(logits: tf.Tensor) -> tf.Tensor:
    """Softmax of the logits, clipped to `[1e-4, 1 - 1e-4]`.

    Args:
        logits: Tensor `(batch, num_classes)`, any float dtype.

    Returns:
        Tensor `(batch, num_classes)`, float32.
    """
    probs = tf.nn.softmax(tf.cast(logits, tf.float32))
    return tf.clip_by_value(probs, _SMALLEST_PROB, 1.0 - _SMALLEST_PROB)


def early_learning_regularizer(
    probs: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """Regulariser `log(1 - <p, t>)` of each example (section 4.2 of ELR).

    Minimising it pulls the prediction towards the target.

    Args:
        probs: Clipped probabilities `p`, `(batch, num_classes)`, float32.
        targets: Targets `t`, same shape. No gradient flows back to them.

    Returns:
        Tensor `(batch,)`, float32, at most zero.

    References:
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)
    """
    product = tf.reduce_sum(probs * tf.stop_gradient(targets), -1)
    return tf.math.log1p(-product)
