"""The ranges and the grid of every method's own values.

A function declares them on the hyperparameters of a trial and returns them by
the dotted keys of the configuration. Ranges and grids span what the papers try:
LIMIT's for its own values, noise on gradients, DMI and soft regularisation (see
`configs/mnist.py`), ELR's for its weight and momentum; the exponent of
generalised cross-entropy goes from nearly cross-entropy to nearly the mean
absolute error. The configuration's own values are the defaults, and bounds are
widened where these lie outside.
"""

import math
from collections.abc import Callable

import keras_tuner
import ml_collections

from limit_tf.models.auto_penalty import AUTO
from limit_tf.tuning.trials import value_at

# Smaller penalties than the paper's smallest are none.
SMALLEST_PENALTY = 0.03
_LEAST_PENALTY, _MOST_PENALTY = 0.01, 100.0
_FIRST_PENALTY = 10.0
PENALTIES = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_SAMPLED = ("gaussian", "laplace")
_LEARNING_RATE = "training.learning_rate"


class Declared:
    """Hyperparameters named after values of a configuration.

    Args:
        hp: Hyperparameters to declare and to read.
        config: Configuration.
        steps_per_epoch: Number of training steps of an epoch.
    """

    def __init__(
        self,
        hp: keras_tuner.HyperParameters,
        config: ml_collections.ConfigDict,
        steps_per_epoch: int,
    ):
        self.hp = hp
        self.config = config
        self.steps_per_epoch = steps_per_epoch

    def own(self, key):
        """The configuration's own value."""
        return value_at(self.config, key)

    def ranged(self, key, low, high, sampling="log", own=None):
        """A number between two bounds; None where it is not active."""
        own = self.own(key) if own is None else own
        default = math.sqrt(low * high) if own is None else own or low
        value = self.hp.Float(
            key,
            float(min(low, default)),
            float(max(high, default)),
            sampling=sampling,
            default=float(default),
        )
        if value is None:
            return None
        if own is not None and math.isclose(value, own, rel_tol=1e-6):
            return float(own)  # a chief sends single precision
        return float(f"{value:.3g}")

    def one_of(self, key, values, default=None):
        """One of some values; None where it is not active."""
        default = self.own(key) if default is None else default
        if default not in values:
            values = (default, *values)
        chosen = self.hp.Choice(key, list(values), default=default)
        if isinstance(chosen, float):
            chosen = min(values, key=lambda value: abs(value - chosen))
        return chosen


def _learning_rate(declared):
    rate = declared.own(_LEARNING_RATE)
    return {_LEARNING_RATE: declared.ranged(_LEARNING_RATE, rate / 4, rate * 4)}


def _limit(declared):
    hp = declared.hp
    penalty = declared.ranged(
        "limit.gradient_penalty",
        _LEAST_PENALTY,
        _MOST_PENALTY,
        own=_first_penalty(declared),
    )
    values = {
        "limit.gradient_penalty": 0.0
        if penalty < SMALLEST_PENALTY
        else penalty,
        "limit.q_dist": declared.one_of(
            "limit.q_dist", ("laplace", "gaussian", "cross_entropy")
        ),
        "limit.sample_gradients": False,
        "limit.q_scale": None,
        "limit.warmup_steps": _warmup_steps(declared),
    }
    with hp.conditional_scope("limit.q_dist", list(_SAMPLED)):
        sampled = hp.Boolean(
            "limit.sample_gradients",
            default=declared.own("limit.sample_gradients"),
        )
        with hp.conditional_scope("limit.sample_gradients", [True]):
            scale = declared.ranged("limit.q_scale", 0.01, 0.3)
    if sampled:
        values |= {"limit.sample_gradients": True, "limit.q_scale": scale}
    return values | _start(declared) | _learning_rate(declared)


def _first_penalty(declared):
    """The configuration's own penalty, where it is a number."""
    own = declared.own("limit.gradient_penalty")
    return _FIRST_PENALTY if own == AUTO else own


def _warmup_steps(declared):
    """Steps of a number of epochs; the configuration's own among them."""
    own = declared.own("limit.warmup_steps")
    steps = sorted({0, own, *(n * declared.steps_per_epoch for n in (1, 5))})
    return declared.one_of("limit.warmup_steps", steps, default=own)


def _start(declared):
    """Whether the predictor starts from `config.init_from`, if it is given."""
    start = declared.own("init_from")
    if start is None:
        return {}
    return {
        "init_from": start
        if declared.hp.Boolean("init_from", default=True)
        else None
    }


def _gce(declared):
    values = {"gce.q": declared.ranged("gce.q", 0.05, 0.95, "linear")}
    return values | _learning_rate(declared)


def _sce(declared):
    values = {
        "sce.alpha": declared.ranged("sce.alpha", 0.01, 10.0),
        "sce.beta": declared.ranged("sce.beta", 0.1, 10.0),
    }
    return values | _learning_rate(declared)


def _elr(declared):
    values = {
        "elr.regularization": declared.ranged("elr.regularization", 1.0, 10.0),
        "elr.target_momentum": declared.ranged(
            "elr.target_momentum", 0.5, 0.99, "linear"
        ),
    }
    return values | _learning_rate(declared)


def _elr_plus(declared):
    return {
        "elr_plus.mixup_alpha": declared.ranged(
            "elr_plus.mixup_alpha", 0.1, 5.0
        )
    } | _elr(declared)


def _dmi(declared):
    return {
        "dmi.learning_rate": declared.ranged("dmi.learning_rate", 1e-6, 1e-3)
    }


def _noisy_gradients(declared):
    values = {
        "noisy_gradients.noise": declared.one_of(
            "noisy_gradients.noise", _SAMPLED
        ),
        "noisy_gradients.noise_std": declared.ranged(
            "noisy_gradients.noise_std", 0.01, 0.3
        ),
    }
    return values | _learning_rate(declared)


def _soft_regularization(declared):
    penalty = declared.ranged(
        "soft_regularization.gradient_penalty", 0.003, 10.0
    )
    values = {
        "soft_regularization.information_penalty": declared.ranged(
            "soft_regularization.information_penalty", 0.001, 0.1
        ),
        "soft_regularization.gradient_penalty": 0.0
        if penalty < 0.01
        else penalty,
    }
    return values | _learning_rate(declared)


def _grid(*axes: tuple[str, tuple]) -> Callable:
    """Declares the product of some values of each key."""

    def declare(declared):
        return {key: declared.one_of(key, values) for key, values in axes}

    return declare


def _limit_grid(declared):
    families = ("laplace", "gaussian", "cross_entropy")
    if declared.own("limit.sample_gradients"):
        families = _SAMPLED
    return {
        "limit.q_dist": declared.one_of("limit.q_dist", families),
        "limit.gradient_penalty": declared.one_of(
            "limit.gradient_penalty",
            PENALTIES,
            default=float(_first_penalty(declared)),
        ),
    }


def _learning_rate_grid(declared):
    rate = declared.own(_LEARNING_RATE)
    rates = tuple(
        float(f"{rate * factor:.3g}") for factor in (0.1, 0.3, 1.0, 3.0, 10.0)
    )
    return {_LEARNING_RATE: declared.one_of(_LEARNING_RATE, rates)}


SPACES: dict[str, Callable] = {
    "cross_entropy": _learning_rate,
    "noisy_gradients": _noisy_gradients,
    "mae": _learning_rate,
    "gce": _gce,
    "sce": _sce,
    "forward_correction": _learning_rate,
    "dmi": _dmi,
    "soft_regularization": _soft_regularization,
    "limit": _limit,
    "elr": _elr,
    "elr_plus": _elr_plus,
}
_ELR_GRID = (
    ("elr.regularization", (1.0, 3.0, 5.0, 7.0, 10.0)),
    ("elr.target_momentum", (0.5, 0.7, 0.9, 0.99)),
)
GRIDS: dict[str, Callable] = {
    "cross_entropy": _learning_rate_grid,
    "noisy_gradients": _grid(
        ("noisy_gradients.noise", _SAMPLED),
        ("noisy_gradients.noise_std", (0.01, 0.03, 0.1, 0.3)),
    ),
    "mae": _learning_rate_grid,
    "gce": _grid(("gce.q", (0.1, 0.3, 0.5, 0.7, 0.9))),
    "sce": _grid(
        ("sce.alpha", (0.01, 0.1, 1.0, 6.0)), ("sce.beta", (0.1, 1.0, 10.0))
    ),
    "forward_correction": _learning_rate_grid,
    "dmi": _grid(("dmi.learning_rate", (1e-6, 1e-5, 1e-4, 1e-3))),
    "soft_regularization": _grid(
        (
            "soft_regularization.information_penalty",
            (0.001, 0.01, 0.03, 0.1),
        ),
        (
            "soft_regularization.gradient_penalty",
            (0.0, 0.01, 0.1, 1.0, 10.0),
        ),
    ),
    "limit": _limit_grid,
    "elr": _grid(*_ELR_GRID),
    "elr_plus": _grid(*_ELR_GRID, ("elr_plus.mixup_alpha", (0.2, 1.0, 5.0))),
}
