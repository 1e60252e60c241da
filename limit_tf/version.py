"""The version, for `setup.cfg`, which reads it without TensorFlow."""

__version__ = "0.1.0"
