"""Log lines as a person reads them: no process numbers, no file names."""

import logging as python_logging
import sys

from absl import logging


class Formatter(python_logging.Formatter):
    """Writes the message, and how bad it is unless it is information."""

    def format(self, record):
        """Returns the record in words."""
        text = super().format(record)
        if record.levelno <= python_logging.INFO:
            return text
        return f"{record.levelname.lower()}: {text}"


def set_up() -> None:
    """Lets absl write such lines to standard error, from INFO on."""
    logging.set_verbosity(logging.INFO)
    handler = logging.get_absl_handler()
    handler.setFormatter(Formatter())
    handler.python_handler.setStream(sys.stderr)
