"""Estimators that follow scikit-learn's conventions."""

from limit_tf.wrappers.cross_entropy_classifier import CrossEntropyClassifier
from limit_tf.wrappers.limit_classifier import LimitClassifier

__all__ = ["CrossEntropyClassifier", "LimitClassifier"]
