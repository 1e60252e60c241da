"""The fastest safe way to run a configuration on this machine.

The rule, measured by `python -m limit_tf.cli.benchmark`; every choice can be
overridden:

- `config.training.xla="auto"`: XLA on a GPU alone. On a CPU the kernels of
  oneDNN are faster, and need no compilation.
- `config.training.steps_per_execution=None`: the largest divisor of an epoch's
  steps that is at most 32 of them run in one call.
- `config.training.device_resident="auto"`: a GPU holds the training images if
  they are arrays in memory of at most 2 GiB, and steps look them up there. On a
  CPU the thread of the pipeline gathers images beside the step.
- Threads, without a GPU and without XLA: two operations at a time, half of the
  cores each, so that LIMIT's networks run side by side. One network alone loses
  up to 16 % by it, but a method's numbers must not depend on what else a
  command trains: rounding does depend on threads. `TF_NUM_INTEROP_THREADS` and
  `TF_NUM_INTRAOP_THREADS` override.
- `config.training.precision` stays as it is: bfloat16 is faster on processors
  that compute in it, but it is not the same computation.
"""

import os

import ml_collections
import numpy as np
import tensorflow as tf

_MOST_BYTES_ON_DEVICE = 2**31
_THREAD_VARIABLES = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


def holds_images(requested: str, images) -> bool:
    """Decides whether the training images are held on the device.

    Args:
        requested: `"on"`, `"off"`, or `"auto"` for the module's rule.
        images: The training images, an array or what reads them from files.

    Returns:
        A boolean.

    Raises:
        ValueError: If images in files are to be held.
    """
    in_memory = isinstance(images, np.ndarray)
    if requested == "on" and not in_memory:
        raise ValueError(
            "`config.training.device_resident` must be 'auto' or 'off' where "
            "the images are read from files. Received: 'on'"
        )
    if requested != "auto":
        return requested == "on"
    return (
        in_memory
        and images.nbytes <= _MOST_BYTES_ON_DEVICE
        and bool(tf.config.list_physical_devices("GPU"))
    )


def set_threads(config: ml_collections.ConfigDict) -> None:
    """Divides the cores between two operations, by the module's rule.

    To be called before TensorFlow runs anything: it fixes its threads then.

    Args:
        config: Configuration, see `configs/digits.py`.
    """
    if (
        config.get("training", {}).get("xla") == "on"
        or any(name in os.environ for name in _THREAD_VARIABLES)
        or tf.config.list_physical_devices("GPU")
    ):
        return
    split_cores()


def split_cores() -> None:
    """Lets two operations run at a time, on half of the cores each."""
    num_cores = os.cpu_count() or 1
    if num_cores < 2:
        return
    tf.config.threading.set_inter_op_parallelism_threads(2)
    tf.config.threading.set_intra_op_parallelism_threads(num_cores // 2)


def description(
    jit_compile: bool,
    steps: int,
    precision: str,
    images_are_held: bool = False,
) -> str:
    """Says how the steps run, and why.

    Args:
        jit_compile: Whether XLA compiles them.
        steps: Number of steps a call.
        precision: Name of the dtype policy.
        images_are_held: Whether the device holds the training images.

    Returns:
        Words for one line of the log.
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    kernels = "XLA" if jit_compile else "graph mode"
    if not jit_compile and not on_gpu:
        kernels += " (faster than XLA on a CPU)"
    parts = [kernels, precision, f"{steps} steps a call"]
    if images_are_held:
        parts.append("training images held on the device")
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    if threads:
        cores = tf.config.threading.get_intra_op_parallelism_threads()
        parts.append(
            f"{threads} operations at a time on {cores or 'all'} "
            f"{'core' if cores == 1 else 'cores'} each"
            + (" (two networks side by side)" if threads == 2 else "")
        )
    return ", ".join(parts)
