"""Training on the labels as they are, beside LIMIT."""

import numpy as np

from limit_tf.models import ClassifierModel
from limit_tf.wrappers.network_classifier import NetworkClassifier


class CrossEntropyClassifier(NetworkClassifier):
    """Classifier with scikit-learn's interface, trained by the cross-entropy.

    It is what to compare `LimitClassifier` to: the same networks, data, order
    and initial weights.

    Args:
        network: The classifier, see `LimitClassifier`.
        network_from: See `LimitClassifier`.
        optimizer: See `LimitClassifier`.
        learning_rate: See `LimitClassifier`.
        epochs: Number of epochs.
        batch_size: Number of examples in a batch.
        validation_fraction: See `LimitClassifier`.
        patience: See `LimitClassifier`.
        random_state: See `LimitClassifier`.
        verbose: What Keras prints while it trains.

    Attributes:
        classes_: Labels of the `K` classes, sorted.
        n_features_in_: Second dimension of `X`.
        input_shape_: Shape of one example.
        model_: The trained `limit_tf.ClassifierModel`.
        history_: Figures of every epoch: lists by name.

    Example:
    ```python
    from sklearn.datasets import load_digits

    from limit_tf.wrappers import CrossEntropyClassifier

    x, y = load_digits(return_X_y=True)
    estimator = CrossEntropyClassifier(epochs=10).fit(x[:1000], y[:1000])
    print(estimator.score(x[1000:], y[1000:]))
    ```
    """

    def __init__(
        self,
        network=None,
        *,
        network_from="fresh",
        optimizer="adam",
        learning_rate=None,
        epochs=100,
        batch_size=128,
        validation_fraction=0.0,
        patience=None,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.network_from = network_from
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def make_model(self, inputs: np.ndarray, num_classes: int, seed: int):
        """Builds a `ClassifierModel`; see `NetworkClassifier.make_model`."""
        return ClassifierModel(
            self.build_network(self.network, "network", inputs, num_classes),
            seed=seed,
        )
