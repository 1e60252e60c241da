"""LIMIT's soft regularisation: two networks, one objective."""

import keras
import tensorflow as tf

from limit_tf.models import network_checks
from limit_tf.models.network_copy import check_origin
from limit_tf.models.network_copy import network_copy
from limit_tf.models.objective_model import ObjectiveModel
from limit_tf.ops import cross_entropy
from limit_tf.ops import global_mean
from limit_tf.ops import weighted


@keras.saving.register_keras_serializable(package="limit_tf")
class SoftRegularizationModel(ObjectiveModel):
    """Penalises label-noise information in the last layer (equation 11).

    With `z` the input of the classifier's last layer, `a` and `r` the logits
    of the classifier and of the predictor, `s` the softmax and `y` the given
    label, both networks minimise the mean over the batch of

        cross_entropy(y, a) + information_penalty * ||z||^2 ||y - s(r)||^2
                            + gradient_penalty * ||z||^2 ||s(a) - s(r)||^2

    Nothing is cut off: every term trains both networks, as in the authors'
    code. `sample_weight` weighs the two terms that see labels.

    `fit` and `evaluate` report `loss` (the cross-entropy on the given labels),
    `information_penalty` and `gradient_penalty` (with their weights), and the
    compiled metrics on the classifier.

    Args:
        classifier: Functional or Sequential model that ends in logits
            `(batch, num_classes)` by a dense layer without bias.
        gradient_predictor: Model with the same inputs and number of classes.
            None builds a copy of the classifier, as `limit_tf.LimitModel`
            does.
        predictor_from: See `limit_tf.LimitModel`.
        information_penalty: Weight `lambda >= 0`. The paper's grid is 0.001 to
            0.1.
        gradient_penalty: Weight `beta >= 0`. The paper's grid is 0 to 10.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass; both networks see the same augmented batch.
        seed: Seed of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If a network is not a Keras model.
        ValueError: If a value is outside its range, the networks disagree, or
            the classifier's last layer cannot be seen or has a bias.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    import keras

    import limit_tf

    classifier = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, use_bias=False),
        ]
    )
    model = limit_tf.SoftRegularizationModel(classifier)
    model.compile(optimizer="adam", metrics=["accuracy"])
    ```
    """

    NETWORKS = ("classifier", "gradient_predictor")
    FIGURES = ("information_penalty", "gradient_penalty")

    def __init__(
        self,
        classifier,
        gradient_predictor=None,
        *,
        predictor_from="fresh",
        information_penalty=0.01,
        gradient_penalty=0.1,
        augmentation=None,
        seed=None,
        name=None,
        **kwargs,
    ):
        network_checks.check_network(classifier, "classifier")
        features = _features_and_logits(classifier)
        check_origin(
            predictor_from, "predictor_from", gradient_predictor is not None
        )
        if gradient_predictor is None:
            gradient_predictor = network_copy(classifier, origin=predictor_from)
        for argument, value in (
            ("information_penalty", information_penalty),
            ("gradient_penalty", gradient_penalty),
        ):
            if not 0.0 <= value < float("inf"):
                raise ValueError(
                    f"`{argument}` must be a finite number >= 0. Received: "
                    f"{argument}={value}"
                )
        super().__init__(
            {
                "classifier": classifier,
                "gradient_predictor": gradient_predictor,
            },
            augmentation=augmentation,
            seed=seed,
            name=name,
            **kwargs,
        )
        self.information_penalty = float(information_penalty)
        self.gradient_penalty = float(gradient_penalty)
        # A function, so that Keras does not count the layers twice.
        self._features = lambda x, training: features(x, training=training)

    def objective(self, batch, training):
        """Cross-entropy and the two penalties of equation 11."""
        features, logits = self._features(batch.inputs, training)
        predictor_logits = self.gradient_predictor(
            batch.inputs, training=training
        )
        probs = tf.nn.softmax(tf.cast(logits, tf.float32))
        predicted = tf.nn.softmax(tf.cast(predictor_logits, tf.float32))
        squared_norm = tf.reduce_sum(
            tf.square(tf.cast(features, tf.float32)), -1
        )
        loss = weighted(
            cross_entropy(batch.labels, logits), batch.sample_weight
        )
        information = self.information_penalty * weighted(
            squared_norm * _squared_distance(batch.labels, predicted),
            batch.sample_weight,
        )
        norm = (
            self.gradient_penalty
            * squared_norm
            * _squared_distance(probs, predicted)
        )
        figures = {
            "loss": loss,
            "information_penalty": information,
            "gradient_penalty": norm,
        }
        return logits, global_mean(loss + information + norm), figures

    def get_config(self):
        """Returns the constructor's arguments, both networks included."""
        return {
            **super().get_config(),
            "information_penalty": self.information_penalty,
            "gradient_penalty": self.gradient_penalty,
        }


def _squared_distance(a, b):
    return tf.reduce_sum(tf.math.squared_difference(a, b), -1)


def _features_and_logits(classifier):
    """Model that gives the last layer's input beside the logits."""
    outputs = network_checks.symbolic_outputs(classifier)
    history = getattr(outputs, "_keras_history", None)
    layer = None if history is None else history.operation
    if not isinstance(layer, keras.layers.Dense) or layer.use_bias:
        raise ValueError(
            "`classifier` must be a functional or Sequential model, built, "
            "whose last layer is a keras.layers.Dense with use_bias=False. "
            f"Received: classifier={classifier.name!r} that ends in "
            f"{'an unseen layer' if layer is None else type(layer).__name__}"
            f"{' with a bias' if getattr(layer, 'use_bias', False) else ''}"
        )
    # A layer may be part of several networks: `layer.input` is of the first.
    (features,) = layer._inbound_nodes[history.node_index].input_tensors
    inputs = network_checks.symbolic_inputs(classifier)
    return keras.Model(inputs, [features, outputs])
