"""Side-by-side timing of training steps, for `limit_tf.cli.benchmark`."""

from limit_tf.benchmark.cases import CASES
from limit_tf.benchmark.cases import Case
from limit_tf.benchmark.cases import Mode
from limit_tf.benchmark.suite import Suite

__all__ = ["CASES", "Case", "Mode", "Suite"]
