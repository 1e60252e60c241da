"""Builds data, networks, model and callbacks from a config, and runs them."""

from limit_tf.experiments.comparison import Comparison
from limit_tf.experiments.experiment import Experiment
from limit_tf.experiments.finished_run import FinishedRun
from limit_tf.experiments.label_issue_search import LabelIssueSearch

__all__ = ["Comparison", "Experiment", "FinishedRun", "LabelIssueSearch"]
