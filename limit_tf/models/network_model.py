"""What the models that train given networks have in common."""

import random

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import checked_streams
from limit_tf.models import compile_arguments
from limit_tf.models import example_inputs
from limit_tf.models import network_checks
from limit_tf.models import network_names
from limit_tf.models import shared_layers
from limit_tf.models.held_inputs import HeldInputs
from limit_tf.models.input_tensors import symbolic_tensors
from limit_tf.models.label_checking_model import LabelCheckingModel
from limit_tf.models.reported_loss import check_label_form
from limit_tf.models.reported_loss import logit_loss
from limit_tf.models.step_seed import StepSeed
from limit_tf.ops import cross_entropy
from limit_tf.ops import label_distribution
from limit_tf.ops import weighted
from limit_tf.ops.labels import widened

_SHARED = "shared_layers"
_BUILD_INPUTS = "inputs"
_HELD = "the positions of the held inputs"


class NetworkModel(LabelCheckingModel):
    """Trains one or more networks with the same inputs and number of classes.

    The networks become attributes of the names they are given by. A subclass
    implements `train_step` and `test_step`, and lists in `NETWORKS` the
    constructor arguments that hold networks, in `FIGURES` the means that it
    reports beside the loss and the compiled metrics.

    Args:
        networks: Networks by attribute name. The first is the classifier.
        augmentation: `limit_tf.augmentation.Augmentation` or Keras layer that
            every batch of training inputs passes, before all networks; None
            for none.
        seed: Seed of whatever the training steps draw; None draws one.
        name: Name of the model.
        allow_non_finite_inputs: Whether inputs may be NaN or infinite, for
            networks that begin by replacing them. Otherwise they are refused.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        TypeError: If a network is not a Keras model.
        ValueError: If the networks disagree, or one of them does not end in
            logits.
    """

    NETWORKS: tuple[str, ...] = ("classifier",)
    FIGURES: tuple[str, ...] = ()
    # Whether the cross-entropy is part of the method itself.
    LOSS_IS_FIXED = False
    # Whether the compiled loss is what is minimised, as in Keras.
    LOSS_IS_MINIMISED = False

    def __init__(
        self,
        networks,
        *,
        augmentation=None,
        seed=None,
        name=None,
        allow_non_finite_inputs=False,
        **kwargs,
    ):
        first, *others = networks.values()
        for argument, network in networks.items():
            network_checks.check_network(network, argument)
        for argument, network in list(networks.items())[1:]:
            network_checks.check_agreement(first, network, argument)
        if augmentation is not None and not callable(augmentation):
            raise TypeError(
                "`augmentation` must be an Augmentation, a Keras layer or "
                f"None. Received: augmentation={augmentation!r}"
            )
        kwargs.setdefault("dtype", _dtype_policy(*networks.values()))
        super().__init__(name=name, autocast=False, **kwargs)
        self.allow_non_finite_inputs = bool(allow_non_finite_inputs)
        self._network_names = tuple(networks)
        for argument, network in networks.items():
            setattr(self, argument, network)
        network_names.make_distinct(networks)
        self.augmentation = augmentation
        self._step_seed = StepSeed(
            random.randrange(2**31) if seed is None else int(seed)
        )
        self._trackers = {
            key: keras.metrics.Mean(name=key) for key in self.FIGURES
        }
        self.train_steps = self.add_weight(
            name="train_steps",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
        )
        self._num_classes = None
        self._unseen_inputs = self._input_tensors = None
        self._held_inputs = None
        self._loss = None
        outputs = network_checks.symbolic_outputs(first)
        if outputs is not None and all(network.built for network in others):
            self._check_separate()
            self._num_classes = outputs.shape[-1]
            self.built = True

    @property
    def seed(self) -> int:
        """Seed of whatever the training steps draw, saved with the weights."""
        return int(self._step_seed.numpy())

    @seed.setter
    def seed(self, seed):
        self._step_seed.assign(seed)

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
        inputs, _ = self.split_inputs(inputs)
        logits = self._networks()[0](inputs, training=training)
        if self._num_classes is None:
            self._finish_build(inputs, logits)
        return logits

    def predict_proba(
        self, x, batch_size=None, verbose="auto", steps=None, callbacks=None
    ) -> np.ndarray:
        """Predicts probabilities: the softmax of what `predict` returns.

        Args:
            x: See `keras.Model.predict`, as the other arguments.
            batch_size: Number of examples of a batch.
            verbose: Whether to show progress.
            steps: Number of batches, for a stream without end.
            callbacks: Callbacks of the prediction.

        Returns:
            Array `(n, num_classes)`, float32, whose rows sum to one.
        """
        logits = self.predict(
            x,
            batch_size=batch_size,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
        )
        return tf.nn.softmax(tf.cast(logits, tf.float32)).numpy()

    def split_inputs(self, x):
        """Separates what the networks see from what the step needs beside it.

        Args:
            x: Inputs as `fit`, `evaluate` or `predict` got them.

        Returns:
            The networks' inputs, looked up where `x` is `{"example_ids": ids}`
            alone, and the examples' ids or None.
        """
        ids = example_inputs.ids_alone(x)
        return (x, None) if ids is None else (self._held().gather(ids), ids)

    def unpacked(self, data):
        """Returns the networks' inputs, labels and sample weights of a step."""
        x, y, sample_weight = self.checked_tensors(data)
        return self.split_inputs(x)[0], y, sample_weight

    def checked_tensors(self, data):
        """Returns inputs, labels that no dtype limits, and sample weights."""
        x, y, sample_weight = self.asserted(
            *keras.utils.unpack_x_y_sample_weight(data)
        )
        return x, None if y is None else widened(y), sample_weight

    @property
    def input_rank(self) -> int | None:
        """Number of axes of a batch of inputs, where a single one is known.

        Keras adds a last axis of one to inputs that lack it.
        """
        network = self._networks()[0]
        if network_checks.symbolic_outputs(network) is None:
            return None
        shape = getattr(network_checks.symbolic_inputs(network), "shape", None)
        return len(shape) if shape and shape[-1] != 1 else None

    def hold_inputs(self, images: np.ndarray | None) -> None:
        """Keeps training inputs on the device, where steps look them up.

        A step then gets `{"example_ids": positions}` in the place of its
        inputs, and nothing larger than them is copied to the device. The
        inputs are neither saved nor exported with the model.

        Args:
            images: All training inputs `(n, ...)`, uint8 or floats; positions
                lie in `[0, n)`. None lets those that are held go.

        Raises:
            TypeError: If the array is neither uint8 nor of floats.
            ValueError: If its shape is wrong, or the model is trained by
                several replicas.

        Example:
        ```python
        model.hold_inputs(images)
        stream = limit_tf.data.training_dataset(
            images, labels, batch_size=256, seed=0, epoch=0, with_inputs=False
        )
        model.fit(stream)
        ```
        """
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        if num_replicas > 1:
            raise ValueError(
                "`hold_inputs` must be left out where several replicas train "
                f"a model. Received: {num_replicas} replicas"
            )
        self._held_inputs = None if images is None else HeldInputs(images)
        # Their graphs refer to the inputs that were held.
        self.train_function = self.test_function = self.predict_function = None

    def _held(self):
        if self._held_inputs is None:
            raise ValueError(
                "`x` must hold inputs, or call hold_inputs first. Received: "
                '{"example_ids": ...} alone'
            )
        return self._held_inputs

    def check_batch(self, x, y, sample_weight=None, prefix=""):
        """Refuses wrong data, and ids that no held input has."""
        super().check_batch(x, y, sample_weight, prefix)
        check_label_form(self._loss, np.shape(y), f"{prefix}y")
        ids = example_inputs.ids_alone(x)
        if ids is not None:
            example_inputs.check_ids(ids, len(self._held()), _HELD)

    def batch_assertions(self, x, y, sample_weight=None):
        """Assertions on the tensors of a data set, as `check_batch`."""
        assertions = super().batch_assertions(x, y, sample_weight)
        check_label_form(self._loss, y.shape, "y")
        ids = example_inputs.ids_alone(x)
        if ids is not None:
            assertions += example_inputs.id_assertions(
                ids, len(self._held()), _HELD
            )
        return assertions

    def _networks(self):
        return [getattr(self, name) for name in self._network_names]

    def _finish_build(self, inputs, logits):
        first = self._network_names[0]
        network_checks.check_logits(self._networks()[0], inputs, logits, first)
        for name in self._network_names[1:]:
            network = getattr(self, name)
            others = network(inputs, training=False)
            network_checks.check_logits(network, inputs, others, name)
            if logits.shape[-1] != others.shape[-1]:
                raise ValueError(
                    f"`{first}` and `{name}` must have the same number of "
                    f"classes. Received: {logits.shape[-1]} and "
                    f"{others.shape[-1]}"
                )
        self._check_separate()
        network_names.make_distinct(self._networks_by_name())
        self._num_classes = logits.shape[-1]
        self._unseen_inputs = self._input_tensors = symbolic_tensors(inputs)

    def _networks_by_name(self):
        return dict(zip(self._network_names, self._networks(), strict=True))

    def _check_separate(self):
        first = self._networks()[0]
        for name in self._network_names[1:]:
            other = getattr(self, name)
            network_checks.check_separate(first, other, name)
            if shared_layers.shared_positions(first, other):
                shared_layers.check_rebuildable(other, name)

    def prepare(self, x):
        """Builds networks that have not seen an input, and inspects them."""
        elements = _elements(x)
        if example_inputs.ids_alone(elements) is not None:
            self._held()
        if self._num_classes is None:
            if elements is None:
                return None
            with self.distribute_strategy.scope():
                self(self._augmented_form(symbolic_tensors(elements)))
        self._inspect_outputs()
        return self._num_classes

    def _augmented_form(self, inputs):
        """Symbolic inputs as the augmentation leaves them."""
        if self.augmentation is None:
            return inputs
        specs = keras.tree.map_structure(
            lambda t: tf.TensorSpec(t.shape, t.dtype),
            self.split_inputs(inputs)[0],
        )
        graph = tf.function(self.augmented).get_concrete_function(specs)
        return symbolic_tensors(graph.structured_outputs)

    def _inspect_outputs(self):
        if self._unseen_inputs is None:
            return
        for name in self._network_names:
            network = getattr(self, name)
            network_checks.check_network(network, name)
            network_checks.check_probabilities(
                network, self._unseen_inputs, name
            )
        self._unseen_inputs = None

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
    ):
        """Configures the training; see `keras.Model.compile`.

        Args:
            optimizer: Optimizer of all networks.
            loss: Loss of labels and logits. None takes the cross-entropy.
            loss_weights: Weight of the loss, where it is what is minimised.
            metrics: Metrics of the classifier on the given labels.
            weighted_metrics: Metrics that `sample_weight` weighs.
            run_eagerly: Whether to run the steps without `tf.function`.
            steps_per_execution: Number of steps run by one call.
            jit_compile: Whether to compile the steps by XLA.
            auto_scale_loss: Whether `mixed_float16` scales the loss.

        Raises:
            TypeError: If the loss weights are no numbers.
            ValueError: If the loss expects probabilities, or the method has
                one of its own or no use for a weight of it.
        """
        loss_weights, metrics = compile_arguments.weights_and_metrics(
            loss_weights, metrics
        )
        if self.LOSS_IS_FIXED and loss is not None:
            raise ValueError(
                f"`loss` must be left out: {type(self).__name__} minimises "
                f"the cross-entropy. Received: loss={loss!r}"
            )
        self._check_separate()  # layers may have been thawed
        if not self.LOSS_IS_MINIMISED:
            compile_arguments.check_no_loss_weights(
                loss_weights, type(self).__name__
            )
        self._loss = logit_loss(loss)
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        if self._num_classes is not None and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Computes the loss that is reported; see `keras.Model.compute_loss`.

        Without a compiled loss it is the mean cross-entropy on the given
        labels.
        """
        if self._loss is not None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        labels = label_distribution(y, self.num_classes)
        return tf.reduce_mean(
            weighted(cross_entropy(labels, y_pred), sample_weight)
        )

    def compile_from_config(self, config):
        """Compiles with the answer of `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def make_train_function(self, force=False):
        """Builds the training function, the networks being built."""
        self._check_separate()
        self._inspect_outputs()
        return super().make_train_function(force)

    def moving_weights(self) -> list:
        """Weights that a forward pass may move, as BatchNorm statistics."""
        return [
            variable
            for network in self._networks()
            for variable in network.non_trainable_weights
        ]

    def step_seed(self, stream: int, *, shared: bool = False) -> tf.Tensor:
        """Seed of what this training step draws on this replica.

        Args:
            stream: Number of the draw within a step; each has its own seeds.
            shared: Whether all replicas get the seed of a single device, for
                draws by an example's position in the global batch.

        Returns:
            Two integers, shape `(2,)`, for TensorFlow's stateless functions.
        """
        replica = tf.distribute.get_replica_context()
        draw = tf.convert_to_tensor(self.train_steps)
        if not shared:
            draw *= replica.num_replicas_in_sync
            draw += tf.cast(replica.replica_id_in_sync_group, draw.dtype)
        return tf.random.experimental.stateless_fold_in(
            tf.stack([self._step_seed.tensor(draw.dtype), draw]),
            stream,
            alg="philox",  # the same numbers with and without XLA
        )

    def augmented(self, x):
        """Returns the inputs of a training step, augmented."""
        if self.augmentation is None:
            return x
        if isinstance(self.augmentation, keras.Layer):
            return self.augmentation(x, training=True)
        return self.augmentation(x, self.step_seed(0))

    def report(self, figures, batch_size):
        """Brings the means that are shown up to date.

        Args:
            figures: Values by name, `loss` and those of `FIGURES`: scalars
                that are means over the batch, or a value an example.
            batch_size: Number of examples.
        """
        for metric in self.metrics:
            value = figures.get(metric.name)
            if value is not None and (
                metric.name == "loss" or metric.name in self._trackers
            ):
                mean = tf.reduce_mean(value)
                if self.is_replicated:  # whose share of a batch may be empty
                    mean = tf.where(batch_size > 0, mean, 0.0)
                metric.update_state(mean, sample_weight=batch_size)

    def save_own_variables(self, store):
        """Saves the step counter, the seed and random generators' states."""
        super().save_own_variables(store)
        for index, state in enumerate(self._seed_states()):
            store[f"seed_state_{index}"] = state
        store["seed"] = self._step_seed.numpy()

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved."""
        values = {key: store[key] for key in store.keys()}
        # Files of earlier versions leave the seed to the configuration.
        self._step_seed.assign(values.pop("seed", self.seed))
        own = {k: v for k, v in values.items() if "seed_state" not in k}
        super().load_own_variables(self.upgraded_variables(own))
        states = self._seed_states()
        if len(own) + len(states) != len(values):
            raise ValueError(
                "The file must hold one state for each random generator of "
                f"the networks. Expected: {len(states)}. Received: "
                f"{len(values) - len(own)}"
            )
        for index, state in enumerate(states):
            state.assign(values[f"seed_state_{index}"])

    def upgraded_variables(self, values: dict) -> dict:
        """Completes the model's own variables of an earlier version's file.

        Args:
            values: Values by the variables' number, as text.

        Returns:
            The same for all variables of this version.
        """
        return values

    def _seed_states(self):
        weights = {id(variable) for variable in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """Exports the classifier, which takes inputs and gives logits.

        Args:
            filepath: Folder or file to write.
            format: See `keras.Model.export`.
            verbose: See `keras.Model.export`.
            input_signature: See `keras.Model.export`.
            **kwargs: Further arguments of `keras.Model.export`.

        Raises:
            ValueError: If the model is not built.
        """
        if self._num_classes is None:
            raise ValueError(
                "`export` must be called on a built model: call it on a batch "
                f"of inputs first. Received: {self.name!r}, not built"
            )
        if input_signature is None:
            input_signature = self._input_signature()
        self.classifier.export(
            filepath,
            format=format,
            verbose=verbose,
            input_signature=input_signature,
            **kwargs,
        )

    def _input_signature(self):
        """Specifications of the inputs, where Keras does not know them."""
        if network_checks.symbolic_outputs(self.classifier) is not None:
            return None
        return [keras.tree.map_structure(_input_spec, self._input_tensors)]

    def get_build_config(self):
        """Returns what Keras needs to build a loaded model."""
        config = super().get_build_config()
        if config is None or self._input_tensors is None:
            return config
        inputs = keras.saving.serialize_keras_object(self._input_tensors)
        return {**config, _BUILD_INPUTS: inputs}

    def build_from_config(self, config):
        """Builds the model from `get_build_config`'s answer."""
        inputs = (config or {}).get(_BUILD_INPUTS)
        if inputs is None:  # built with the networks, or an older file
            super().build_from_config(config)
        else:
            self(keras.saving.deserialize_keras_object(inputs))

    def get_config(self):
        """Returns the constructor's arguments, the networks included."""
        serialize = keras.saving.serialize_keras_object
        allowed = {"allow_non_finite_inputs": True}
        config = (allowed if self.allow_non_finite_inputs else {}) | {
            **{name: serialize(getattr(self, name)) for name in self.NETWORKS},
            "augmentation": serialize(self.augmentation),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize(self.dtype_policy),
        }
        first, *others = self.NETWORKS
        shared = {
            name: shared_layers.shared_positions(
                getattr(self, first), getattr(self, name)
            )
            for name in others
        }
        return config | ({_SHARED: shared} if any(shared.values()) else {})

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the model from `get_config`'s answer."""
        shared = config.get(_SHARED, {})
        arguments = {
            key: keras.saving.deserialize_keras_object(
                value, custom_objects=custom_objects
            )
            if isinstance(value, dict)
            else value
            for key, value in config.items()
            if key != _SHARED
        }
        for name, positions in shared.items():
            if positions:
                arguments[name] = shared_layers.with_shared(
                    arguments[cls.NETWORKS[0]], arguments[name], positions
                )
        return cls(**arguments)


def _dtype_policy(*networks):
    """Policy that decides on loss scaling: float16 anywhere asks for it."""
    for network in networks:
        for layer in [network, *getattr(network, "layers", [])]:
            if layer.dtype_policy.name == "mixed_float16":
                return layer.dtype_policy
    return networks[0].dtype_policy


def _elements(x):
    """Arrays as they are, or the specification of a data set's inputs."""
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        return spec[0] if isinstance(spec, tuple) else spec
    return None if checked_streams.is_stream(x) else x


def _input_spec(tensor):
    return keras.InputSpec(shape=tensor.shape, dtype=tensor.dtype)
