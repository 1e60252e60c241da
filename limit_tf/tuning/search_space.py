"""Which values of a configuration a search sets, and between which bounds.

A space is declared on `keras_tuner.HyperParameters` and read from them by the
same function, which returns values of the configuration by dotted keys, such
as `limit.gradient_penalty`. Continuous values are rounded to three digits. The
defaults, with which a search begins, are the configuration's own values.
"""

import keras_tuner
import ml_collections

from limit_tf.experiments import settings
from limit_tf.tuning.method_spaces import GRIDS
from limit_tf.tuning.method_spaces import SPACES
from limit_tf.tuning.method_spaces import Declared
from limit_tf.tuning.trials import set_values

# The value that ties are decided by, for methods that have one, and the value
# that decides what it weighs against.
PENALTY_KEYS = {"limit": "limit.gradient_penalty"}
FAMILY_KEYS = {"limit": "limit.q_dist"}


class SearchSpace:
    """Search space of a configuration's method.

    Args:
        config: Configuration, see `configs/digits.py`.
        steps_per_epoch: Number of training steps of an epoch.
        grid: Whether the space is the grid of few values to try one by one,
            instead of ranges.

    Raises:
        ValueError: If the configuration lacks a value that the search sets.

    Attributes:
        keys: Dotted keys of the values that the search sets.
        penalty: The one of them that is the method's penalty, or None.
        family: The one that decides what the penalty weighs against, or None.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        steps_per_epoch: int,
        grid: bool = False,
    ):
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._declare = (GRIDS if grid else SPACES)[config.method]
        self.penalty = PENALTY_KEYS.get(config.method)
        self.family = FAMILY_KEYS.get(config.method)
        self.keys = list(self.values(keras_tuner.HyperParameters()))

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """Declares the space; the values are the configuration's own."""
        hp = keras_tuner.HyperParameters()
        self.values(hp)
        return hp

    def values(self, hp: keras_tuner.HyperParameters) -> dict[str, object]:
        """Turns hyperparameters into values of the configuration.

        Args:
            hp: Hyperparameters of a trial.

        Returns:
            Values by dotted key, for every key the same set of keys.
        """
        try:
            return self._declare(
                Declared(hp, self._config, self._steps_per_epoch)
            )
        except (AttributeError, KeyError) as error:
            raise ValueError(
                "`config` must hold the values that a search for the method "
                f"{self._config.method!r} sets. Received: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def config_of(
        self, hp: keras_tuner.HyperParameters
    ) -> ml_collections.ConfigDict:
        """Copies the configuration with the values of a trial.

        Args:
            hp: Hyperparameters of the trial; `tuner/epochs` among them is the
                number of its epochs.

        Returns:
            A configuration without rows.
        """
        config = settings.without_rows(self._config)
        values = self.values(hp)
        epochs = int(hp.values.get("tuner/epochs", config.training.epochs))
        if epochs < config.training.epochs and "limit.warmup_steps" in values:
            # A warm-up that takes the whole of a short trial tells nothing.
            values["limit.warmup_steps"] = min(
                values["limit.warmup_steps"],
                epochs // 10 * self._steps_per_epoch,
            )
        config.training.epochs = epochs
        set_values(config, values)
        return config
