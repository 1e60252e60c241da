"""Models whose training step differs from Keras's own."""

from limit_tf.models.limit_model import LimitModel

__all__ = ["LimitModel"]
