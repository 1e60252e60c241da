"""Cross-entropy matching: the predictor is fitted as a classifier."""

import keras

from limit_tf.distributions.base import GradientDistribution
from limit_tf.ops import cross_entropy


@keras.saving.register_keras_serializable(package="limit_tf")
class CrossEntropy(GradientDistribution):
    """Fits the gradient predictor by cross-entropy on the given labels.

    A variant of the authors' code that the paper's tables do not use. It
    belongs to no distribution of the gradient, so it cannot be sampled.

    Example:
    ```python
    import limit_tf

    q_dist = limit_tf.distributions.CrossEntropy()
    ```
    """

    can_sample = False

    def matching_loss(
        self, predicted_gradient, true_gradient, predictor_logits, labels
    ):
        """Cross-entropy of each example, `(batch,)`, in nats."""
        del predicted_gradient, true_gradient
        return cross_entropy(labels, predictor_logits)
