"""Early-learning regularisation (ELR)."""

import keras

from limit_tf.models import example_inputs
from limit_tf.models.example_target_model import TARGETS
from limit_tf.models.example_target_model import ExampleTargetModel
from limit_tf.ops import clipped_probs
from limit_tf.ops import cross_entropy
from limit_tf.ops import early_learning_regularizer
from limit_tf.ops import global_mean
from limit_tf.ops import weighted


@keras.saving.register_keras_serializable(package="limit_tf")
class ElrModel(ExampleTargetModel):
    """Pulls predictions towards what the network predicted before.

    Networks learn clean labels first and memorise wrong ones later. ELR keeps
    a target `t` for every training example, a moving average of the network's
    predictions `p`, and minimises the mean over the batch of

        cross_entropy(y, a) + regularization * log(1 - <p, t>)

    with `t <- target_momentum * t + (1 - target_momentum) * p / sum(p)` before
    the loss uses it and no gradient through `t`; `p` is the softmax clipped to
    [1e-4, 1 - 1e-4]. Targets start at zero.

    Training inputs carry the ids of their examples, integers in
    `[0, num_examples)`, each at most once a batch:
    `fit({"inputs": x, "example_ids": ids}, y)`, or a data set of such
    elements (`limit_tf.data.training_dataset(..., with_example_ids=True)`).
    `evaluate` and `predict` take inputs alone.

    The targets take `4 * num_examples * num_classes` bytes; they are saved
    with the model. `sample_weight` weighs the cross-entropy; the regulariser
    does not see labels and is not weighed.

    `fit` reports `loss` (the cross-entropy on the given labels),
    `regularization` (the regulariser with its weight, at most zero), and the
    compiled metrics.

    Args:
        classifier: Keras model of any kind that ends in logits
            `(batch, num_classes)`. `call`, `predict` and `export` give them.
        num_examples: Number of training examples.
        num_classes: Number of classes; needed where the classifier is not
            built yet.
        regularization: Weight `lambda >= 0`. The paper takes 3 for CIFAR-10
            with symmetric and 1 with asymmetric noise, 7 for CIFAR-100.
        target_momentum: Weight `beta` of the past in the targets, in
            `[0, 1)`: 0.7 for symmetric noise on CIFAR-10, 0.9 else.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass.
        seed: Seed of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If the network is not a Keras model.
        ValueError: If a value is outside its range or the network does not
            end in logits.

    References:
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)

    Example:
    ```python
    import keras
    import numpy as np

    import limit_tf

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    classifier = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    model = limit_tf.ElrModel(classifier, num_examples=256)
    model.compile(optimizer="adam", metrics=["accuracy"])
    model.fit({"inputs": x, "example_ids": np.arange(256)}, y, verbose=0)
    logits = model.predict(x, verbose=0)
    ```
    """

    def __init__(
        self,
        classifier,
        num_examples,
        *,
        num_classes=None,
        regularization=3.0,
        target_momentum=0.7,
        augmentation=None,
        seed=None,
        name=None,
        **kwargs,
    ):
        super().__init__(
            {"classifier": classifier},
            num_examples=num_examples,
            num_classes=num_classes,
            regularization=regularization,
            target_momentum=target_momentum,
            num_tables=1,
            augmentation=augmentation,
            seed=seed,
            name=name,
            **kwargs,
        )

    @property
    def targets(self):
        """Targets, a Keras variable `(num_examples, num_classes)`."""
        return self.target_tables[0].targets

    def objective(self, batch, training):
        """Cross-entropy, and in training the regulariser."""
        logits = self.classifier(batch.inputs, training=training)
        loss = weighted(
            cross_entropy(batch.labels, logits), batch.sample_weight
        )
        if not training:
            return logits, global_mean(loss), {"loss": loss}
        example_inputs.require(batch.example_ids)
        probs = clipped_probs(logits)
        targets = self.target_tables[0].moved(
            batch.example_ids,
            probs / keras.ops.sum(probs, axis=-1, keepdims=True),
        )
        penalty = self.regularization * early_learning_regularizer(
            probs, targets
        )
        figures = {
            "loss": loss,
            "regularization": penalty,
            TARGETS: [targets],
        }
        return logits, global_mean(loss + penalty), figures
