"""Keras's backend, which must be TensorFlow, checked before Keras is there."""

import json
import os
import pathlib
import sys

BACKEND = "tensorflow"


def check() -> None:
    """Refuses another backend than TensorFlow.

    Raises:
        ImportError: If Keras has, or would have, another backend.
    """
    name, place = _configured()
    if name != BACKEND:
        raise ImportError(
            "limit_tf needs Keras's backend `tensorflow`: set "
            f"KERAS_BACKEND=tensorflow. Received: {name!r} in {place}"
        )


def _configured():
    """The backend's name and where it stands, as Keras looks for it."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "config"):
        return keras.config.backend(), "the imported Keras"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "KERAS_BACKEND"
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    file = pathlib.Path(home, "keras.json")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        return settings.get("backend", BACKEND), str(file)
    except (OSError, ValueError, AttributeError):
        return BACKEND, str(file)  # Keras takes its default then, too.
