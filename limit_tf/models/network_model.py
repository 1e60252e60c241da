"""What the models that train given networks have in common."""

import random

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import checked_streams
from limit_tf.models import example_inputs
from limit_tf.models import network_checks
from limit_tf.models.held_inputs import HeldInputs
from limit_tf.models.label_checking_model import LabelCheckingModel
from limit_tf.models.reported_loss import check_label_form
from limit_tf.models.reported_loss import logit_loss
from limit_tf.ops.labels import widened

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
        self.augmentation = augmentation
        self.seed = random.randrange(2**31) if seed is None else int(seed)
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
        self._unseen_inputs = None
        self._held_inputs = None
        self._loss = None
        outputs = network_checks.symbolic_outputs(first)
        if outputs is not None and all(network.built for network in others):
            self._check_separate()
            self._num_classes = outputs.shape[-1]
            self.built = True

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
        network_checks.check_logits_shape(logits, self._network_names[0])
        for name in self._network_names[1:]:
            others = getattr(self, name)(inputs, training=False)
            network_checks.check_logits_shape(others, name)
            if logits.shape[-1] != others.shape[-1]:
                raise ValueError(
                    f"`{self._network_names[0]}` and `{name}` must have the "
                    "same number of classes. Received: "
                    f"{logits.shape[-1]} and {others.shape[-1]}"
                )
        self._check_separate()
        self._num_classes = logits.shape[-1]
        self._unseen_inputs = _symbolic(inputs)

    def _check_separate(self):
        for name in self._network_names[1:]:
            network_checks.check_separate(
                self._networks()[0], getattr(self, name), name
            )

    def prepare(self, x):
        """Builds networks that have not seen an input, and inspects them."""
        elements = _elements(x)
        if example_inputs.ids_alone(elements) is not None:
            self._held()
        if self._num_classes is None:
            if elements is None:
                return None
            with self.distribute_strategy.scope():
                self(self._augmented_form(_symbolic(elements)))
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
        return _symbolic(graph.structured_outputs)

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

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """Configures the training; see `keras.Model.compile`.

        Args:
            optimizer: Optimizer of all networks.
            loss: Loss of labels and logits. None takes the cross-entropy.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the loss expects probabilities, or the method has
                one of its own.
        """
        if self.LOSS_IS_FIXED and loss is not None:
            raise ValueError(
                f"`loss` must be left out: {type(self).__name__} minimises "
                f"the cross-entropy. Received: loss={loss!r}"
            )
        self._loss = logit_loss(loss)
        super().compile(optimizer=optimizer, loss=loss, **kwargs)
        if self._num_classes is not None and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config):
        """Compiles with the answer of `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def make_train_function(self, force=False):
        """Builds the training function, the networks being built."""
        self._inspect_outputs()
        return super().make_train_function(force)

    def step_seed(self, stream: int) -> tf.Tensor:
        """Seed of what this training step draws on this replica.

        Args:
            stream: Number of the draw within a step; each has its own seeds.

        Returns:
            Two integers, shape `(2,)`, for TensorFlow's stateless functions.
        """
        replica = tf.distribute.get_replica_context()
        draw = tf.convert_to_tensor(self.train_steps)
        draw *= replica.num_replicas_in_sync
        draw += tf.cast(replica.replica_id_in_sync_group, draw.dtype)
        return tf.random.experimental.stateless_fold_in(
            tf.stack([tf.constant(self.seed, draw.dtype), draw]),
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
                metric.update_state(
                    tf.reduce_mean(value), sample_weight=batch_size
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
        """Returns the constructor's arguments, the networks included."""
        serialize = keras.saving.serialize_keras_object
        allowed = {"allow_non_finite_inputs": True}
        return (allowed if self.allow_non_finite_inputs else {}) | {
            **{name: serialize(getattr(self, name)) for name in self.NETWORKS},
            "augmentation": serialize(self.augmentation),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the model from `get_config`'s answer."""
        return cls(
            **{
                key: keras.saving.deserialize_keras_object(
                    value, custom_objects=custom_objects
                )
                if isinstance(value, dict)
                else value
                for key, value in config.items()
            }
        )


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


def _symbolic(inputs):
    """Symbolic tensors like the inputs, with a free batch dimension."""
    return keras.tree.map_structure(
        lambda t: keras.KerasTensor(
            (None, *t.shape[1:]), keras.backend.standardize_dtype(t.dtype)
        ),
        inputs,
    )
