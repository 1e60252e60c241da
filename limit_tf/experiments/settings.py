"""Reads a configuration and refuses what no run could use."""

import copy

import ml_collections
import numpy as np

from limit_tf import nets
from limit_tf import noise
from limit_tf.argument_names import given_as
from limit_tf.data import NoisySplits
from limit_tf.data import Source
from limit_tf.data import num_batches
from limit_tf.experiments import config_keys
from limit_tf.experiments.methods import METHODS
from limit_tf.experiments.methods import STARTING_METHODS
from limit_tf.experiments.values import check_values
from limit_tf.models.auto_penalty import AUTO
from limit_tf.noise.arguments import is_integer


def without_rows(
    config: ml_collections.ConfigDict,
) -> ml_collections.ConfigDict:
    """Copies a configuration without what only a comparison reads.

    Args:
        config: Configuration, see `configs/digits.py`.

    Returns:
        A copy, with neither `rows` nor `reported`.
    """
    config = copy.deepcopy(config)
    with config.unlocked():
        for key in ("rows", "reported"):
            if key in config:
                del config[key]
    return config


def of_row(
    config: ml_collections.ConfigDict, row: str
) -> ml_collections.ConfigDict:
    """Copies a configuration with the values of one of its rows.

    Args:
        config: Configuration, see `configs/digits.py`.
        row: A name in `config.rows`, or else of a method. Of the former,
            those that start from another row take `config.init_from` if it is
            given, and the others do without it.

    Returns:
        A copy without `rows`.

    Raises:
        ValueError: If there is no such row, or it does not fit.
    """
    rows = config.get("rows", {})
    if row not in rows and row not in METHODS:
        raise ValueError(
            f"`row` must be one of the configuration's, {list(rows)}, or a "
            f"method, {list(METHODS)}. Received: {row!r}"
        )
    own = without_rows(config)
    if row not in rows:
        own.method = row
        return own
    own.init_from = None
    own.lock()
    try:
        own.update(copy.deepcopy(rows[row]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"`config.rows.{row}` must hold values of the configuration. "
            f"Received: {str(error).splitlines()[0]}"
        ) from error
    if own.init_from is not None or own.method in STARTING_METHODS:
        own.init_from = config.init_from or own.init_from
    return own


def of_single_row(
    config: ml_collections.ConfigDict, row: str
) -> ml_collections.ConfigDict:
    """Copies a configuration with the values of a row that runs alone.

    Args:
        config: Configuration, see `configs/digits.py`.
        row: As in `of_row`.

    Returns:
        A copy without `rows`.

    Raises:
        ValueError: If there is no such row, it does not fit, or it starts from
            another row's run and `config.init_from` does not say where that is.
    """
    own = of_row(config, row)
    start = own.init_from
    runs = {*config.get("rows", {}), *METHODS}
    if config.init_from is None and start in runs:
        raise ValueError(
            "`row` must not start from another row's run, which only a "
            "comparison has: give config.init_from the folder of a finished "
            f"run instead. Received: {row!r}, which starts from {start!r}"
        )
    return own


def reported(config: ml_collections.ConfigDict) -> dict[str, float]:
    """Accuracies that a paper reports, where the settings are the paper's.

    Args:
        config: Configuration; `config.reported.accuracy` holds per cents by
            row, `config.reported.settings` the values they belong to.

    Returns:
        Per cents by row; none if the configuration has other values.
    """
    section = config.get("reported")
    if section is None:
        return {}
    for name, values in section.settings.items():
        if any(config[name][key] != value for key, value in values.items()):
            return {}
    return dict(section.accuracy)


def check(config: ml_collections.ConfigDict) -> None:
    """Refuses values that no run could use, before any work starts.

    Values that a library function checks itself (noise, network, penalty) are
    left to it: it is called before training starts as well.

    Args:
        config: Configuration, see `configs/digits.py`.

    Raises:
        ValueError: If a value is missing or outside its range.
    """
    try:
        _check(config)
    except (AttributeError, KeyError) as error:
        raise ValueError(
            f"The configuration lacks a value: {str(error).splitlines()[0]}"
        ) from error


def check_for_data(
    config: ml_collections.ConfigDict, source: Source, splits: NoisySplits
) -> None:
    """Refuses values that fit no training on this data.

    Args:
        config: Configuration.
        source: The data set.
        splits: Its parts.

    Raises:
        ValueError: If there is nothing to learn or to measure, or the warm-up
            never ends.
    """
    name = f"config.data.name={config.data.name!r}"
    train = splits.train
    _enough("training", "examples", len(train), 2, name)
    _enough("validation", "examples", len(splits.validation), 1, name)
    _enough("test", "examples", len(splits.test), 1, name)
    _enough("training", "classes", len(np.unique(train.labels)), 2, name)
    weights = train.sample_weight
    if weights is not None and not np.any(weights > 0):
        raise ValueError(
            "`config.data.labels_file` must give some training example a "
            "weight above 0. Received: config.data.labels_file="
            f"{config.data.labels_file!r} with {len(train)} weights of 0"
        )
    if config.method == "limit":
        _check_warmup(config, len(train))


def check_classes(config: ml_collections.ConfigDict, source: Source) -> None:
    """Refuses data of a single class.

    Args:
        config: Configuration.
        source: The data set.

    Raises:
        ValueError: If it has fewer than two classes.
    """
    name = f"config.data.name={config.data.name!r}"
    _enough("data", "classes", source.num_classes, 2, name)


def _enough(part, things, number, least, name):
    if number < least:
        raise ValueError(
            f"`config.data.name` must be data with at least {least} {things} "
            f"in the {part} part. Received: {number} for {name}"
        )


def _check_warmup(config, num_examples):
    training = config.training
    steps = training.epochs * num_batches(num_examples, training.batch_size)
    if config.limit.warmup_steps >= steps:
        raise ValueError(
            "`config.limit.warmup_steps` must be less than the steps of the "
            f"training, {steps} in config.training.epochs={training.epochs}. "
            "Received: config.limit.warmup_steps="
            f"{config.limit.warmup_steps}"
        )


def _check(config):
    check_values(config)
    _check_drops(config.training.schedule.drop_epochs)
    _check_sizes(config.data)
    _check_order(config)
    _check_noise(config.noise)
    with given_as(config_keys.of_network(config)):
        nets.get(config.net.name)
    is_auto = config.method == "limit" and config.limit.gradient_penalty == AUTO
    if is_auto and config.data.clean_validation:
        raise ValueError(
            "`config.limit.gradient_penalty` must be a number with "
            "config.data.clean_validation=True: 'auto' compares the accuracies "
            "on labels that are equally noisy. Received: 'auto'"
        )
    if "/" in config.name or config.name.startswith("."):
        raise ValueError(
            "`config.name` must be a plain name, for saved_models/NAME. "
            f"Received: {config.name!r}"
        )


def _check_noise(section):
    """What belongs to the kind of noise; its values are checked with data."""
    with given_as(config_keys.of_noise()):
        noise.check_belonging(
            section.kind,
            noise_rate=section.rate,
            class_map=section.class_map,
            transition_matrix=section.transition_matrix,
        )


def _check_sizes(section):
    train, seen = section.train_size, section.image_size
    if train not in (None, seen) and section.augmentation == "none":
        raise ValueError(
            "`config.data.train_size` must be left out unless "
            "config.data.augmentation crops the images to the size that the "
            f"network sees. Received: config.data.train_size={train}, "
            f"config.data.image_size={seen}, augmentation='none'"
        )
    if train is not None and seen is not None and train < seen:
        raise ValueError(
            "`config.data.train_size` must be at least "
            f"config.data.image_size={seen}, which is cropped out of it. "
            f"Received: config.data.train_size={train}"
        )


def _check_order(config):
    section = config.data
    is_ordered = section.deterministic_order and section.service is None
    if config.training.deterministic and not is_ordered:
        raise ValueError(
            "`config.training.deterministic` must be False where the order of "
            "the data may vary. Received: config.data.deterministic_order="
            f"{section.deterministic_order}, config.data.service="
            f"{section.service!r}"
        )


def _check_drops(drop_epochs):
    epochs = list(drop_epochs)
    if not all(is_integer(epoch) and epoch > 0 for epoch in epochs) or (
        epochs != sorted(set(epochs))
    ):
        raise ValueError(
            "`config.training.schedule.drop_epochs` must be positive whole "
            f"numbers in rising order. Received: {epochs}"
        )
