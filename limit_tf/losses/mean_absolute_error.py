"""Mean absolute error between labels and predicted probabilities."""

import keras
import tensorflow as tf

from limit_tf.losses.arguments import labels_and_logits


@keras.saving.register_keras_serializable(package="limit_tf")
class MeanAbsoluteError(keras.losses.Loss):
    """Absolute error `sum_j |y_j - p_j|`, with `p` the softmax of the logits.

    For a label of one class it is `2 (1 - p_y)`. Unlike
    `keras.losses.MeanAbsoluteError` it takes logits and sums over the classes.
    It computes in float32 whatever the logits' dtype.

    Args:
        reduction: How Keras reduces the losses of a batch. Defaults to their
            mean.
        name: Name of the loss.

    Example:
    ```python
    from limit_tf import losses

    loss = losses.MeanAbsoluteError()
    loss([0, 1], [[0.0, 0.0], [0.0, 0.0]])  # 1.0
    ```

    References:
        - [Ghosh et al., 2017](https://arxiv.org/abs/1712.09482)
    """

    def __init__(
        self, reduction="sum_over_batch_size", name="mean_absolute_error"
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true, y_pred):
        """Computes the loss of each example.

        Args:
            y_true: Class indices `(batch,)` or `(batch, 1)`, or
                distributions `(batch, num_classes)`.
            y_pred: Logits `(batch, num_classes)`.

        Returns:
            Tensor `(batch,)`, float32, summed over the classes.

        Raises:
            ValueError: If the labels or the logits have another shape.
        """
        labels, logits = labels_and_logits(y_true, y_pred)
        return tf.reduce_sum(tf.abs(labels - tf.nn.softmax(logits)), -1)
