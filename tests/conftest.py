"""Runs before any test touches TensorFlow's devices."""

import tensorflow as tf
from absl import flags

flags.FLAGS.mark_as_parsed()  # absltest reads its flags; pytest has its own

# Two logical devices, so that tf.distribute has replicas to speak to.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
