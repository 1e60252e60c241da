"""Cross-entropy with noise on the gradient of the logits."""

import keras
import tensorflow as tf

from limit_tf import distributions
from limit_tf.models.network_model import NetworkModel
from limit_tf.ops import by_position
from limit_tf.ops import classifier_gradients
from limit_tf.ops import cross_entropy
from limit_tf.ops import global_batch_size
from limit_tf.ops import label_distribution
from limit_tf.ops import sum_of_losses
from limit_tf.ops import true_logit_gradient
from limit_tf.ops import weighted


@keras.saving.register_keras_serializable(package="limit_tf")
class NoisyGradientModel(NetworkModel):
    """Trains on cross-entropy, with noise added to the logits' gradient.

    The baselines CE+GN and CE+LN of the LIMIT paper: independent Gaussian or
    Laplace noise is added to every coordinate of the gradient of the *mean*
    cross-entropy with respect to the logits, and the sum is back-propagated.
    That gradient carries a factor `1 / batch size`, the noise does not, as in
    the authors' code: in units of one example's gradient, whose coordinates
    lie in [-1, 1], the noise has the standard deviation
    `noise_std * batch size`.

    `sample_weight` weighs the examples' gradients, not the noise.

    Args:
        classifier: Keras model of any kind that ends in logits
            `(batch, num_classes)`. `call`, `predict` and `export` give them.
        noise: `"gaussian"`, `"laplace"`, or an instance of
            `limit_tf.distributions.GradientDistribution` that can be sampled.
        noise_std: Standard deviation of the noise in each coordinate. The
            paper's grid is 0.01, 0.03, 0.1, 0.3 with batches of 256.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass.
        seed: Seed of the noise and of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If the network is not a Keras model.
        ValueError: If a value is outside its range or the network does not
            end in logits.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    import keras

    import limit_tf

    classifier = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    model = limit_tf.NoisyGradientModel(classifier, noise_std=0.03)
    model.compile(optimizer="adam", metrics=["accuracy"])
    ```
    """

    LOSS_IS_FIXED = True

    def __init__(
        self,
        classifier,
        *,
        noise="gaussian",
        noise_std=0.03,
        augmentation=None,
        seed=None,
        name=None,
        **kwargs,
    ):
        noise = distributions.get(noise, argument="noise")
        if not noise.can_sample:
            raise ValueError(
                "`noise` must be a distribution that can be sampled. "
                f"Received: noise={type(noise).__name__}"
            )
        if not 0.0 <= noise_std < float("inf"):
            raise ValueError(
                "`noise_std` must be a finite number >= 0. Received: "
                f"noise_std={noise_std}"
            )
        super().__init__(
            {"classifier": classifier},
            augmentation=augmentation,
            seed=seed,
            name=name,
            **kwargs,
        )
        self.noise = noise
        self.noise_std = float(noise_std)

    def train_step(self, data):
        """Updates the classifier on one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        x = self.augmented(x)
        labels = label_distribution(y, self.num_classes)
        gradients, logits = self.on_replica(
            self._gradients, x, labels, sample_weight
        )
        self.optimizer.apply(gradients, self.trainable_variables)
        self.train_steps.assign_add(1)
        return self._reported(x, y, labels, logits, sample_weight)

    def _gradients(self, x, labels, sample_weight):
        """Gradients of the classifier, and its logits."""
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            penalty = sum_of_losses(self.classifier.losses)
        gradients = classifier_gradients(
            tape,
            logits,
            penalty,
            self.trainable_variables,
            self._noisy_gradient(logits, labels, sample_weight),
            self.optimizer.scale_loss,
        )
        return gradients, logits

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        logits = self(x, training=False)
        labels = label_distribution(y, self.num_classes)
        return self._reported(x, y, labels, logits, sample_weight)

    def _noisy_gradient(self, logits, labels, sample_weight):
        gradient = true_logit_gradient(logits, labels)
        if sample_weight is not None:
            gradient *= tf.reshape(
                tf.cast(sample_weight, gradient.dtype), [-1, 1]
            )
        seed = self.step_seed(1, shared=True)
        return by_position(
            lambda mean: self.noise.sample(mean, self.noise_std, seed),
            gradient / global_batch_size(gradient),
        )

    def _reported(self, x, y, labels, logits, sample_weight):
        loss = weighted(cross_entropy(labels, logits), sample_weight)
        self.report({"loss": loss}, tf.shape(labels)[0])
        return self.compute_metrics(x, y, logits, sample_weight)

    def get_config(self):
        """Returns the constructor's arguments, the classifier included."""
        return {
            **super().get_config(),
            "noise": keras.saving.serialize_keras_object(self.noise),
            "noise_std": self.noise_std,
        }
