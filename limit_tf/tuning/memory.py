"""Gives memory back between the trials of one process."""

import contextlib
import gc

import keras
from tensorflow.python.framework import ops

_PREFIX = "CustomGradient-"


@contextlib.contextmanager
def released_afterwards():
    """Lets go of what was built inside, once the body has ended.

    TensorFlow 2.21 keeps the gradient of every custom gradient that is traced
    in a registry for good, and with it the graph of a training step and the
    memory of all variables that the step uses: one network a trial. What was
    added to the registry inside is taken out again, which is right only where
    no model of the body is trained any further.
    """
    registry = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith(_PREFIX):
                del registry[name]
        keras.utils.clear_session()
        gc.collect()
