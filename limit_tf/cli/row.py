"""The flag of the commands that train one row of a configuration."""

import ml_collections
from absl import flags

from limit_tf.cli import arguments
from limit_tf.cli import config_checks

ROW = flags.DEFINE_string(
    "row", None, "Row of the configuration to train, or a method."
)


def check() -> None:
    """Checks what needs no TensorFlow.

    Raises:
        ValueError: If there is no such row or method.
        FileNotFoundError: If there is no such file or folder.
    """
    config = arguments.CONFIG.value
    config_checks.check(config)
    if ROW.value is not None:
        config_checks.check_rows("row", [ROW.value], config)


def configuration() -> ml_collections.ConfigDict:
    """Returns the configuration, with the values of the row if one is given.

    Raises:
        ValueError: If there is no such row, or it cannot run alone.
    """
    config = arguments.CONFIG.value
    if ROW.value is None:
        return config
    from limit_tf.experiments import settings

    return settings.of_single_row(config, ROW.value)
