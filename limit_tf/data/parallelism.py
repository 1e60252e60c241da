"""How tf.data uses the machine: a fixed number of threads, no autotuner."""

import os

import tensorflow as tf

NUM_PARALLEL_CALLS = os.cpu_count() or 1


def with_fixed_parallelism(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switches tf.data's autotuner off for a data set.

    The autotuner's thread sleeps longer and longer, and the end of an
    iteration may wait until it wakes up: on two cores, every other epoch of
    0.8 seconds took 1.3. Give `NUM_PARALLEL_CALLS` and the size of the
    prefetch buffer instead.

    Args:
        dataset: Data set whose transformations use no `tf.data.AUTOTUNE`.

    Returns:
        The data set with its options.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
