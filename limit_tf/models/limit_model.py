"""LIMIT: a classifier that is trained by predicted gradients alone."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from limit_tf import distributions
from limit_tf.models import auto_penalty
from limit_tf.models import network_checks
from limit_tf.models.joint_learning_rate import PredictorRate
from limit_tf.models.limit_arguments import check_penalty
from limit_tf.models.limit_arguments import check_sampling
from limit_tf.models.limit_arguments import check_warmup
from limit_tf.models.network_copy import check_origin
from limit_tf.models.network_copy import network_copy
from limit_tf.models.network_model import NetworkModel
from limit_tf.models.optimizer_pair import OptimizerPair
from limit_tf.models.optimizer_pair import join_optimizers
from limit_tf.models.reported_loss import of_replica
from limit_tf.ops import by_position
from limit_tf.ops import classifier_gradients
from limit_tf.ops import cross_entropy
from limit_tf.ops import global_batch_size
from limit_tf.ops import global_mean
from limit_tf.ops import label_distribution
from limit_tf.ops import predicted_logit_gradient
from limit_tf.ops import sum_of_losses
from limit_tf.ops import true_logit_gradient
from limit_tf.ops import weighted


@keras.saving.register_keras_serializable(package="limit_tf")
class LimitModel(NetworkModel):
    """Trains a classifier on noisy labels without showing it the labels.

    A second network, the gradient predictor, sees inputs only and is fitted to
    the gradient of the cross-entropy with respect to the classifier's logits.
    The classifier is updated by back-propagating that prediction, so what the
    labels can tell it is limited to what inputs tell about labels; the penalty
    on the prediction's norm limits it further.

    With `s` the softmax, `a` and `r` the logits of the classifier and of the
    predictor, and `y` the given label, one step computes
    `mu = s(a) - s(r)` and `g = s(a) - y`, updates the predictor by the
    gradient of `matching_loss(mu, g) + gradient_penalty * ||mu||^2` (mean over
    the batch, nothing flows into the classifier) and the classifier by
    back-propagating `mu`, or a draw from `q` around it, from its logits.
    The injected gradient is the *mean* over the global batch, as that of any
    Keras loss; the authors' code sends the sum.

    Labels are class indices `(batch,)` or `(batch, 1)`, or distributions
    `(batch, num_classes)`. `sample_weight` and `class_weight` weigh the terms
    that see labels: the matching loss, `loss` and weighted metrics. They do
    not enter the injected gradient or the penalty: weights by class would
    carry labels to the classifier.

    `fit` and `evaluate` report `loss` (the compiled loss of the classifier on
    the given labels, by default the cross-entropy; never minimised by the
    classifier), `matching_loss`, `gradient_penalty` (weight times mean squared
    norm), `predicted_gradient_norm` (mean L2 norm of `mu`), and the compiled
    metrics on the classifier; where the penalty is `"auto"`, also
    `label_accuracy` (share of the given labels that the classifier predicts)
    and `penalty_weight`.

    Args:
        classifier: Keras model of any kind that ends in logits
            `(batch, num_classes)`. `call`, `predict` and `export` give them.
        gradient_predictor: Model with the same inputs and number of classes.
            None builds a copy of the classifier. Frozen layers, adapted ones
            and vocabularies are equal in it; its trainable weights are its
            own. The networks may share layers that nothing trains.
        predictor_from: Where the trainable weights of such a copy come from:
            `"fresh"` draws them anew, `"copy"` starts from the classifier's,
            which may be pretrained.
        q_dist: `"gaussian"`, `"laplace"`, `"cross_entropy"`, or an instance of
            `limit_tf.distributions.GradientDistribution`.
        gradient_penalty: Weight `beta >= 0` of the mean squared norm of the
            predicted gradient (section 3.4 of the paper). The authors found
            0.03 to 10 to work in most cases; more noise or fewer examples ask
            for more. `"auto"` needs no search: see
            `limit_tf.models.auto_penalty`. `fit` then needs validation data,
            with labels as noisy as those of the training, and the metric
            `"accuracy"`.
        sample_gradients: Whether to inject a draw from `q` instead of its
            mean. Needs `q_scale`.
        q_scale: Standard deviation of the draw in each coordinate, see
            `limit_tf.q_scale_from_lambda`.
        warmup_steps: Number of first training steps in which the predictor
            alone is trained. No weight of the classifier changes in them,
            BatchNorm statistics included (in the authors' code those move).
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            training inputs pass; both networks see the same augmented batch.
        seed: Seed of the sampled gradients and of the augmentation.
        name: Name of the model.

    Raises:
        TypeError: If a network is not a Keras model.
        ValueError: If a value is outside its range, the networks disagree, or
            one of them does not end in logits.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    import keras
    import numpy as np

    import limit_tf

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    classifier = keras.Sequential(
        [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)]
    )
    model = limit_tf.LimitModel(classifier, gradient_penalty=1.0)
    model.compile(optimizer="adam", metrics=["accuracy"])
    model.fit(x, y, epochs=5, verbose=0)
    logits = model.predict(x, verbose=0)
    ```
    """

    NETWORKS = ("classifier", "gradient_predictor")
    FIGURES = ("matching_loss", "gradient_penalty", "predicted_gradient_norm")

    def __init__(
        self,
        classifier,
        gradient_predictor=None,
        *,
        predictor_from="fresh",
        q_dist="laplace",
        gradient_penalty=1.0,
        sample_gradients=False,
        q_scale=None,
        warmup_steps=0,
        augmentation=None,
        seed=None,
        name=None,
        **kwargs,
    ):
        network_checks.check_network(classifier, "classifier")
        check_origin(
            predictor_from, "predictor_from", gradient_predictor is not None
        )
        if gradient_predictor is None:
            gradient_predictor = network_copy(classifier, origin=predictor_from)
        q_dist = distributions.get(q_dist)
        check_penalty(gradient_penalty)
        check_warmup(warmup_steps)
        check_sampling(q_dist, sample_gradients, q_scale)
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
        self.q_dist = q_dist
        self.gradient_penalty = gradient_penalty
        self._strength = None
        if gradient_penalty == auto_penalty.AUTO:
            self._strength = self._scalar("penalty_strength")
            self._strength.assign(auto_penalty.FIRST_STRENGTH)
            self._adapted_penalty = self._scalar("gradient_penalty")
            self._adapted_penalty.assign(auto_penalty.FIRST_STRENGTH)
            self._accuracies = auto_penalty.AccuracyMemory(self.add_weight)
            for key in (auto_penalty.ACCURACY, auto_penalty.WEIGHT):
                self._trackers[key] = keras.metrics.Mean(name=key)
        else:
            self.gradient_penalty = float(gradient_penalty)
        self.sample_gradients = bool(sample_gradients)
        self.q_scale = None if q_scale is None else float(q_scale)
        self.warmup_steps = int(warmup_steps)

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        *,
        gradient_predictor_optimizer=None,
    ):
        """Configures the training of both networks.

        Args:
            optimizer: Optimizer of the classifier, and of the predictor too
                unless it has its own. As the paper does, one optimizer then
                updates both. Where one state for two networks would mislead
                (`global_clipnorm`, whose norm would carry labels to the
                classifier, and `warmup_steps`, after which Adam's bias
                correction would be wrong for the classifier), the predictor
                gets a copy of the same configuration, and setting the learning
                rate sets both.
            loss: Loss of the classifier's logits to report as `loss`. It is
                not trained on. None reports the cross-entropy.
            loss_weights: To be left out: there is one output.
            metrics: Metrics of the classifier on the given labels.
            weighted_metrics: Metrics that `sample_weight` weighs.
            run_eagerly: Whether to run the steps without `tf.function`.
            steps_per_execution: Number of steps run by one call.
            jit_compile: Whether to compile the steps by XLA.
            auto_scale_loss: Whether `mixed_float16` scales the loss; the
                injected gradient is scaled with it. A step in which a gradient
                overflows is skipped for both networks.
            gradient_predictor_optimizer: The predictor's own optimizer.
                Callbacks that move the learning rate, and whoever sets or
                assigns to `model.optimizer.learning_rate`, move both rates and
                keep their ratio; callbacks that show it show the predictor's
                as `gradient_predictor_learning_rate`.

        Raises:
            ValueError: If an optimizer carries its own loss scaling beside a
                second one, or the loss expects probabilities.
        """
        optimizer = keras.optimizers.get(optimizer)
        predictor_optimizer = gradient_predictor_optimizer
        if predictor_optimizer is not None:
            predictor_optimizer = keras.optimizers.get(predictor_optimizer)
        super().compile(
            optimizer=join_optimizers(
                optimizer,
                predictor_optimizer,
                is_predictor_variable=self._is_predictor_variable,
                is_warming_up=(
                    self._is_warming_up if self.warmup_steps else None
                ),
            ),
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        self._compile_arguments = {
            "optimizer": optimizer,
            "gradient_predictor_optimizer": predictor_optimizer,
            "auto_scale_loss": auto_scale_loss,
        }

    def _is_predictor_variable(self, variable):
        owned = self.gradient_predictor.trainable_variables
        return any(variable is other for other in owned)

    def _is_warming_up(self):
        return tf.convert_to_tensor(self.train_steps) < self.warmup_steps

    def get_compile_config(self):
        """Returns the arguments of `compile`, serialised."""
        if not self.compiled:
            return {}
        return {
            **super().get_compile_config(),
            **keras.saving.serialize_keras_object(self._compile_arguments),
        }

    def _scalar(self, name):
        return self.add_weight(
            name=name, shape=(), dtype="float32", trainable=False
        )

    @property
    def is_adapting(self) -> bool:
        """Whether the penalty is `"auto"`."""
        return self._strength is not None

    @property
    def penalty_weight(self) -> float:
        """Weight of the penalty, also where it is adapted."""
        if not self.is_adapting:
            return self.gradient_penalty
        return float(self._adapted_penalty.numpy())

    def adapt_penalty(
        self, train_accuracy: float, valid_accuracy: float | Sequence[float]
    ) -> None:
        """Sets the penalty of the next epoch, where it is `"auto"`.

        `fit` calls it after each epoch; a training loop of one's own has to.
        What it goes by is saved with the model's weights.

        Args:
            train_accuracy: Accuracy on the training labels in this epoch.
            valid_accuracy: Accuracy after this epoch on validation labels
                that are as noisy. A list of those after all epochs so far
                takes the place of what the model remembers.
        """
        if np.ndim(valid_accuracy):
            self._accuracies.forget()
        valid = self._accuracies.best_with(np.atleast_1d(valid_accuracy))
        strength = auto_penalty.adapted_strength(
            float(self._strength.numpy()), train_accuracy, valid
        )
        self._strength.assign(strength)
        self._adapted_penalty.assign(strength * (1.0 - valid))

    def upgraded_variables(self, values: dict) -> dict:
        """Adds what files lack that knew no accuracies of earlier epochs."""
        if not self.is_adapting or len(values) != 3:
            return values
        recent, best = auto_penalty.memory_of_old_file(
            np.asarray(values["1"]), np.asarray(values["2"])
        )
        return {**values, "3": recent, "4": best}

    def extra_callbacks(self, call):
        """Adapts an `"auto"` penalty, shows the predictor's learning rate."""
        extra = auto_penalty.callbacks_for(call) if self.is_adapting else []
        if self._has_own_predictor_optimizer() and PredictorRate.is_wanted(
            call.get("callbacks")
        ):
            extra.append(PredictorRate())
        return extra

    def _has_own_predictor_optimizer(self):
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return isinstance(optimizer, OptimizerPair) and not optimizer.tied

    def train_step(self, data):
        """Updates both networks on one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        x = self.augmented(x)
        frozen = self._classifier_state()
        gradients, logits, terms = self.on_replica(
            self._gradients, x, y, sample_weight
        )
        self._report(terms)
        self.optimizer.apply(gradients, self._trained_variables())
        self._restore_in_warmup(frozen)
        self.train_steps.assign_add(1)
        return self.compute_metrics(x, y, logits, sample_weight)

    def _trained_variables(self):
        return (
            self.classifier.trainable_variables
            + self.gradient_predictor.trainable_variables
        )

    def _gradients(self, x, y, sample_weight):
        """Gradients of both networks, the logits and the terms of a step."""
        with tf.GradientTape() as classifier_tape:
            logits = self(x, training=True)
            classifier_penalty = sum_of_losses(self.classifier.losses)
        with tf.GradientTape() as predictor_tape:
            predictor_logits = self.gradient_predictor(x, training=True)
            predictor_penalty = sum_of_losses(self.gradient_predictor.losses)
            terms = self._terms(logits, predictor_logits, y, sample_weight)
            predictor_loss = self.optimizer.scale_loss(
                global_mean(terms["matching_loss"] + terms["gradient_penalty"])
                + predictor_penalty
            )
        gradients = classifier_gradients(
            classifier_tape,
            logits,
            classifier_penalty,
            self.classifier.trainable_variables,
            self._injected_gradient(terms["predicted_gradient"]),
            self.optimizer.scale_loss,
        ) + predictor_tape.gradient(
            predictor_loss, self.gradient_predictor.trainable_variables
        )
        return gradients, logits, terms

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = self.unpacked(data)
        logits = self(x, training=False)
        predictor_logits = self.gradient_predictor(x, training=False)
        self._report(self._terms(logits, predictor_logits, y, sample_weight))
        return self.compute_metrics(x, y, logits, sample_weight)

    def _terms(self, logits, predictor_logits, y, sample_weight):
        """Per-example terms of a step, weighted where they see labels."""
        if y is None:
            raise ValueError(
                "`y` must hold labels: the gradient predictor is fitted to "
                "them. Received: y=None"
            )
        labels = label_distribution(y, self.num_classes)
        predicted = predicted_logit_gradient(logits, predictor_logits)
        matching_loss = self.q_dist.matching_loss(
            predicted,
            true_logit_gradient(logits, labels),
            predictor_logits,
            labels,
        )
        squared_norm = tf.reduce_sum(tf.square(predicted), -1)
        return {
            "predicted_gradient": predicted,
            "matching_loss": weighted(matching_loss, sample_weight),
            "gradient_penalty": self._penalty() * squared_norm,
            "predicted_gradient_norm": tf.sqrt(tf.stop_gradient(squared_norm)),
            "loss": self._label_loss(y, labels, logits, sample_weight),
        } | self._adaptation_terms(labels, logits)

    def _adaptation_terms(self, labels, logits):
        if not self.is_adapting:
            return {}
        is_right = tf.argmax(labels, -1) == tf.argmax(logits, -1)
        return {
            auto_penalty.ACCURACY: tf.cast(is_right, tf.float32),
            auto_penalty.WEIGHT: self._penalty(),
        }

    def _penalty(self):
        if not self.is_adapting:
            return self.gradient_penalty
        return tf.convert_to_tensor(self._adapted_penalty)

    def _label_loss(self, y, labels, logits, sample_weight):
        if self._loss is None:
            return weighted(cross_entropy(labels, logits), sample_weight)
        loss = self._loss(y, tf.cast(logits, tf.float32), sample_weight)
        return of_replica(loss, self._loss)

    def _report(self, terms):
        self.report(terms, tf.shape(terms["predicted_gradient"])[0])

    def _injected_gradient(self, predicted_gradient):
        injected = predicted_gradient
        if self.sample_gradients:
            seed = self.step_seed(1, shared=True)
            injected = by_position(
                lambda mean: self.q_dist.sample(mean, self.q_scale, seed),
                injected,
            )
        return injected / global_batch_size(injected)

    def _classifier_state(self):
        """Weights that a forward pass may move, kept during the warm-up."""
        if not self.warmup_steps:
            return []
        return [
            (variable, tf.identity(variable.value))
            for variable in self.classifier.non_trainable_weights
        ]

    def _restore_in_warmup(self, frozen):
        for variable, value in frozen:
            variable.assign(
                tf.where(self._is_warming_up(), value, variable.value)
            )

    def get_config(self):
        """Returns the constructor's arguments, both networks included."""
        return {
            **super().get_config(),
            "q_dist": keras.saving.serialize_keras_object(self.q_dist),
            "gradient_penalty": self.gradient_penalty,
            "sample_gradients": self.sample_gradients,
            "q_scale": self.q_scale,
            "warmup_steps": self.warmup_steps,
        }
