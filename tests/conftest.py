"""Runs before any test touches TensorFlow's devices, and after each file."""

import gc

import pytest
import tensorflow as tf
from absl import flags

from limit_tf.tuning import memory

flags.FLAGS.mark_as_parsed()  # absltest reads its flags; pytest has its own

# Two logical devices, so that tf.distribute has replicas to speak to.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.fixture(autouse=True, scope="module")
def _memory_of_a_file_is_given_back():
    """Without it a process grows to gigabytes, and looking for garbage slows.

    What is left after a file's tests is not looked at again.
    """
    with memory.released_afterwards():
        yield
    gc.freeze()
