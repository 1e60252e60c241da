"""Reads a configuration and refuses what no run could use."""

import ml_collections

from limit_tf.experiments.methods import METHODS

XLA = {"auto": "auto", "on": True, "off": False}
# The gradient predictor takes the next seed, and TensorFlow 31 bits.
_LARGEST_SEED = 2**31 - 2
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


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
    _whole("config.seed", config.seed, 0)
    if config.seed > _LARGEST_SEED:
        raise ValueError(
            f"`config.seed` must not exceed {_LARGEST_SEED}. Received: "
            f"{config.seed}"
        )
    _whole("config.noise.seed", config.noise.seed, 0, optional=True)
    for key in ("epochs", "batch_size", "steps_per_execution", "test_every"):
        _whole(f"config.training.{key}", training[key], 1)
    _whole("config.training.patience", training.patience, 1, optional=True)
    _whole("config.limit.warmup_steps", config.limit.warmup_steps, 0)
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
    if not 0.0 < training.learning_rate < float("inf"):
        raise ValueError(
            "`config.training.learning_rate` must be positive. Received: "
            f"{training.learning_rate}"
        )
    if not config.name or "/" in config.name or config.name.startswith("."):
        raise ValueError(
            "`config.name` must be a plain name, for saved_models/NAME. "
            f"Received: {config.name!r}"
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
