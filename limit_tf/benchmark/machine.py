"""Facts about the machine, and how fast it multiplies matrices."""

import os
import pathlib
import platform
import resource
import sys
import time

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def description() -> dict:
    """Names processor, cores, memory and accelerators."""
    import tensorflow as tf

    facts = {
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "num_cores": os.cpu_count(),
        "accelerators": [
            tf.config.experimental.get_device_details(device).get(
                "device_name", device.name
            )
            for device in tf.config.list_physical_devices("GPU")
        ],
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        facts["memory_gib"] = round(size / 2**30, 1)
    return facts


def _processor():
    """Model and the vector instructions that decide the speed."""
    if not _CPU_INFO.exists():
        return platform.processor() or platform.machine()
    lines = dict(
        tuple(part.strip() for part in line.split(":", 1))
        for line in _CPU_INFO.read_text().splitlines()
        if ":" in line
    )
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = [f for f in known if f in lines.get("flags", "").split()]
    return f"{lines.get('model name', platform.machine())} ({', '.join(flags)})"


def matmul_rate(dtype: str, size: int, repeats: int) -> float:
    """Measures the rate of a product of two square matrices.

    Args:
        dtype: Type of the matrices.
        size: Rows and columns.
        repeats: Number of timed products, of which the fastest counts.

    Returns:
        Floating-point operations per second.
    """
    import tensorflow as tf

    a, b = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    # One number leaves the device: the product is complete when it is here.
    product = tf.function(lambda a, b: tf.reduce_sum(tf.matmul(a, b)))
    float(product(a, b))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        float(product(a, b))
        seconds.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(seconds)


def peak_host_bytes() -> int:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
