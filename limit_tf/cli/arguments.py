"""What the commands have in common: flags, and errors in one line."""

import contextlib
import sys

from absl import flags
from absl import logging
from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Configuration to run, for example configs/digits.py. Single values are "
    "set by --config.KEY=VALUE.",
    lock_config=True,
)
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run: new, empty, or of the same configuration, which then "
    "goes on where it was.",
)
flags.mark_flags_as_required(["config", "workdir"])


@contextlib.contextmanager
def errors_in_one_line():
    """Ends the command with status 2 and one line where input is wrong."""
    try:
        yield
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        logging.debug("The error came from here:", exc_info=True)
        sys.exit(_fail(error))


def _fail(error):
    print(f"error: {error}", file=sys.stderr)
    return 2
