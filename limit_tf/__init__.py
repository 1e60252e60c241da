"""Training on noisy labels with TensorFlow: LIMIT and its neighbours."""

import importlib

from limit_tf import command_environment
from limit_tf import keras_backend
from limit_tf.version import __version__

_ROOMS = (
    "augmentation",
    "data",
    "distributions",
    "label_issues",
    "losses",
    "models",
    "nets",
    "noise",
    "wrappers",
)
# Names that are re-exported, by the room that has them.
_NAMES = {
    "ClassifierModel": "models",
    "ElrModel": "models",
    "ElrPlusModel": "models",
    "LimitModel": "models",
    "NoisyGradientModel": "models",
    "SoftRegularizationModel": "models",
    "q_scale_from_lambda": "distributions",
}
__all__ = ["__version__", *_ROOMS, *_NAMES]


def __getattr__(name):
    """Imports what a command has not imported yet."""
    if name in _ROOMS:
        return importlib.import_module(f"limit_tf.{name}")
    if name in _NAMES:
        room = importlib.import_module(f"limit_tf.{_NAMES[name]}")
        return getattr(room, name)
    raise AttributeError(f"module 'limit_tf' has no attribute {name!r}")


def __dir__():
    """Names the public ones before they are imported, too."""
    return sorted({*globals(), *__all__})


# A command answers a wrong flag before TensorFlow is there. Any other program
# gets all of it at once: Keras finds classes that are imported alone.
if command_environment.set_up_for_commands():
    command_environment.end_at_once_when_interrupted()
else:
    keras_backend.check()
    from limit_tf import augmentation  # noqa: F401
    from limit_tf import data  # noqa: F401
    from limit_tf import distributions  # noqa: F401
    from limit_tf import label_issues  # noqa: F401
    from limit_tf import losses  # noqa: F401
    from limit_tf import models  # noqa: F401
    from limit_tf import nets  # noqa: F401
    from limit_tf import noise  # noqa: F401
    from limit_tf import wrappers  # noqa: F401

    globals().update({name: __getattr__(name) for name in _NAMES})
