"""Builds data, networks, model and callbacks from a config, and runs them."""

from limit_tf.experiments.comparison import Comparison
from limit_tf.experiments.experiment import Experiment

__all__ = ["Comparison", "Experiment"]
