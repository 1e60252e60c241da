"""ELR+: two networks, weight averaging and mixup."""

import keras
import tensorflow as tf

from limit_tf.models import example_inputs
from limit_tf.models import network_checks
from limit_tf.models import network_layers
from limit_tf.models import network_names
from limit_tf.models.example_target_model import TARGETS
from limit_tf.models.example_target_model import ExampleTargetModel
from limit_tf.models.mean_logits import MeanLogits
from limit_tf.models.network_copy import check_origin
from limit_tf.models.network_copy import exact_copy
from limit_tf.models.network_copy import network_copy
from limit_tf.ops import clipped_probs
from limit_tf.ops import cross_entropy
from limit_tf.ops import early_learning_regularizer
from limit_tf.ops import global_mean
from limit_tf.ops import mix
from limit_tf.ops import mixup_weight
from limit_tf.ops import random_order
from limit_tf.ops import weighted

# exp(-5 (1 - t)^2), the ramp of the authors' code.
_RAMP_STEEPNESS = 5.0


@keras.saving.register_keras_serializable(package="limit_tf")
class ElrPlusModel(ExampleTargetModel):
    """Early-learning regularisation of two networks by each other.

    Each network has a moving average of its weights. A step draws a mixup of
    the batch for each network, moves that network's targets towards the
    predictions of the *other* network's average on the batch that is not
    mixed (with batch statistics, without gradient), and minimises the
    cross-entropy of the mixed labels plus
    `regularization * log(1 - <p, t>)` with equally mixed targets `t`; then
    both averages follow their networks. `call`, `predict` and metrics of
    `evaluate` use the mean of both networks' logits.

    Both networks see the same batch in one step and share one data set, one
    split and one set of noisy labels. The authors' code trains one network for
    an epoch, then the other, and lets each draw a split and noise of its own,
    so that one trains on what the other validates on.

    Training inputs carry the ids of their examples as in `ElrModel`; there are
    two tables of targets, `8 * num_examples * num_classes` bytes. Sample
    weights are refused in training: mixup has no meaning for them.

    `fit` reports `loss` and `regularization` (means of both networks, the
    latter with its weight and ramp) and the compiled metrics, in training
    those of the averages' mean logits on the batch that is not mixed.

    Args:
        first_classifier: Built Keras model that ends in logits
            `(batch, num_classes)`. If its inputs are integers, mixed inputs
            are rounded to integers.
        second_classifier: Model with the same inputs and number of classes.
            None builds a copy of the first one. Frozen layers, adapted ones
            and vocabularies are equal in it; its trainable weights are its
            own. The networks may share layers that nothing trains.
        second_from: Where the trainable weights of such a copy come from:
            `"fresh"` draws them anew, `"copy"` starts from the first one's.
        num_examples: Number of training examples.
        regularization: Weight `lambda >= 0`.
        target_momentum: Weight `beta` of the past in the targets, in `[0, 1)`.
        mixup_alpha: Parameter of the beta distribution, positive.
        average_decay: Weight of the past in the averages of weights, in
            `[0, 1)`, once the ramp is over: the authors take 0.997 for CIFAR,
            0.9999 for Clothing1M.
        average_ramp_steps: Steps over which the decay ramps up as
            `exp(-5 (1 - step / steps)^2)` (40,000 for CIFAR); 0 lets it be
            `min(1 - 1 / step, average_decay)`, as for Clothing1M.
        regularization_ramp_steps: Steps over which the regulariser's weight
            ramps up alike (40,000 for CIFAR-100); 0 for no ramp.
        refine_labels: Whether mixed labels are multiplied with the targets
            and normalised, as the authors do for CIFAR-100.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass; both networks see the same augmented batch.
        seed: Seed of mixup and of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If a network is not a Keras model.
        ValueError: If a value is outside its range, a network is not built or
            does not end in logits, or the networks disagree.

    References:
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)

    Example:
    ```python
    import keras

    import limit_tf

    first = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    model = limit_tf.ElrPlusModel(first, num_examples=256)
    model.compile(optimizer="adam", metrics=["accuracy"])
    ```
    """

    NETWORKS = ("first_classifier", "second_classifier")
    TAKES_WEIGHTS = False

    def __init__(
        self,
        first_classifier,
        second_classifier=None,
        *,
        num_examples,
        second_from="fresh",
        regularization=3.0,
        target_momentum=0.7,
        mixup_alpha=1.0,
        average_decay=0.997,
        average_ramp_steps=0,
        regularization_ramp_steps=0,
        refine_labels=False,
        augmentation=None,
        seed=None,
        name=None,
        **kwargs,
    ):
        network_checks.check_network(first_classifier, "first_classifier")
        check_origin(second_from, "second_from", second_classifier is not None)
        if second_classifier is None:
            second_classifier = network_copy(
                first_classifier, "second_classifier", origin=second_from
            )
        kwargs.pop("num_classes", None)
        super().__init__(
            {
                "first_classifier": first_classifier,
                "second_classifier": second_classifier,
            },
            num_examples=num_examples,
            num_classes=_num_classes(first_classifier, second_classifier),
            regularization=regularization,
            target_momentum=target_momentum,
            num_tables=2,
            augmentation=augmentation,
            seed=seed,
            name=name,
            **kwargs,
        )
        _check_numbers(
            mixup_alpha,
            average_decay,
            average_ramp_steps,
            regularization_ramp_steps,
        )
        self.mixup_alpha = float(mixup_alpha)
        self.average_decay = float(average_decay)
        self.average_ramp_steps = int(average_ramp_steps)
        self.regularization_ramp_steps = int(regularization_ramp_steps)
        self.refine_labels = bool(refine_labels)
        self.averages = [
            exact_copy(network, name)
            for name, network in self._networks_by_name().items()
        ]
        network_names.make_distinct(
            self._networks_by_name()
            | {f"average_{i}": one for i, one in enumerate(self.averages)}
        )

    def _check_separate(self):
        super()._check_separate()
        averages = getattr(self, "averages", ())
        for average, network in zip(averages, self._networks(), strict=False):
            network_layers.copy_trainable(network, average)  # once thawed

    def call(self, inputs, training=None):
        """Returns the mean of both logits, `(batch, num_classes)`."""
        inputs, _ = self.split_inputs(inputs)
        first, second = (
            network(inputs, training=training) for network in self._networks()
        )
        return 0.5 * (first + second)

    @property
    def classifier(self) -> keras.Model:
        """Functional model of the mean logits, that shares the weights."""
        inputs = network_checks.symbolic_inputs(self.first_classifier)
        logits = MeanLogits(self._networks(), autocast=False)(inputs)
        return keras.Model(inputs, logits, name="elr_plus_classifier")

    @property
    def trainable_weights(self):
        """Weights of both networks, without their averages."""
        return [
            variable
            for network in self._networks()
            for variable in network.trainable_weights
        ]

    @property
    def trainable_variables(self):
        """The same as `trainable_weights`."""
        return self.trainable_weights

    def objective(self, batch, training):
        """Both networks' losses; in evaluation the mean logits' one."""
        if not training:
            logits = self(batch.inputs, training=False)
            loss = weighted(
                cross_entropy(batch.labels, logits), batch.sample_weight
            )
            return logits, global_mean(loss), {"loss": loss}
        if batch.sample_weight is not None:
            raise ValueError(
                "`sample_weight` must be left out: ELR+ mixes examples. "
                "Received: a data set or arrays with weights"
            )
        example_inputs.require(batch.example_ids)
        logits = [
            tf.stop_gradient(
                tf.cast(average(batch.inputs, training=True), tf.float32)
            )
            for average in self.averages
        ]
        terms = [
            self._network_terms(index, batch, logits[1 - index])
            for index in range(2)
        ]
        targets = [term.pop(TARGETS) for term in terms]
        figures = {
            key: 0.5 * (terms[0][key] + terms[1][key]) for key in terms[0]
        }
        objective = 2.0 * (figures["loss"] + figures["regularization"])
        return (
            0.5 * (logits[0] + logits[1]),
            global_mean(objective),
            figures | {TARGETS: targets},
        )

    def _network_terms(self, index, batch, other_logits):
        """Terms of one network, whose targets the other's average moves."""
        moved = self.target_tables[index].moved(
            batch.example_ids, tf.nn.softmax(other_logits)
        )
        weight = mixup_weight(self.mixup_alpha, self.step_seed(1 + 2 * index))
        order = random_order(tf.shape(moved)[0], self.step_seed(2 + 2 * index))
        targets = mix(moved, weight, order)
        labels = mix(batch.labels, weight, order)
        if self.refine_labels:
            labels *= targets
            labels /= tf.reduce_sum(labels, -1, keepdims=True)
        inputs = keras.tree.map_structure(
            lambda x: mix(x, weight, order), batch.inputs
        )
        logits = self._networks()[index](inputs, training=True)
        return {
            TARGETS: moved,
            "loss": cross_entropy(labels, logits),
            "regularization": self._regularization_weight()
            * early_learning_regularizer(clipped_probs(logits), targets),
        }

    def _regularization_weight(self):
        if not self.regularization_ramp_steps:
            return self.regularization
        steps = tf.cast(self.train_steps.value, tf.float32)
        return self.regularization * _ramp(
            steps, self.regularization_ramp_steps
        )

    def _average_decay(self):
        step = tf.cast(self.train_steps.value, tf.float32) + 1.0
        if not self.average_ramp_steps:
            return tf.minimum(1.0 - 1.0 / step, self.average_decay)
        return self.average_decay * _ramp(step, self.average_ramp_steps)

    def moving_weights(self):
        """Weights that a forward pass may move, those of the averages too."""
        return super().moving_weights() + [
            variable
            for average in self.averages
            for variable in average.non_trainable_weights
        ]

    def after_update(self, batch, figures):
        """Keeps the targets, and moves the averages of the weights."""
        super().after_update(batch, figures)
        decay = self._average_decay()
        for average, network in zip(
            self.averages, self._networks(), strict=True
        ):
            for mean, variable in zip(
                average.trainable_variables,
                network.trainable_variables,
                strict=True,
            ):
                mean.assign(decay * mean + (1.0 - decay) * variable)

    def get_config(self):
        """Returns the constructor's arguments, both networks included."""
        return {
            **super().get_config(),
            "mixup_alpha": self.mixup_alpha,
            "average_decay": self.average_decay,
            "average_ramp_steps": self.average_ramp_steps,
            "regularization_ramp_steps": self.regularization_ramp_steps,
            "refine_labels": self.refine_labels,
        }


def _ramp(step, num_steps):
    progress = tf.minimum(step / num_steps, 1.0)
    return tf.exp(-_RAMP_STEEPNESS * tf.square(1.0 - progress))


def _num_classes(*networks):
    for argument, network in zip(ElrPlusModel.NETWORKS, networks, strict=True):
        if network_checks.symbolic_outputs(network) is None:
            raise ValueError(
                f"`{argument}` must be a built functional or Sequential model. "
                f"Received: {argument}={network!r}"
            )
    return network_checks.symbolic_outputs(networks[0]).shape[-1]


def _check_numbers(alpha, decay, average_steps, regularization_steps):
    if not 0.0 < alpha < float("inf"):
        raise ValueError(
            f"`mixup_alpha` must be positive. Received: mixup_alpha={alpha}"
        )
    if not 0.0 <= decay < 1.0:
        raise ValueError(
            "`average_decay` must lie in [0, 1). Received: "
            f"average_decay={decay}"
        )
    for argument, value in (
        ("average_ramp_steps", average_steps),
        ("regularization_ramp_steps", regularization_steps),
    ):
        if int(value) != value or value < 0:
            raise ValueError(
                f"`{argument}` must be a whole number >= 0. Received: "
                f"{argument}={value}"
            )
