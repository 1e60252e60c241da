"""Processes that time things, each with settings of its own.

TensorFlow reads oneDNN's switch and its threads once a process, and peak
memory is a process's too; another implementation runs beside ours without
sharing threads with it.
"""

import importlib
import multiprocessing
import os
import time
import traceback

_LOG_LEVEL = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class Worker:
    """A process that answers calls.

    Args:
        environment: Environment variables to start it with.
    """

    def __init__(self, environment: dict[str, str]):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs,), daemon=True
        )
        before = dict(os.environ)
        os.environ.update(_LOG_LEVEL | environment)
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()

    def call(self, name: str, *arguments):
        """Runs one of this module's functions there; returns its answer.

        Raises:
            RuntimeError: If it failed there, with its error in one line.
        """
        try:
            self._connection.send((name, arguments))
            failure, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(
                f"The process that ran {name!r} ended, perhaps for lack of "
                "memory."
            ) from error
        if failure is not None:
            raise RuntimeError(failure)
        return answer

    def __enter__(self):
        """Returns the worker itself."""
        return self

    def __exit__(self, *_):
        """Ends the process."""
        self._process.kill()
        self._process.join()


def _serve(connection):
    holder = {}
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((None, _FUNCTIONS[name](holder, *arguments)))
        except Exception as error:
            traceback.print_exc()
            connection.send((f"{type(error).__name__}: {error}", None))


def _machine(holder, size, repeats):
    from limit_tf.benchmark import machine
    from limit_tf.experiments import results

    return {
        **machine.description(),
        "versions": results.versions(),
        "matmul_flops_per_second": {
            dtype: machine.matmul_rate(dtype, size, repeats)
            for dtype in ("float32", "bfloat16")
        },
    }


def _has_gpu(holder):
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _set_threads(holder, mode):
    from limit_tf.experiments import speed

    if mode.split_cores:
        speed.split_cores()


def _prepare(holder, subject, case, mode, steps):
    """Builds a model and runs its first round."""
    from limit_tf.benchmark import machine
    from limit_tf.benchmark import subjects

    before = machine.peak_host_bytes()
    holder[subject] = subjects.Training(subject, case, mode, steps)
    return {
        "first_seconds": holder[subject].first_seconds,
        "added_host_bytes": machine.peak_host_bytes() - before,
        "peak_device_bytes": _peak_device_bytes(),
    }


def _peak_device_bytes():
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def _measure(holder, subject, what):
    """Runs one method of a subject that is prepared."""
    return getattr(holder[subject], what)()


def _inference(holder, case, mode, repeats):
    from limit_tf.benchmark import subjects

    return subjects.time_inference(case, mode, repeats)


def _prepare_peer(holder, peer, case, steps):
    """Lets another implementation build its step, and run one round."""
    from limit_tf.benchmark import subjects

    module, function = peer.split(":")
    images, labels = subjects.toy_data(case, case.batch_size * steps)
    holder["peer"] = getattr(importlib.import_module(module), function)(
        images, labels, case.batch_size, case.num_classes
    )
    start = time.perf_counter()
    holder["peer"]()
    return time.perf_counter() - start


def _peer_round(holder):
    start = time.perf_counter()
    holder["peer"]()
    return time.perf_counter() - start


_FUNCTIONS = {
    "machine": _machine,
    "has_gpu": _has_gpu,
    "set_threads": _set_threads,
    "prepare": _prepare,
    "measure": _measure,
    "inference": _inference,
    "prepare_peer": _prepare_peer,
    "peer_round": _peer_round,
}
