"""What the commands ask of TensorFlow before it is imported."""

import os
import pathlib
import sys
import time

# Read by TensorFlow once, when it is imported.
_DEFAULTS = {
    # oneDNN is off on CPUs without AVX-512, where it about doubles the speed.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Without a GPU, TensorFlow's start prints what reads like errors. Python
    # exceptions are shown all the same, and the commands name their devices.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# When the process started, by the clock of `time.monotonic`: a command's alone.
_start = None


def set_up_for_commands() -> None:
    """Sets environment variables if this process is a command of ours.

    Python imports this package before a command's own first line, so the
    command line is looked at here. A value that the user has set is kept, and
    a program that imports the library is left alone.
    """
    global _start
    if _is_command():
        _start = time.monotonic()
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)


def take_start() -> float | None:
    """When this command started, for the first that asks.

    Returns:
        A time by the clock of `time.monotonic`, to some hundredths of a
        second; None from the second call on, and in other programs.
    """
    global _start
    start, _start = _start, None
    return start


def _is_command():
    if any(word.startswith("limit_tf.cli.") for word in sys.orig_argv[1:]):
        return True
    commands = pathlib.Path(__file__).parent / "cli"
    script = pathlib.Path(sys.argv[0])
    if script.parent == commands:  # the file itself, as Bazel runs it
        return True
    # A console script: limit-find-label-issues runs cli/find_label_issues.py.
    prefix, _, name = script.name.partition("-")
    module = commands / name.replace("-", "_")
    return prefix == "limit" and module.with_suffix(".py").is_file()
