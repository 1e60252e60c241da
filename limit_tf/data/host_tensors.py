"""Tensors in host memory for the functions of a data set."""

import numpy as np
import tensorflow as tf


def captured(array: np.ndarray) -> tf.Tensor:
    """Returns a tensor in host memory that a data set's functions capture.

    It is an input of their graphs, not a constant in them, which would be
    copied and could not exceed 2 GB.
    """
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(array)
