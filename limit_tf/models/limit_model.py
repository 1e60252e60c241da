"""LIMIT: a classifier that is trained by predicted gradients alone."""

import random

import keras
import tensorflow as tf

from limit_tf import distributions
from limit_tf.models import label_checks
from limit_tf.models import network_checks
from limit_tf.models.label_checking_model import LabelCheckingModel
from limit_tf.models.limit_arguments import check_numbers
from limit_tf.models.limit_arguments import check_sampling
from limit_tf.models.network_copy import fresh_copy
from limit_tf.models.optimizer_pair import join_optimizers
from limit_tf.models.reported_loss import logit_loss
from limit_tf.ops import cross_entropy
from limit_tf.ops import global_batch_size
from limit_tf.ops import global_mean
from limit_tf.ops import label_distribution
from limit_tf.ops import predicted_logit_gradient
from limit_tf.ops import sum_of_losses
from limit_tf.ops import true_logit_gradient
from limit_tf.ops import weighted


@keras.saving.register_keras_serializable(package="limit_tf")
class LimitModel(LabelCheckingModel):
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
    metrics on the classifier.

    Args:
        classifier: Keras model of any kind that ends in logits
            `(batch, num_classes)`. `call`, `predict` and `export` give them.
        gradient_predictor: Model with the same inputs and number of classes.
            None builds a copy of the classifier's architecture with weights
            of its own.
        q_dist: `"gaussian"`, `"laplace"`, `"cross_entropy"`, or an instance of
            `limit_tf.distributions.GradientDistribution`.
        gradient_penalty: Weight `beta >= 0` of the mean squared norm of the
            predicted gradient (section 3.4 of the paper). The authors found
            0.03 to 10 to work in most cases; more noise or fewer examples ask
            for more.
        sample_gradients: Whether to inject a draw from `q` instead of its
            mean. Needs `q_scale`.
        q_scale: Standard deviation of the draw in each coordinate, see
            `limit_tf.q_scale_from_lambda`.
        warmup_steps: Number of first training steps in which the predictor
            alone is trained. No weight of the classifier changes in them,
            BatchNorm statistics included (in the authors' code those move).
        seed: Seed of the sampled gradients.
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

    def __init__(
        self,
        classifier,
        gradient_predictor=None,
        *,
        q_dist="laplace",
        gradient_penalty=1.0,
        sample_gradients=False,
        q_scale=None,
        warmup_steps=0,
        seed=None,
        name=None,
        **kwargs,
    ):
        network_checks.check_network(classifier, "classifier")
        if gradient_predictor is None:
            gradient_predictor = fresh_copy(classifier)
        network_checks.check_network(gradient_predictor, "gradient_predictor")
        network_checks.check_agreement(classifier, gradient_predictor)
        q_dist = distributions.get(q_dist)
        check_numbers(gradient_penalty, warmup_steps)
        check_sampling(q_dist, sample_gradients, q_scale)

        kwargs.setdefault(
            "dtype", _dtype_policy(classifier, gradient_predictor)
        )
        super().__init__(name=name, autocast=False, **kwargs)
        self.classifier = classifier
        self.gradient_predictor = gradient_predictor
        self.q_dist = q_dist
        self.gradient_penalty = float(gradient_penalty)
        self.sample_gradients = bool(sample_gradients)
        self.q_scale = None if q_scale is None else float(q_scale)
        self.warmup_steps = int(warmup_steps)
        self.seed = random.randrange(2**31) if seed is None else int(seed)
        self._trackers = {
            key: keras.metrics.Mean(name=key)
            for key in (
                "matching_loss",
                "gradient_penalty",
                "predicted_gradient_norm",
            )
        }
        self.train_steps = self.add_weight(
            name="train_steps",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
        )
        self._num_classes = None
        self._unseen_inputs = None
        outputs = network_checks.symbolic_outputs(classifier)
        if outputs is not None and gradient_predictor.built:
            network_checks.check_separate(classifier, gradient_predictor)
            self._num_classes = outputs.shape[-1]
            self.built = True
        self._loss = None

    @property
    def num_classes(self) -> int:
        """Number of classes, once the classifier is built."""
        if self._num_classes is None:
            raise ValueError(
                "`num_classes` is known once the model is built: call it on a "
                "batch of inputs first."
            )
        return self._num_classes

    def call(self, inputs, training=None):
        """Returns the classifier's logits, `(batch, num_classes)`."""
        logits = self.classifier(inputs, training=training)
        if self._num_classes is None:
            self._finish_build(inputs, logits)
        return logits

    def _finish_build(self, inputs, logits):
        predicted = self.gradient_predictor(inputs, training=False)
        network_checks.check_logits_shape(logits, "classifier")
        network_checks.check_logits_shape(predicted, "gradient_predictor")
        if logits.shape[-1] != predicted.shape[-1]:
            raise ValueError(
                "`classifier` and `gradient_predictor` must have the same "
                f"number of classes. Received: {logits.shape[-1]} and "
                f"{predicted.shape[-1]}"
            )
        network_checks.check_separate(self.classifier, self.gradient_predictor)
        self._num_classes = logits.shape[-1]
        self._unseen_inputs = _symbolic(inputs)

    def prepare(self, x):
        """Builds networks that have not seen an input, and inspects them."""
        if self._num_classes is None:
            specs = _input_specs(x)
            if specs is None:
                return None
            self(specs)
        self._inspect_outputs()
        return self._num_classes

    def _inspect_outputs(self):
        if self._unseen_inputs is None:
            return
        for argument in ("classifier", "gradient_predictor"):
            network = getattr(self, argument)
            network_checks.check_network(network, argument)
            network_checks.check_probabilities(
                network, self._unseen_inputs, argument
            )
        self._unseen_inputs = None

    def compile(
        self,
        optimizer="rmsprop",
        gradient_predictor_optimizer=None,
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
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
            gradient_predictor_optimizer: The predictor's own optimizer.
            loss: Loss of the classifier's logits to report as `loss`. It is
                not trained on. None reports the cross-entropy.
            loss_weights: Not used: there is one output.
            metrics: Metrics of the classifier on the given labels.
            weighted_metrics: Metrics that `sample_weight` weighs.
            run_eagerly: Whether to run the steps without `tf.function`.
            steps_per_execution: Number of steps run by one call.
            jit_compile: Whether to compile the steps by XLA.
            auto_scale_loss: Whether `mixed_float16` scales the loss; the
                injected gradient is scaled with it. A step in which a gradient
                overflows is skipped for both networks.

        Raises:
            ValueError: If an optimizer carries its own loss scaling beside a
                second one, or the loss expects probabilities.
        """
        optimizer = keras.optimizers.get(optimizer)
        predictor_optimizer = gradient_predictor_optimizer
        if predictor_optimizer is not None:
            predictor_optimizer = keras.optimizers.get(predictor_optimizer)
        self._loss = logit_loss(loss)
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
        if self._num_classes is not None:
            self.optimizer.build(self.trainable_variables)

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

    def compile_from_config(self, config):
        """Compiles with the answer of `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def make_train_function(self, force=False):
        """Builds the training function, the networks being built."""
        self._inspect_outputs()
        return super().make_train_function(force)

    def train_step(self, data):
        """Updates both networks on one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        frozen = self._classifier_state()
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
        self._update_trackers(terms)

        classifier_variables = self.classifier.trainable_variables
        predictor_variables = self.gradient_predictor.trainable_variables
        gradients = classifier_tape.gradient(
            [logits, classifier_penalty],
            classifier_variables,
            output_gradients=[
                tf.cast(
                    self.optimizer.scale_loss(
                        self._injected_gradient(terms["predicted_gradient"])
                    ),
                    logits.dtype,
                ),
                self.optimizer.scale_loss(tf.ones_like(classifier_penalty)),
            ],
        ) + predictor_tape.gradient(predictor_loss, predictor_variables)
        self.optimizer.apply(
            gradients, classifier_variables + predictor_variables
        )
        self._restore_in_warmup(frozen)
        self.train_steps.assign_add(1)
        return self.compute_metrics(x, y, logits, sample_weight)

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        logits = self(x, training=False)
        predictor_logits = self.gradient_predictor(x, training=False)
        self._update_trackers(
            self._terms(logits, predictor_logits, y, sample_weight)
        )
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
            "gradient_penalty": self.gradient_penalty * squared_norm,
            "predicted_gradient_norm": tf.sqrt(tf.stop_gradient(squared_norm)),
            "loss": self._reported_loss(y, labels, logits, sample_weight),
        }

    def _reported_loss(self, y, labels, logits, sample_weight):
        if self._loss is None:
            return weighted(cross_entropy(labels, logits), sample_weight)
        return self._loss(y, tf.cast(logits, tf.float32), sample_weight)

    def _update_trackers(self, terms):
        batch_size = tf.shape(terms["predicted_gradient"])[0]
        for metric in self.metrics:
            if metric.name in self._trackers:
                metric.update_state(terms[metric.name])
            elif metric.name == "loss":
                loss = tf.reduce_mean(terms["loss"])
                metric.update_state(loss, sample_weight=batch_size)

    def _injected_gradient(self, predicted_gradient):
        injected = predicted_gradient
        if self.sample_gradients:
            replica = tf.distribute.get_replica_context()
            draw = tf.convert_to_tensor(self.train_steps)
            draw *= replica.num_replicas_in_sync
            draw += tf.cast(replica.replica_id_in_sync_group, draw.dtype)
            injected = self.q_dist.sample(
                injected, self.q_scale, tf.stack([self.seed, draw])
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

    def save_own_variables(self, store):
        """Saves the step counter and the states of random generators."""
        super().save_own_variables(store)
        for index, state in enumerate(self._seed_states()):
            store[f"seed_state_{index}"] = state

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved."""
        own = {k: store[k] for k in store.keys() if "seed_state" not in k}
        super().load_own_variables(own)
        states = self._seed_states()
        if len(own) + len(states) != len(store.keys()):
            raise ValueError(
                "The file must hold one state for each random generator of "
                f"the networks. Expected: {len(states)}. Received: "
                f"{len(store.keys()) - len(own)}"
            )
        for index, state in enumerate(states):
            state.assign(store[f"seed_state_{index}"])

    def _seed_states(self):
        weights = {id(variable) for variable in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def get_config(self):
        """Returns the constructor's arguments, both networks included."""
        serialize = keras.saving.serialize_keras_object
        return {
            "classifier": serialize(self.classifier),
            "gradient_predictor": serialize(self.gradient_predictor),
            "q_dist": serialize(self.q_dist),
            "gradient_penalty": self.gradient_penalty,
            "sample_gradients": self.sample_gradients,
            "q_scale": self.q_scale,
            "warmup_steps": self.warmup_steps,
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the model from `get_config`'s answer."""
        config = dict(config)
        for key in ("classifier", "gradient_predictor", "q_dist", "dtype"):
            if isinstance(config.get(key), dict):
                config[key] = keras.saving.deserialize_keras_object(
                    config[key], custom_objects=custom_objects
                )
        return cls(**config)


def _dtype_policy(*networks):
    """Policy that decides on loss scaling: float16 anywhere asks for it."""
    for network in networks:
        for layer in [network, *getattr(network, "layers", [])]:
            if layer.dtype_policy.name == "mixed_float16":
                return layer.dtype_policy
    return networks[0].dtype_policy


def _input_specs(x):
    """Symbolic inputs that stand for arrays or the elements of a data set."""
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        x = spec[0] if isinstance(spec, tuple) else spec
    elif label_checks.is_stream(x):
        return None
    return _symbolic(x)


def _symbolic(inputs):
    """Symbolic tensors like the inputs, with a free batch dimension."""
    return keras.tree.map_structure(
        lambda t: keras.KerasTensor(
            (None, *t.shape[1:]), keras.backend.standardize_dtype(t.dtype)
        ),
        inputs,
    )
