"""Keeps back what TensorFlow's libraries say on standard error of themselves.

They write to file descriptor 2, past Python. While a command runs, that is a
pipe to a small process of its own, which passes on all but known chatter. It
outlives a crash, so that no last words are lost. What Python writes goes
straight to where it always went.
"""

import contextlib
import os
import re
import select
import signal
import sys

from limit_tf import command_environment

# A line that stays open for so many seconds is passed on as it is.
_SECONDS = 0.2
_CHATTER = re.compile(
    rb"[IW]\d{4} [\d:]+\.\d+ +\d+ [\w./-]+:\d+\] "  # INFO, WARNING
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|To enable the following instructions: .* rebuild TensorFlow with"
    # Of machines without a GPU, and of libraries that register twice.
    rb"|(?:E\d{4} |\d{4}-\d\d-\d\d ).*(?:failed call to cuInit"
    rb"|Unable to register cu\w+ (?:factory|plugin)"
    rb"|kernel driver does not appear to be running"
    rb"|CUDA_ERROR_NO_DEVICE)"
)


def is_chatter(line: bytes) -> bool:
    """Tells whether a line is of no use to who runs a command.

    Args:
        line: A line of standard error.

    Returns:
        Whether it is TensorFlow's information or warning, not an error.
    """
    return _CHATTER.match(line) is not None


def keep_back() -> None:
    """Starts to keep chatter back, until this process ends.

    To be called before there is a second thread. Nothing is done if the user
    asks for all messages (`TF_CPP_MIN_LOG_LEVEL=0`), or if Python's standard
    error is not file descriptor 2.
    """
    if command_environment.wants_all_messages() or not _is_descriptor_2():
        return
    sys.stderr.flush()
    readable, writable = os.pipe()
    visible = os.dup(2)
    if os.fork() == 0:
        _filter(readable, visible)
    os.close(readable)
    os.dup2(writable, 2)
    os.close(writable)
    sys.stderr = open(
        visible, "w", buffering=1, encoding="utf-8", errors="backslashreplace"
    )


def _is_descriptor_2():
    try:
        return sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


def _filter(readable, visible):
    """The small process: passes lines on until nobody writes any more."""
    with contextlib.suppress(BaseException):
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        _keep_only(readable, visible)
        _pass_on(readable, visible)
    os._exit(0)


def _keep_only(readable, visible):
    """Lets go of all other files: who reads them waits for their end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for text in os.listdir("/proc/self/fd"):
        if int(text) > 2 and int(text) not in (readable, visible):
            with contextlib.suppress(OSError):
                os.close(int(text))


def _pass_on(readable, visible):
    rest = b""
    while True:
        # A line that is begun is not held back for long.
        timeout = _SECONDS if rest else None
        if not select.select([readable], [], [], timeout)[0]:
            _write(visible, rest)
            rest = b""
            continue
        chunk = os.read(readable, 65536)
        *lines, rest = (rest + chunk).split(b"\n")
        _write(visible, b"".join(x + b"\n" for x in lines if not is_chatter(x)))
        if not chunk:
            return _write(visible, rest)


def _write(visible, data):
    if data and not is_chatter(data):
        with contextlib.suppress(OSError):  # nobody reads any more
            os.write(visible, data)
