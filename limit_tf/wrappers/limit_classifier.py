"""LIMIT as a classifier of scikit-learn's kind."""

import numpy as np
import scipy.special
from sklearn.utils.validation import check_is_fitted

from limit_tf.models import LimitModel
from limit_tf.models import auto_penalty
from limit_tf.models.network_copy import check_origin
from limit_tf.wrappers.network_classifier import NetworkClassifier

_PROBA_NETWORKS = ("classifier", "gradient_predictor")


class LimitClassifier(NetworkClassifier):
    """Classifier for noisy labels with scikit-learn's interface.

    It goes wherever scikit-learn takes a classifier: pipelines, searches,
    cross-validation, and into `cleanlab.classification.CleanLearning`. It is
    trained by `limit_tf.LimitModel`.

    Args:
        network: The classifier: None for a perceptron that standardises its
            inputs; a Keras model that ends in logits, of which every `fit`
            trains a copy: frozen layers, adapted ones and vocabularies are
            kept, trainable weights are those that `network_from` asks for; or
            a function that is called with the keywords `input_shape` and
            `num_classes` and returns such a model, as those in
            `limit_tf.nets`.
        gradient_predictor: The same for the gradient predictor; None for
            a copy of the classifier.
        network_from: Where the trainable weights of a copied model come from:
            `"fresh"` draws them anew, `"copy"` starts every `fit` from those
            of the model, which may be pretrained.
        predictor_from: See `limit_tf.LimitModel`.
        q_dist: See `limit_tf.LimitModel`.
        gradient_penalty: See `limit_tf.LimitModel`; `"auto"` needs a
            `validation_fraction`.
        sample_gradients: See `limit_tf.LimitModel`.
        q_scale: See `limit_tf.LimitModel`.
        warmup_steps: See `limit_tf.LimitModel`.
        proba_network: Whose probabilities `predict_proba` returns:
            `"classifier"` or `"gradient_predictor"`. `predict` and
            `decision_function` always ask the classifier.
        optimizer: Name of a Keras optimizer, or an instance, which every
            `fit` copies.
        learning_rate: Its learning rate, or a schedule; None for its own.
        epochs: Number of epochs.
        batch_size: Number of examples in a batch.
        validation_fraction: Share of the examples, in `[0, 1)`, that is not
            trained on. Figures on it stand in `history_`.
        patience: Number of epochs without a better accuracy on the
            validation examples after which training ends; the weights of the
            best epoch are kept. None trains for all epochs and keeps the last.
        random_state: Integer or `numpy.random.RandomState` that fixes initial
            weights, order and split; None for others each time.
        verbose: What Keras prints while it trains.

    Attributes:
        classes_: Labels of the `K` classes, sorted.
        n_features_in_: Second dimension of `X`.
        input_shape_: Shape of one example.
        model_: The trained `limit_tf.LimitModel`.
        history_: Figures of every epoch: lists by name.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_score

    from limit_tf.wrappers import LimitClassifier

    x, y = load_digits(return_X_y=True)
    estimator = LimitClassifier(gradient_penalty=10.0, epochs=30)
    print(cross_val_score(estimator, x, y, cv=3))
    ```
    """

    def __init__(
        self,
        network=None,
        *,
        gradient_predictor=None,
        network_from="fresh",
        predictor_from="fresh",
        q_dist="laplace",
        gradient_penalty=1.0,
        sample_gradients=False,
        q_scale=None,
        warmup_steps=0,
        proba_network="classifier",
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
        self.gradient_predictor = gradient_predictor
        self.network_from = network_from
        self.predictor_from = predictor_from
        self.q_dist = q_dist
        self.gradient_penalty = gradient_penalty
        self.sample_gradients = sample_gradients
        self.q_scale = q_scale
        self.warmup_steps = warmup_steps
        self.proba_network = proba_network
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def make_model(self, inputs: np.ndarray, num_classes: int, seed: int):
        """Builds a `LimitModel`; see `NetworkClassifier.make_model`."""
        networks = [
            self.build_network(self.network, "network", inputs, num_classes)
        ]
        if self.gradient_predictor is not None:
            networks.append(
                self.build_network(
                    self.gradient_predictor,
                    "gradient_predictor",
                    inputs,
                    num_classes,
                )
            )
        return LimitModel(
            *networks,
            predictor_from=self.predictor_from,
            q_dist=self.q_dist,
            gradient_penalty=self.gradient_penalty,
            sample_gradients=self.sample_gradients,
            q_scale=self.q_scale,
            warmup_steps=self.warmup_steps,
            seed=seed,
        )

    def predict_proba(self, X):  # noqa: N803
        """Returns the probabilities of the classes.

        Args:
            X: Examples, shape `(n, ...)`.

        Returns:
            Probabilities of the `proba_network` in the order of `classes_`,
            shape `(n, K)`, float64.

        Raises:
            ValueError: If there is no such network.
        """
        self._check_proba_network()
        if self.proba_network == "classifier":
            return super().predict_proba(X)
        check_is_fitted(self)
        logits = self.logits(X, self.model_.gradient_predictor)
        return scipy.special.softmax(logits, axis=1)

    def _check_arguments(self):
        super()._check_arguments()
        self._check_proba_network()
        check_origin(
            self.predictor_from,
            "predictor_from",
            self.gradient_predictor is not None,
        )
        if (
            self.gradient_penalty == auto_penalty.AUTO
            and not self.validation_fraction
        ):
            raise ValueError(
                "`validation_fraction` must be positive with "
                "gradient_penalty='auto', which goes by the accuracy on "
                "validation examples. Received: validation_fraction=0.0"
            )

    def _check_proba_network(self):
        if self.proba_network not in _PROBA_NETWORKS:
            raise ValueError(
                f"`proba_network` must be one of {_PROBA_NETWORKS}. "
                f"Received: proba_network={self.proba_network!r}"
            )
