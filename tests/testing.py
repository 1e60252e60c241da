"""Builders that several tests share."""

import pathlib
import runpy

import keras
import numpy as np

import limit_tf

NUM_CLASSES = 4
NUM_FEATURES = 6


def toy_batch(seed, batch_size=16):
    """Returns float32 inputs `(batch, features)` and int64 labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch_size, NUM_FEATURES)).astype("float32")
    return x, rng.integers(NUM_CLASSES, size=batch_size)


def toy_network(seed, dtype=None, dropout=0.0, batch_norm=True):
    """Returns a small built network that ends in logits."""
    init = keras.initializers.GlorotUniform
    layers = [
        keras.Input((NUM_FEATURES,)),
        keras.layers.Dense(8, kernel_initializer=init(seed), dtype=dtype),
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
            NUM_CLASSES, kernel_initializer=init(seed + 1), dtype=dtype
        ),
    ]
    return keras.Sequential(layers)


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


def flat(network):
    """Returns all weights of a network as one vector."""
    return np.concatenate([np.ravel(w) for w in network.get_weights()])


def tiny_config(folder, **changes):
    """Returns `configs/digits.py` cut to a run of seconds.

    Args:
        folder: Temporary folder, for the exports.
        **changes: Values, or dictionaries of them, to set.
    """
    path = pathlib.Path(__file__).parents[1] / "configs" / "digits.py"
    config = runpy.run_path(str(path))["get_config"]()
    config.export_dir = str(pathlib.Path(folder, "saved_models"))
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
