"""Switches oneDNN on for the commands, before TensorFlow is imported."""

import os
import sys


def enable_for_commands() -> None:
    """Sets `TF_ENABLE_ONEDNN_OPTS=1` if this process is a command of ours.

    TensorFlow reads the variable once, when it is imported, and leaves oneDNN
    off on CPUs without AVX-512, where it about doubles the speed. Python
    imports this package before the command's own first line, so the command
    line is looked at here. A value that the user has set is kept, and a
    program that imports the library is left alone.
    """
    if any(word.startswith("limit_tf.cli.") for word in sys.orig_argv[1:]):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
