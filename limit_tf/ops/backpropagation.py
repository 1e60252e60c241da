"""Back-propagation of a gradient that is given at the logits."""

import tensorflow as tf


def classifier_gradients(
    tape: tf.GradientTape,
    logits: tf.Tensor,
    penalty: tf.Tensor,
    variables: list,
    logit_gradient: tf.Tensor,
    scale_loss,
) -> list[tf.Tensor]:
    """Gradients of a classifier's weights, given that of its logits.

    Args:
        tape: Tape that has recorded the logits and the penalty.
        logits: Tensor `(batch, num_classes)`, any float dtype.
        penalty: Sum of the classifier's own losses, scalar.
        variables: Weights of the classifier.
        logit_gradient: Gradient to send back, `(batch, num_classes)`,
            float32: divided by the batch size already.
        scale_loss: The optimizer's `scale_loss`. The gradient that is sent
            has to be scaled as a loss would be, since the optimizer divides
            all gradients by the scale.

    Returns:
        A tensor for each variable.
    """
    return tape.gradient(
        [logits, penalty],
        variables,
        output_gradients=[
            tf.cast(scale_loss(logit_gradient), logits.dtype),
            scale_loss(tf.ones_like(penalty)),
        ],
    )
