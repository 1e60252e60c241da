"""How the commands run: flags are parsed, and errors end in one line."""

import contextlib
import shlex
import sys

from absl import app
from absl import flags
from absl import logging

from limit_tf.cli import flag_names
from limit_tf.cli import packaged_configs


@contextlib.contextmanager
def errors_in_one_line(aliases: dict[str, str] | None = None):
    """Ends the command with status 2 and one line where input is wrong.

    Args:
        aliases: As `flag_names.named_as_flags` takes them.
    """
    try:
        with flag_names.named_as_flags(aliases):
            yield
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        logging.debug("The error came from here:", exc_info=True)
        _fail(error)


def run(main) -> None:
    """Runs a command's main function.

    Args:
        main: Function of the words that are no flags.
    """
    logging.set_verbosity(logging.INFO)
    app.run(main, flags_parser=_parse)


def command_line(command: str) -> str:
    """Returns the line by which this process can be started again.

    Args:
        command: Name of the command's module.
    """
    return shlex.join(
        ["python", "-m", f"limit_tf.cli.{command}", *sys.argv[1:]]
    )


def _parse(argv):
    # Of the commands that have it; the flag itself knows paths alone.
    if "config" in flags.FLAGS:
        flag = flags.FLAGS["config"]
        flag.parser = packaged_configs.Parser(flag.parser)
    # ml_collections raises what its overrides raise, without a usage line.
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        _fail(error)


def _fail(error):
    # str() of the KeyErrors and AttributeErrors of ml_collections is a quoted
    # string with its line ends escaped.
    text = str(error).replace("\\n", " ").replace("\\'", "'")
    while len(text) > 1 and text[0] in "'\"" and text.endswith(text[0]):
        text = text[1:-1]
    if isinstance(error, KeyError) and " " not in text:
        text = f"The configuration has no value {text!r}."
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(2)
