"""Builds the data and the model of a configuration."""

import contextlib
import functools

import keras
import ml_collections
import numpy as np

from limit_tf import augmentation
from limit_tf import data
from limit_tf import nets
from limit_tf import noise
from limit_tf.argument_names import given_as
from limit_tf.data import NoisySplits
from limit_tf.data import Source
from limit_tf.experiments import config_keys
from limit_tf.experiments import settings
from limit_tf.experiments.evaluation import Predictor
from limit_tf.experiments.initialisation import InitialClassifier
from limit_tf.experiments.methods import METHODS
from limit_tf.experiments.methods import Ingredients
from limit_tf.experiments.methods import Plan
from limit_tf.experiments.optimizers import add_coupled_decay
from limit_tf.experiments.optimizers import build_optimizer
from limit_tf.experiments.values import XLA
from limit_tf.models.network_model import NetworkModel

# Networks of one architecture must not start with the same weights.
_SEED_OFFSETS = {
    "classifier": 0,
    "gradient_predictor": 1,
    "second_classifier": 2,
}


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
    service = config.data.service
    stratify = _is_stratified(config)
    with given_as(config_keys.of_data(config)):
        if service is not None:
            data.check_service(service)
        source = data.load(
            config.data.name, stratify=stratify, **_source_options(config.data)
        )
    if service is not None and not data.is_stored(source.train.images):
        raise ValueError(
            "`config.data.service` must be left out for images in memory: it "
            f"is for those that are read from files. Received: {service!r} "
            f"for config.data.name={config.data.name!r}"
        )
    settings.check_classes(config, source)
    matrix = _noise(config, source.num_classes)
    if source.labels_file is not None and source.labels_are_clean:
        _check_no_noise(config, matrix)
    noise_seed = config.noise.seed
    with given_as(config_keys.of_splits()):
        splits = data.noisy_splits(
            source,
            matrix,
            split_seed=config.seed,
            noise_seed=config.seed if noise_seed is None else noise_seed,
            train_fraction=config.data.train_fraction,
            num_train_examples=config.data.num_train_examples,
            clean_validation=config.data.clean_validation,
            stratify=stratify,
        )
    settings.check_for_data(config, source, splits)
    return source, splits


def _noise(config, num_classes):
    class_map = config.noise.class_map
    with given_as(config_keys.of_noise()):
        return noise.get(
            config.noise.kind,
            num_classes=num_classes,
            noise_rate=config.noise.rate,
            class_map=None if class_map is None else dict(class_map),
            transition_matrix=config.noise.transition_matrix,
        )


def is_own_data(config: ml_collections.ConfigDict) -> bool:
    """Whether a configuration is for data of the user's own."""
    return config.data.name in data.OWN_SOURCES


def _is_stratified(config):
    """Published data keeps the split that figures were measured on."""
    stratify = config.data.get("stratify")
    return is_own_data(config) if stratify is None else stratify


def _check_no_noise(config, matrix):
    """Refuses noise on top of a file's labels where the truth is known."""
    if np.array_equal(matrix, np.eye(len(matrix))):
        return
    raise ValueError(
        "`config.noise.kind` must be none, and config.noise.rate 0, where "
        "config.data.labels_file gives labels beside the true ones. Received: "
        f"config.noise.kind={config.noise.kind!r} and config.data.labels_file="
        f"{str(config.data.labels_file)!r}"
    )


def _source_options(section):
    """Arguments of `limit_tf.data.load` that a configuration gives."""
    options = {
        key: section[key]
        for key in ("data_dir", "download", "labels_file", "label_key")
    }
    for key in ("image_size", "train_size"):
        size = section[key]
        options[key] = None if size is None else (size, size)
    own = section.get("options")
    own = {} if own is None else own.to_dict()
    for key in own:
        if key in section:
            raise ValueError(
                f"`config.data.options` must not hold what config.data.{key} "
                f"is for. Received: {key}={own[key]!r}"
            )
    return options | own


def build_model(
    config: ml_collections.ConfigDict,
    source: Source,
    splits: NoisySplits,
) -> Plan:
    """Builds and compiles the model of a configuration.

    Args:
        config: Configuration, see `configs/digits.py`.
        source: Data set that it is to be trained on.
        splits: The data set's noisy splits.

    Returns:
        A plan whose model is compiled and has all its variables, the
        optimizer's included.

    Raises:
        ValueError: If a value does not fit.
    """
    training = config.training
    initial = None
    if config.init_from is not None:
        initial = InitialClassifier(config.init_from, config)
    with (
        given_as(config_keys.of_method(config)),
        _dtype_policy(training.precision),
    ):
        plan = METHODS[config.method](
            config,
            Ingredients(
                network=functools.partial(_network, config, source, initial),
                augmentation=_augmentation(config.data, source),
                num_examples=len(splits.train),
                has_weights=splits.train.sample_weight is not None,
                initial_probs=None
                if initial is None
                else lambda: Predictor(initial.network).probs(
                    splits.train.images
                ),
            ),
        )
    model = plan.model
    for name in model.NETWORKS:
        add_coupled_decay(getattr(model, name), training)
    steps_per_epoch = data.num_batches(len(splits.train), training.batch_size)
    model.compile(
        optimizer=build_optimizer(
            training,
            steps_per_epoch,
            plan.learning_rate,
        ),
        loss=plan.loss,
        metrics=["accuracy"],
        jit_compile=XLA[training.xla],
        steps_per_execution=data.steps_per_execution(
            training.steps_per_execution, steps_per_epoch
        ),
    )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    build_metrics(model)
    return plan


def build_classifier(
    config: ml_collections.ConfigDict, source: Source
) -> keras.Model:
    """Builds the classifier of a configuration alone, with its first weights.

    Args:
        config: Configuration, see `configs/digits.py`.
        source: Data set that it is to be trained on.

    Returns:
        A network that ends in logits, not compiled.

    Raises:
        ValueError: If a value does not fit.
    """
    with _dtype_policy(config.training.precision):
        return _network(config, source, None, "classifier")


def build_metrics(model: NetworkModel) -> None:
    """Lets metrics make their variables now, by a first update.

    A training step that makes variables is traced twice.

    Args:
        model: Compiled model, to be trained on integer labels.
    """
    logits = np.zeros((1, model.num_classes), np.float32)
    model.compute_metrics(None, np.zeros(1, np.int64), logits)
    model.reset_metrics()


def _augmentation(section, source):
    if section.augmentation == "none":
        return None
    with given_as(config_keys.of_augmentation()):
        return augmentation.get(
            section.augmentation,
            crop_size=source.input_shape[:2],
            padding=section.crop_padding,
        )


def _network(
    config,
    source,
    initial,
    variant,
    *,
    from_scratch=False,
    float_pixels=False,
    **options,
):
    options |= _net_options(config.net.to_dict())
    scaling = source.pixel_scaling
    if float_pixels and scaling is not None:
        scaling = {**scaling, "dtype": "float32"}
    is_predictor = variant == "gradient_predictor"
    try:
        with given_as(config_keys.of_network(config)):
            network = nets.get(config.net.name)(
                source.num_classes,
                source.input_shape,
                variant=variant if is_predictor else "classifier",
                seed=config.seed + _SEED_OFFSETS[variant],
                pixel_scaling=scaling,
                **options,
            )
    except TypeError as error:
        raise ValueError(
            "`config.net` must hold arguments that the network "
            f"{config.net.name!r} takes. Received: {options} ({error})"
        ) from error
    if initial is not None and not from_scratch:
        initial.initialise(network, config.init_batch_norm_statistics)
    return network


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
