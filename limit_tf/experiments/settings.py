"""Reads a configuration and refuses what no run could use."""

import copy

import ml_collections

from limit_tf.augmentation import AUGMENTATIONS
from limit_tf.experiments.methods import METHODS
from limit_tf.experiments.methods import STARTING_METHODS
from limit_tf.experiments.optimizers import DECAYS
from limit_tf.experiments.optimizers import OPTIMIZERS
from limit_tf.experiments.optimizers import SCHEDULES
from limit_tf.models.auto_penalty import AUTO

XLA = {"auto": "auto", "on": True, "off": False}
DEVICE_RESIDENT = ("auto", "on", "off")
# Other networks take the next two seeds, and TensorFlow 31 bits.
_LARGEST_SEED = 2**31 - 3
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


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


def _check(config):
    _one_of("config.method", config.method, sorted(METHODS))
    training = config.training
    _one_of("config.training.precision", training.precision, PRECISIONS)
    _one_of("config.training.xla", training.xla, XLA)
    _one_of(
        "config.training.device_resident",
        training.device_resident,
        DEVICE_RESIDENT,
    )
    _whole("config.seed", config.seed, 0)
    if config.seed > _LARGEST_SEED:
        raise ValueError(
            f"`config.seed` must not exceed {_LARGEST_SEED}. Received: "
            f"{config.seed}"
        )
    _whole("config.noise.seed", config.noise.seed, 0, optional=True)
    for key in ("epochs", "batch_size", "test_every"):
        _whole(f"config.training.{key}", training[key], 1)
    for key in ("patience", "steps_per_execution"):
        _whole(f"config.training.{key}", training[key], 1, optional=True)
    _check_optimizer(training)
    _one_of(
        "config.data.augmentation",
        config.data.augmentation,
        ["none", *AUGMENTATIONS],
    )
    _check_train_size(config.data)
    _check_order(config)
    _whole("config.limit.warmup_steps", config.limit.warmup_steps, 0)
    is_auto = config.method == "limit" and config.limit.gradient_penalty == AUTO
    if is_auto and config.data.clean_validation:
        raise ValueError(
            "`config.limit.gradient_penalty` must be a number with "
            "config.data.clean_validation=True: 'auto' compares the accuracies "
            "on labels that are equally noisy. Received: 'auto'"
        )
    _whole(
        "config.data.num_train_examples",
        config.data.num_train_examples,
        1,
        optional=True,
    )
    if not 0.0 < config.data.train_fraction < 1.0:
        raise ValueError(
            "`config.data.train_fraction` must lie in (0, 1). Received: "
            f"{config.data.train_fraction}"
        )
    _positive("config.dmi.learning_rate", config.dmi.learning_rate)
    if not config.name or "/" in config.name or config.name.startswith("."):
        raise ValueError(
            "`config.name` must be a plain name, for saved_models/NAME. "
            f"Received: {config.name!r}"
        )


def _check_train_size(section):
    sizes = section.train_size, section.image_size
    if sizes[0] not in (None, sizes[1]) and section.augmentation == "none":
        raise ValueError(
            "`config.data.train_size` must be left out unless "
            "config.data.augmentation crops the images to the size that the "
            f"network sees. Received: config.data.train_size={sizes[0]}, "
            f"config.data.image_size={sizes[1]}, augmentation='none'"
        )


def _check_order(config):
    section = config.data
    _one_of(
        "config.data.deterministic_order",
        section.deterministic_order,
        [True, False],
    )
    is_ordered = section.deterministic_order and section.service is None
    if config.training.deterministic and not is_ordered:
        raise ValueError(
            "`config.training.deterministic` must be False where the order of "
            "the data may vary. Received: config.data.deterministic_order="
            f"{section.deterministic_order}, config.data.service="
            f"{section.service!r}"
        )


def _check_optimizer(training):
    schedule = training.schedule
    name = "config.training"
    _one_of(f"{name}.optimizer", training.optimizer, OPTIMIZERS)
    _positive(f"{name}.learning_rate", training.learning_rate)
    _not_negative(f"{name}.momentum", training.momentum, below=1.0)
    _not_negative(f"{name}.weight_decay", training.weight_decay)
    _one_of(f"{name}.weight_decay_kind", training.weight_decay_kind, DECAYS)
    _one_of(f"{name}.schedule.kind", schedule.kind, SCHEDULES)
    _positive(f"{name}.schedule.drop_factor", schedule.drop_factor)
    _whole(f"{name}.schedule.restart_epochs", schedule.restart_epochs, 1)
    _not_negative(
        f"{name}.schedule.final_learning_rate",
        schedule.final_learning_rate,
    )
    epochs = list(schedule.drop_epochs)
    if epochs != sorted(set(epochs)) or not all(
        isinstance(epoch, int) and epoch > 0 for epoch in epochs
    ):
        raise ValueError(
            f"`{name}.schedule.drop_epochs` must be positive whole numbers in "
            f"rising order. Received: {epochs}"
        )


def _positive(name, value):
    if value is None or not 0.0 < value < float("inf"):
        raise ValueError(f"`{name}` must be positive. Received: {value}")


def _not_negative(name, value, below=float("inf")):
    if value is None or not 0.0 <= value < below:
        raise ValueError(
            f"`{name}` must lie in [0, {below:g}). Received: {value}"
        )


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(
            f"`{name}` must be one of {list(allowed)}. Received: {value!r}"
        )


def _whole(name, value, least, optional=False):
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"`{name}` must be a whole number >= {least}"
            f"{' or left out' if optional else ''}. Received: {value!r}"
        )
