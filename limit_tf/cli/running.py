"""How the commands run: flags are parsed, and errors end in one line."""

import contextlib
import functools
import os
import re
import shlex
import signal
import sys

from absl import app
from absl import logging

from limit_tf import keras_backend
from limit_tf.cli import chatter
from limit_tf.cli import config_files
from limit_tf.cli import flag_names
from limit_tf.cli import flag_words
from limit_tf.cli import help_text
from limit_tf.cli import log_lines
from limit_tf.divergence import DivergedError

# The statuses that `help_text.EXIT_STATUS` explains.
WRONG_INPUT = 2
DIVERGED = 3
PARTLY_DONE = 4
_INTERRUPTED = 128
GOES_ON = "Started again, the same command goes on where it was."


class _Terminated(KeyboardInterrupt):
    """SIGTERM, raised as Python raises SIGINT."""


@contextlib.contextmanager
def errors_in_one_line(aliases: dict[str, str] | None = None):
    """Ends the command with status 2 and one line where input is wrong.

    Args:
        aliases: As `flag_names.named_as_flags` takes them.
    """
    try:
        with flag_names.named_as_flags(aliases):
            yield
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        logging.debug("The error came from here:", exc_info=True)
        fail(error)


def run(main, *, needs_keras: bool = True, interrupted: str = GOES_ON) -> None:
    """Runs a command's main function, and ends the process.

    Args:
        main: Function of the words that are no flags, which are none. What
            needs TensorFlow is imported inside of it.
        needs_keras: Whether Keras, if it is imported, must have TensorFlow's
            backend.
        interrupted: What to say after "interrupted." to who interrupts it.
    """
    text = help_text.answer(sys.argv[1:])
    if text is not None:
        print(text)
        sys.exit(0)
    log_lines.set_up()
    app.run(
        functools.partial(_run, main, needs_keras, interrupted),
        flags_parser=_parse,
    )


def command_line(command: str) -> str:
    """Returns the line by which this process can be started again.

    Args:
        command: Name of the command's module.
    """
    return shlex.join(
        ["python", "-m", f"limit_tf.cli.{command}", *sys.argv[1:]]
    )


def fail(error: BaseException | str, status: int = WRONG_INPUT) -> None:
    """Ends the process with one line on standard error.

    Args:
        error: What went wrong.
        status: The exit status.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(status)


def _parse(argv):
    try:
        return flag_words.parse(argv)
    except (
        flag_words.FlagError,
        config_files.ConfigFileError,
        OSError,
    ) as error:
        fail(error)


def _run(main, needs_keras, interrupted, argv):
    chatter.keep_back()
    log_lines.set_up()
    with _one_line_at_the_end(interrupted):
        if needs_keras:
            _check_backend()
        main(argv)
        sys.stdout.flush()


def _check_backend():
    try:
        keras_backend.check()
    except ImportError as error:
        fail(error)


@contextlib.contextmanager
def _one_line_at_the_end(interrupted):
    """Ends in one line what is no mistake in this program."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt as stop:
        is_term = isinstance(stop, _Terminated)
        number = signal.SIGTERM if is_term else signal.SIGINT
        start = "\n" if sys.stderr.isatty() else ""  # below ^C
        print(f"{start}interrupted. {interrupted}", file=sys.stderr)
        sys.exit(_INTERRUPTED + number)
    except DivergedError as error:
        fail(error, DIVERGED)
    except BrokenPipeError:  # The reader, such as `head`, has enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not _is_of_the_machine(error):
            raise
        logging.debug("The error came from here:", exc_info=True)
        # TensorFlow adds the places in its graph.
        fail(re.sub(r"{{.*?}} ?|\[Op:.*", "", str(error).split("\n\n")[0]))


def _interrupt(number, frame):
    # A second one ends the process at once.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    raise _Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _is_of_the_machine(error):
    """Whether a disk, a folder or the memory is to blame."""
    if isinstance(error, (OSError, MemoryError)):
        return True
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return False
    return isinstance(
        error,
        (
            tensorflow.errors.ResourceExhaustedError,
            tensorflow.errors.PermissionDeniedError,
            tensorflow.errors.NotFoundError,
        ),
    )
