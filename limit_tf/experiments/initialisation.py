"""A finished cross-entropy run as the start of another one."""

import json
import pathlib

import keras
import ml_collections

from limit_tf import data
from limit_tf.experiments.workdir import differences
from limit_tf.models import copy_weights

# Settings on which two runs must agree: trained on other labels or another
# split, the first classifier would have seen what the second validates on.
_SHARED = ("seed", "data", "noise")
# What does not change the labels or the split.
_FREE = ("download", "check_images", "augmentation", "crop_padding")


def check_start(folder: str, config: ml_collections.ConfigDict) -> None:
    """Refuses a folder that a run cannot start from.

    Args:
        folder: Folder of a finished run of `cross_entropy`.
        config: Configuration of the run that is to start from it.

    Raises:
        ValueError: If the folder holds no such run, or one on other data,
            another split or other noise.
    """
    file = pathlib.Path(folder, "results.json")
    if not file.is_file():
        raise _error(folder, "which holds no results.json")
    outcome = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(outcome, list):
        raise _error(folder, "which holds the folders of several runs")
    theirs = outcome["config"]
    if theirs["method"] != "cross_entropy":
        raise _error(folder, f"a run of {theirs['method']}")
    different = differences(
        _labels_of(theirs), _labels_of(json.loads(json.dumps(config.to_dict())))
    )
    if different:
        raise _error(folder, f"which differs in {different}")


class InitialClassifier:
    """Best classifier of a finished run of `cross_entropy`.

    Args:
        folder: Folder of that run.
        config: Configuration of the run that is to start from it.

    Raises:
        ValueError: If the folder holds no such run, or one on other data,
            another split or other noise.
    """

    def __init__(self, folder: str, config: ml_collections.ConfigDict):
        check_start(folder, config)
        self._folder = folder
        self.network = keras.models.load_model(
            pathlib.Path(folder, "best_model.keras"), compile=False
        ).classifier

    def initialise(
        self, network: keras.Model, batch_norm_statistics: bool
    ) -> None:
        """Gives a network this classifier's weights.

        Args:
            network: Built network.
            batch_norm_statistics: Whether moving statistics are copied too.

        Raises:
            ValueError: If the architectures differ.
        """
        try:
            copy_weights(
                self.network,
                network,
                batch_norm_statistics=batch_norm_statistics,
            )
        except ValueError as error:
            raise _error(
                self._folder,
                f"whose network does not fit {network.name!r} ({error})",
            ) from error


def _error(folder, reason):
    return ValueError(
        "`config.init_from` must be the folder of a finished run of "
        "cross_entropy on the same data, split and noise. Received: "
        f"config.init_from={folder}, {reason}"
    )


def _labels_of(config):
    """The values that decide on the labels and on the split."""
    values = {key: config[key] for key in _SHARED}
    if values["data"]["name"] in data.OWN_SOURCES:
        # Runs that lack the key were split otherwise than None splits now.
        values["data"] = {"stratify": False, **values["data"]}
    # The folder of TFDS is where data lies; of other sources it is the data.
    free = _FREE
    if values["data"]["name"] not in data.SOURCES:
        free += ("data_dir",)
    return _without(values, free)


def _without(values, keys):
    if not isinstance(values, dict):
        return values
    return {k: _without(v, keys) for k, v in values.items() if k not in keys}
