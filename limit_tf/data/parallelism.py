"""How tf.data uses the machine: a fixed number of threads, no autotuner."""

import os

import tensorflow as tf

NUM_PARALLEL_CALLS = os.cpu_count() or 1


def with_fixed_parallelism(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switches tf.data's autotuner off for a data set.

    The autotuner's thread sleeps 10 ms, then twice as long, and so on, and the
    end of every iteration waits until it wakes up: an epoch then takes 0.6,
    1.3 or 2.6 seconds, whichever comes next, whatever its steps take. Give
    `NUM_PARALLEL_CALLS` and the size of the prefetch buffer instead.

    Args:
        dataset: Data set whose transformations use no `tf.data.AUTOTUNE`.

    Returns:
        The data set with its options.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
