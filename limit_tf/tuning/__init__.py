"""Searches for hyperparameters by keras-tuner, from noisy labels alone."""

try:
    import keras_tuner  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "limit_tf.tuning needs keras-tuner: pip install 'limit_tf[tuning]'",
        name="keras_tuner",
    ) from error

from limit_tf.tuning.dmi_hypermodel import DmiHyperModel
from limit_tf.tuning.elr_hypermodel import ElrHyperModel
from limit_tf.tuning.gce_hypermodel import GceHyperModel
from limit_tf.tuning.limit_hypermodel import LimitHyperModel
from limit_tf.tuning.oracles import ORACLES
from limit_tf.tuning.pruning import MedianStoppingRule
from limit_tf.tuning.search import Search
from limit_tf.tuning.search_space import SearchSpace
from limit_tf.tuning.selection import select
from limit_tf.tuning.selection import standard_error

__all__ = [
    "ORACLES",
    "DmiHyperModel",
    "ElrHyperModel",
    "GceHyperModel",
    "LimitHyperModel",
    "MedianStoppingRule",
    "Search",
    "SearchSpace",
    "select",
    "standard_error",
]
