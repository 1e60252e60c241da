"""Cross-entropy of predictions that are sent through the label noise."""

import keras
import numpy as np
import tensorflow as tf

from limit_tf.losses.arguments import labels_and_logits
from limit_tf.noise import check_transition_matrix

# Probability of a label that the matrix never produces. The authors' code
# clips `p` at this value instead.
SMALLEST_PROBABILITY = 1e-10


@keras.saving.register_keras_serializable(package="limit_tf")
class ForwardCorrectedCrossEntropy(keras.losses.Loss):
    """Forward correction: `-sum_j y_j log((p T)_j)`.

    `p` is the softmax of the logits and `T` the fixed transition matrix,
    `T[i, j] = P(noisy = j given clean = i)`: the classifier predicts the clean
    label, and `p T` the noisy one that it is compared with. The authors' code
    clips `p` to `[1e-10, 1 - 1e-10]`; here `log(p T)` is a log-sum-exp of
    `log p + log T`, which needs no clipping, and equals the cross-entropy
    where `T` is the identity. A class whose column of `T` holds only zeros
    has probability 1e-10 and no gradient. It computes in float32 whatever the
    logits' dtype; an array `(batch, num_classes, num_classes)` is held in
    memory.

    Args:
        transition_matrix: Array-like `T` of shape
            `(num_classes, num_classes)`, whose rows sum to one.
        reduction: How Keras reduces the losses of a batch. Defaults to their
            mean.
        name: Name of the loss.

    Raises:
        TypeError: If the matrix does not hold numbers.
        ValueError: If the matrix is not square, or a row is no distribution.

    Example:
    ```python
    from limit_tf import losses

    loss = losses.ForwardCorrectedCrossEntropy([[0.9, 0.1], [0.3, 0.7]])
    loss([0], [[0.0, 0.0]])  # -log(0.45 + 0.15) = 0.5108...
    ```

    References:
        - [Patrini et al., 2017](https://arxiv.org/abs/1609.03683)
    """

    def __init__(
        self,
        transition_matrix,
        reduction="sum_over_batch_size",
        name="forward_corrected_cross_entropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.transition_matrix = check_transition_matrix(transition_matrix)

    def call(self, y_true, y_pred):
        """Computes the loss of each example.

        Args:
            y_true: Class indices `(batch,)` or `(batch, 1)`, or
                distributions `(batch, num_classes)`.
            y_pred: Logits `(batch, num_classes)`.

        Returns:
            Tensor `(batch,)`, float32.

        Raises:
            ValueError: If the labels or the logits have another shape, or the
                matrix is for another number of classes.
        """
        labels, logits = labels_and_logits(y_true, y_pred)
        check_transition_matrix(self.transition_matrix, logits.shape[-1])
        log_probs = tf.nn.log_softmax(logits)
        log_noisy_probs = tf.reduce_logsumexp(
            log_probs[:, :, tf.newaxis] + self._log_transition_matrix(), 1
        )
        return -tf.reduce_sum(labels * log_noisy_probs, -1)

    def get_config(self):
        """Constructor arguments, for saving."""
        return {
            **super().get_config(),
            "transition_matrix": self.transition_matrix.tolist(),
        }

    def _log_transition_matrix(self):
        """Logarithm `(num_classes, num_classes)`, float32; -inf for zeros."""
        never = self.transition_matrix.max(axis=0) == 0
        matrix = np.where(never, SMALLEST_PROBABILITY, self.transition_matrix)
        with np.errstate(divide="ignore"):
            return np.log(matrix).astype(np.float32)
