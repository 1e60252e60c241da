"""The rules that every array of labels obeys, as the noise room has them."""

from limit_tf.noise.labels import check_labels

__all__ = ["check_labels"]
