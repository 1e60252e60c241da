"""Generalized cross-entropy of logits, truncated or not."""

import math

import keras
import tensorflow as tf

from limit_tf.losses.arguments import check_number
from limit_tf.losses.arguments import labels_and_logits


@keras.saving.register_keras_serializable(package="limit_tf")
class GeneralizedCrossEntropy(keras.losses.CategoricalGeneralizedCrossEntropy):
    """Generalized cross-entropy `(1 - p_y^q) / q`, with `p` from logits.

    The loss is the cross-entropy as `q` tends to 0 and half the mean absolute
    error as it tends to 1. Values are those of Keras's loss, which takes
    probabilities; here they come from the log-softmax, because the gradient
    of Keras's is NaN where `p_y` underflows to zero. A soft label weighs the
    losses of the classes: `sum_j y_j (1 - p_j^q) / q`. It computes in float32
    whatever the logits' dtype.

    With `truncation=k`, the loss of a class with `p_y <= k` is the constant
    `(1 - k^q) / q`, so the example has no gradient (the paper's truncated
    `L_q` loss). Whether an example is pruned is decided afresh at every
    step; the paper alternates instead, and refreshes its weights after every
    few epochs of training.

    Args:
        q: Exponent, strictly between 0 and 1.
        truncation: Threshold `k`, strictly between 0 and 1, or None.
        reduction: How Keras reduces the losses of a batch. Defaults to their
            mean.
        name: Name of the loss.

    Raises:
        TypeError: If `q` or `truncation` is not a number.
        ValueError: If `q` or `truncation` is outside its range.

    Example:
    ```python
    from limit_tf import losses

    loss = losses.GeneralizedCrossEntropy(q=0.5)
    loss([0, 1], [[0.0, 0.0], [0.0, 0.0]])  # 2 (1 - sqrt(1/2)) = 0.5857...
    ```

    References:
        - [Zhang and Sabuncu, 2018](https://arxiv.org/abs/1805.07836)
    """

    def __init__(
        self,
        q=0.7,
        truncation=None,
        reduction="sum_over_batch_size",
        name="generalized_cross_entropy",
    ):
        rule = "lie strictly between 0 and 1"
        q = check_number(q, "q", lambda v: 0 < v < 1, rule)
        if truncation is not None:
            truncation = check_number(
                truncation, "truncation", lambda v: 0 < v < 1, rule
            )
        super().__init__(q=q, reduction=reduction, name=name, dtype="float32")
        self.truncation = truncation

    def call(self, y_true, y_pred):
        """Computes the loss of each example.

        Args:
            y_true: Class indices `(batch,)` or `(batch, 1)`, or
                distributions `(batch, num_classes)`.
            y_pred: Logits `(batch, num_classes)`.

        Returns:
            Tensor `(batch,)`, float32.

        Raises:
            ValueError: If the labels or the logits have another shape.
        """
        labels, logits = labels_and_logits(y_true, y_pred)
        log_probs = tf.nn.log_softmax(logits)
        if self.truncation is not None:
            # Unlike tf.maximum, this passes no gradient at `p = k` either.
            log_k = math.log(self.truncation)
            log_probs = tf.where(log_probs <= log_k, log_k, log_probs)
        losses = -tf.math.expm1(self.q * log_probs) / self.q
        return tf.reduce_sum(labels * losses, -1)

    def get_config(self):
        """Constructor arguments, for saving."""
        return {**super().get_config(), "truncation": self.truncation}
