"""Checks of the arguments of `LimitHyperModel`."""

import inspect
from collections.abc import Sequence

import keras

from limit_tf import distributions
from limit_tf.tuning.builders import Builder


def check_families(q_dists: Sequence[str]) -> None:
    """Refuses names of no family, and no names."""
    if not q_dists:
        raise ValueError("`q_dists` must name a family. Received: none")
    for name in q_dists:
        if name not in distributions.DISTRIBUTIONS:
            raise ValueError(
                "`q_dists` must be names of "
                f"{sorted(distributions.DISTRIBUTIONS)}. Received: {name!r}"
            )


def check_steps(warmup_steps: Sequence[int]) -> None:
    """Refuses what are no numbers of steps."""
    if not warmup_steps or any(
        not isinstance(steps, int) or steps < 0 for steps in warmup_steps
    ):
        raise ValueError(
            "`warmup_steps` must be whole numbers >= 0. Received: "
            f"warmup_steps={warmup_steps}"
        )


def check_widths(
    build_gradient_predictor: Builder | None, start_from: keras.Model | None
) -> None:
    """Refuses what a search of the predictor's width cannot use.

    Args:
        build_gradient_predictor: Builder that must take a width.
        start_from: Network to start from, which must not be given.

    Raises:
        TypeError: If the builder does not take a width.
        ValueError: If there is no builder, or a network to start from.
    """
    if build_gradient_predictor is None:
        raise ValueError(
            "`build_gradient_predictor` must be given with predictor_widths. "
            "Received: build_gradient_predictor=None"
        )
    try:
        inspect.signature(build_gradient_predictor).bind(2, width=1.0)
    except TypeError as error:
        raise TypeError(
            "`build_gradient_predictor` must take the number of classes and "
            f"width=... with predictor_widths. Received: {error}"
        ) from error
    if start_from is not None:
        raise ValueError(
            "`start_from` must be left out with predictor_widths: its weights "
            "fit one width. Received: both"
        )
