"""Builds the data and the model of a configuration."""

import contextlib
import functools

import keras
import ml_collections

from limit_tf import data
from limit_tf import nets
from limit_tf import noise
from limit_tf.data import NoisySplits
from limit_tf.data import Source
from limit_tf.experiments import settings
from limit_tf.experiments.methods import METHODS

# Networks of one architecture must not start with the same weights.
_SEED_OFFSETS = {"classifier": 0, "gradient_predictor": 1}


def load_data(config: ml_collections.ConfigDict) -> tuple[Source, NoisySplits]:
    """Loads a data set, splits it and makes its labels noisy.

    Args:
        config: Configuration, see `configs/digits.py`.

    Returns:
        The source and its noisy splits.

    Raises:
        ValueError: If a value does not fit the data.
        FileNotFoundError: If the data is neither there nor to be had.
    """
    size = config.data.image_size
    source = data.load(
        config.data.name,
        data_dir=config.data.data_dir,
        download=config.data.download,
        image_size=None if size is None else (size, size),
    )
    class_map = config.noise.class_map
    matrix = noise.get(
        config.noise.kind,
        num_classes=source.num_classes,
        noise_rate=config.noise.rate,
        class_map=None if class_map is None else dict(class_map),
        transition_matrix=config.noise.transition_matrix,
    )
    noise_seed = config.noise.seed
    return source, data.noisy_splits(
        source,
        matrix,
        split_seed=config.seed,
        noise_seed=config.seed if noise_seed is None else noise_seed,
        train_fraction=config.data.train_fraction,
        num_train_examples=config.data.num_train_examples,
        clean_validation=config.data.clean_validation,
    )


def build_model(
    config: ml_collections.ConfigDict, source: Source
) -> keras.Model:
    """Builds and compiles the model of a configuration.

    Args:
        config: Configuration, see `configs/digits.py`.
        source: Data set that it is to be trained on.

    Returns:
        A compiled model whose variables, the optimizer's included, are built.

    Raises:
        ValueError: If a value does not fit.
    """
    with _dtype_policy(config.training.precision):
        model, loss = METHODS[config.method](
            config, functools.partial(_network, config, source)
        )
    model.compile(
        optimizer=keras.optimizers.Adam(
            config.training.learning_rate, epsilon=1e-8
        ),
        loss=loss,
        metrics=["accuracy"],
        jit_compile=settings.XLA[config.training.xla],
        steps_per_execution=config.training.steps_per_execution,
    )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def classifier_of(model: keras.Model) -> keras.Model:
    """Returns the network that is evaluated and exported."""
    return getattr(model, "classifier", model)


def _network(config, source, variant):
    options = _net_options(config.net.to_dict())
    builder = nets.get(config.net.name)
    try:
        return builder(
            source.num_classes,
            source.train.images.shape[1:],
            variant=variant,
            seed=config.seed + _SEED_OFFSETS[variant],
            pixel_scaling={
                "pixel_max": source.pixel_max,
                "mean": source.pixel_mean,
                "std": source.pixel_std,
            },
            **options,
        )
    except TypeError as error:
        raise ValueError(
            "`config.net` must hold arguments that the network "
            f"{config.net.name!r} takes. Received: {options} ({error})"
        ) from error


def _net_options(net):
    """Options of all networks, and those under the name of the chosen one."""
    shared = {k: v for k, v in net.items() if not isinstance(v, dict)}
    return shared | net.get(shared.pop("name"), {})


@contextlib.contextmanager
def _dtype_policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
