"""Training on noisy labels with TensorFlow: LIMIT and its neighbours."""

from limit_tf import command_environment

command_environment.set_up_for_commands()

from limit_tf import augmentation  # noqa: E402
from limit_tf import data  # noqa: E402
from limit_tf import distributions  # noqa: E402
from limit_tf import label_issues  # noqa: E402
from limit_tf import losses  # noqa: E402
from limit_tf import models  # noqa: E402
from limit_tf import nets  # noqa: E402
from limit_tf import noise  # noqa: E402
from limit_tf import wrappers  # noqa: E402
from limit_tf.distributions import q_scale_from_lambda  # noqa: E402
from limit_tf.models import ClassifierModel  # noqa: E402
from limit_tf.models import ElrModel  # noqa: E402
from limit_tf.models import ElrPlusModel  # noqa: E402
from limit_tf.models import LimitModel  # noqa: E402
from limit_tf.models import NoisyGradientModel  # noqa: E402
from limit_tf.models import SoftRegularizationModel  # noqa: E402
from limit_tf.version import __version__  # noqa: E402

__all__ = [
    "ClassifierModel",
    "ElrModel",
    "ElrPlusModel",
    "LimitModel",
    "NoisyGradientModel",
    "SoftRegularizationModel",
    "__version__",
    "augmentation",
    "data",
    "distributions",
    "label_issues",
    "losses",
    "models",
    "nets",
    "noise",
    "q_scale_from_lambda",
    "wrappers",
]
