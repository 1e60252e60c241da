"""Builders that several tests share."""

import contextlib
import functools
import pathlib
import runpy
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

import limit_tf
from limit_tf import models
from limit_tf.experiments.state import Checkpoint

NUM_CLASSES = 4
NUM_FEATURES = 6


def toy_batch(seed, batch_size=16):
    """Returns float32 inputs `(batch, features)` and int64 labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch_size, NUM_FEATURES)).astype("float32")
    return x, rng.integers(NUM_CLASSES, size=batch_size)


def toy_network(
    seed, dtype=None, dropout=0.0, batch_norm=True, final_bias=True
):
    """Returns a small built network that ends in logits."""
    init = keras.initializers.GlorotUniform
    layers = [
        keras.Input((NUM_FEATURES,)),
        keras.layers.Dense(
            8,
            kernel_initializer=init(seed),
            use_bias=not batch_norm,
            dtype=dtype,
        ),
    ]
    if batch_norm:
        layers.append(
            keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=dtype
            )
        )
    if dropout:
        layers.append(keras.layers.Dropout(dropout, seed=seed, dtype=dtype))
    layers += [
        keras.layers.ReLU(dtype=dtype),
        keras.layers.Dense(
            NUM_CLASSES,
            kernel_initializer=init(seed + 1),
            use_bias=final_bias,
            dtype=dtype,
        ),
    ]
    return keras.Sequential(layers)


def linear(kernel):
    """Returns a network without bias whose logits are `x @ kernel`."""
    kernel = np.asarray(kernel, "float32")
    model = keras.Sequential(
        [
            keras.Input((kernel.shape[0],)),
            keras.layers.Dense(kernel.shape[1], use_bias=False),
        ]
    )
    model.set_weights([kernel])
    return model


def with_ids(x, example_ids=None):
    """Returns inputs that carry the ids of their examples."""
    ids = np.arange(len(x)) if example_ids is None else np.asarray(example_ids)
    return {"inputs": x, "example_ids": ids}


def compiled(model, optimizer=None, jit_compile=False, **kwargs):
    """Returns the model, compiled with SGD unless told otherwise."""
    model.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.1),
        jit_compile=jit_compile,
        **kwargs,
    )
    return model


class Batches(keras.utils.PyDataset):
    """A single batch of its arguments."""

    def __init__(self, x, y):
        super().__init__()
        self._batch = (x, y)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self._batch


@functools.cache
def two_replicas():
    """One strategy a process: collectives of several would share their keys."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Subclassed(keras.Model):
    """Network whose structure Keras cannot see."""

    def __init__(self, units, activation=None, rank=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation, self.rank = units, activation, rank
        self.hidden = keras.layers.Dense(units, activation="relu")
        self.head = keras.layers.Dense(NUM_CLASSES, activation=activation)

    def call(self, inputs):
        outputs = self.head(self.hidden(inputs))
        return outputs if self.rank == 2 else outputs[:, None]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "rank": self.rank,
        }


def toy_limit_model(
    seed,
    optimizer=None,
    gradient_predictor_optimizer=None,
    jit_compile=False,
    run_eagerly=False,
    steps_per_execution=1,
    metrics=("accuracy",),
    network=None,
    compile_model=True,
    **kwargs,
):
    """Returns a small compiled `LimitModel`."""
    network = network or {}
    model = limit_tf.LimitModel(
        toy_network(seed, **network),
        toy_network(seed + 100, **network),
        seed=seed,
        **kwargs,
    )
    if compile_model:
        model.compile(
            optimizer=optimizer or keras.optimizers.Adam(0.01),
            gradient_predictor_optimizer=gradient_predictor_optimizer,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            metrics=list(metrics),
        )
    return model


METHODS = {
    "classifier": models.ClassifierModel,
    "elr": models.ElrModel,
    "elr_plus": models.ElrPlusModel,
    "limit": models.LimitModel,
    "noisy_gradient": models.NoisyGradientModel,
    "soft_regularization": models.SoftRegularizationModel,
}


def toy_model(method, seed, network=None, num_examples=16, **kwargs):
    """Returns a small model of one of the `METHODS`, not compiled."""
    network = dict(network or {})
    if method == "soft_regularization":
        network["final_bias"] = False
    networks = [toy_network(seed, **network)]
    if method in ("elr_plus", "limit", "soft_regularization"):
        networks.append(toy_network(seed + 100, **network))
    if method in ("elr", "elr_plus"):
        kwargs["num_examples"] = num_examples
    return METHODS[method](*networks, seed=seed, **kwargs)


def training_inputs(method, x):
    """Returns what a model of the method is trained on."""
    return with_ids(x) if method in ("elr", "elr_plus") else x


def assert_close(actual, desired, atol=1e-4):
    """Asserts that two computations of the same are equal up to rounding.

    TensorFlow does not promise that two graphs of one function add in the
    same order, so their last bits may differ. The tolerance is a hundredth of
    the learning rates in these tests.
    """
    np.testing.assert_allclose(actual, desired, rtol=1e-4, atol=atol)


def assert_logs_close(actual, desired):
    """Asserts that two steps reported the same, up to rounding."""
    tf.nest.map_structure(
        lambda a, b: assert_close(float(a), float(b)), actual, desired
    )


def assert_histories_close(actual, desired):
    """Asserts that two `history.csv` tell the same, up to rounding."""
    tables = [
        [line.split(",") for line in history.splitlines()]
        for history in (actual, desired)
    ]
    assert tables[0][0] == tables[1][0], [table[0] for table in tables]
    assert_close(
        *(
            np.array([[float(x or "nan") for x in row] for row in table[1:]])
            for table in tables
        )
    )


def flat(network):
    """Returns all weights of a network as one vector."""
    return np.concatenate([np.ravel(w) for w in network.get_weights()])


def tiny_config(folder, **changes):
    """Returns `configs/digits.py` cut to a run of seconds.

    Args:
        folder: Temporary folder.
        **changes: Values, or dictionaries of them, to set.
    """
    path = pathlib.Path(__file__).parents[1] / "configs" / "digits.py"
    config = runpy.run_path(str(path))["get_config"]()
    config.net.mlp.update({"hidden_units": 16, "num_hidden_layers": 1})
    config.data.num_train_examples = 64
    config.training.update(
        {"epochs": 4, "batch_size": 16, "deterministic": False}
    )
    for key, value in changes.items():
        if isinstance(value, dict):
            config[key].update(value)
        else:
            config[key] = value
    return config


class _Killed(BaseException):
    """Stands for the moment at which a process is killed."""


@contextlib.contextmanager
def killed_after_epoch(number):
    """Ends the run inside once the `number`-th epoch is saved."""
    save = Checkpoint.save

    def save_and_die(self, state, is_best, is_last):
        is_number = state.num_epochs == number
        save(self, state, is_best, is_last or is_number)
        if is_number:
            raise _Killed

    with mock.patch.object(Checkpoint, "save", save_and_die):
        try:
            yield
        except _Killed:
            return
    raise AssertionError(f"The run ended before epoch {number} was saved.")
