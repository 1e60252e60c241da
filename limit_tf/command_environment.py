"""What the commands ask of the process before TensorFlow is imported."""

import itertools
import os
import pathlib
import signal
import sys
import time

# Read by TensorFlow once, when it is imported.
_DEFAULTS = {
    # oneDNN is off on CPUs without AVX-512, where it about doubles the speed.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Errors alone. What TensorFlow says beside, `limit_tf.cli.chatter` keeps
    # back.
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
# When the process started, by the clock of `time.monotonic`: a command's alone.
_start = None


def set_up_for_commands() -> bool:
    """Sets environment variables if this process is a command of ours.

    Python imports this package before a command's own first line, so the
    command line is looked at here. A value that the user has set is kept, and
    a program that imports the library is left alone.

    Returns:
        Whether this process is a command.
    """
    global _start
    if not _is_command():
        return False
    _start = time.monotonic()
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    return True


def end_at_once_when_interrupted() -> None:
    """Until a command says how it ends, an interruption has no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def wants_all_messages() -> bool:
    """Whether the user has asked for everything that TensorFlow says."""
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"


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
    words = sys.orig_argv[1:]
    if any(word.startswith("limit_tf.cli.") for word in words):
        return True
    if ("-m", "limit_tf") in itertools.pairwise(words):  # lists the commands
        return True
    commands = pathlib.Path(__file__).parent / "cli"
    script = pathlib.Path(sys.argv[0])
    if script.parent == commands:  # the file itself, as Bazel runs it
        return True
    # A console script: limit-find-label-issues runs cli/find_label_issues.py.
    prefix, _, name = script.name.partition("-")
    module = commands / name.replace("-", "_")
    return prefix == "limit" and module.with_suffix(".py").is_file()
