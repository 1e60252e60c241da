"""Symmetric cross-entropy: cross-entropy in both directions."""

import math

import keras
import tensorflow as tf

from limit_tf.losses.arguments import check_number
from limit_tf.losses.arguments import labels_and_logits
from limit_tf.ops import cross_entropy


@keras.saving.register_keras_serializable(package="limit_tf")
class SymmetricCrossEntropy(keras.losses.Loss):
    """Weighted sum `alpha CE + beta RCE` of cross-entropy and its reverse.

    The reverse cross-entropy is `RCE = -sum_j p_j log(clip(y_j, c, 1))`, with
    `p` the softmax of the logits and `c` `label_clip`, which stands for the
    paper's `A = log 0`: 1e-4 is `A = -9.21`, as in the authors' code. That
    code also clips `p` at 1e-7 in CE; here CE comes from the logits and is
    not bounded. It computes in float32 whatever the logits' dtype.

    The defaults are the paper's for CIFAR-10.

    Args:
        alpha: Weight of the cross-entropy, not negative.
        beta: Weight of the reverse cross-entropy, not negative.
        label_clip: Smallest label probability in the reverse cross-entropy,
            strictly between 0 and 1.
        reduction: How Keras reduces the losses of a batch. Defaults to their
            mean.
        name: Name of the loss.

    Raises:
        TypeError: If one of the first three is not a number.
        ValueError: If one of them is outside its range.

    Example:
    ```python
    from limit_tf import losses

    loss = losses.SymmetricCrossEntropy(alpha=0.1, beta=1.0)
    loss([0, 1], [[0.0, 0.0], [0.0, 0.0]])  # 0.0693 + 4.6052 = 4.6745
    ```

    References:
        - [Wang et al., 2019](https://arxiv.org/abs/1908.06112)
    """

    def __init__(
        self,
        alpha=0.1,
        beta=1.0,
        label_clip=1e-4,
        reduction="sum_over_batch_size",
        name="symmetric_cross_entropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        rule = "be finite and not negative"
        is_weight = lambda value: 0 <= value < math.inf  # noqa: E731
        self.alpha = check_number(alpha, "alpha", is_weight, rule)
        self.beta = check_number(beta, "beta", is_weight, rule)
        self.label_clip = check_number(
            label_clip,
            "label_clip",
            lambda value: 0 < value < 1,
            "lie strictly between 0 and 1",
        )

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
        log_labels = tf.math.log(tf.clip_by_value(labels, self.label_clip, 1.0))
        reverse = -tf.reduce_sum(tf.nn.softmax(logits) * log_labels, -1)
        return self.alpha * cross_entropy(labels, logits) + self.beta * reverse

    def get_config(self):
        """Constructor arguments, for saving."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "label_clip": self.label_clip,
        }
