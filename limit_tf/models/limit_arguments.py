"""Checks of the arguments of `LimitModel`."""

import numbers

from limit_tf.distributions import GradientDistribution
from limit_tf.models.auto_penalty import AUTO


def check_penalty(gradient_penalty: float | str) -> None:
    """Refuses a penalty outside its range.

    Args:
        gradient_penalty: Weight of the mean squared norm, or `"auto"`.

    Raises:
        ValueError: If it is neither `"auto"` nor a finite number >= 0.
    """
    if isinstance(gradient_penalty, str) and gradient_penalty == AUTO:
        return
    is_number = isinstance(gradient_penalty, numbers.Real)
    if not is_number or not 0.0 <= gradient_penalty < float("inf"):
        raise ValueError(
            "`gradient_penalty` must be a finite number >= 0, or 'auto'. "
            f"Received: gradient_penalty={gradient_penalty!r}"
        )


def check_warmup(warmup_steps: int) -> None:
    """Refuses a number of steps that is negative or not whole."""
    if int(warmup_steps) != warmup_steps or warmup_steps < 0:
        raise ValueError(
            "`warmup_steps` must be a whole number >= 0. Received: "
            f"warmup_steps={warmup_steps}"
        )


def check_sampling(
    q_dist: GradientDistribution,
    sample_gradients: bool,
    q_scale: float | None,
) -> None:
    """Refuses settings of the sampled gradient that do not fit together.

    Args:
        q_dist: Family of the gradient's distribution.
        sample_gradients: Whether gradients are drawn.
        q_scale: Standard deviation of the draw.

    Raises:
        ValueError: If the family cannot be sampled, or the scale is missing,
            without effect or outside its range.
    """
    if sample_gradients and not q_dist.can_sample:
        raise ValueError(
            "`sample_gradients` must be False for a `q_dist` that cannot be "
            f"sampled. Received: q_dist={type(q_dist).__name__}"
        )
    if sample_gradients and q_scale is None:
        raise ValueError(
            "`q_scale` must be given with sample_gradients=True: the standard "
            "deviation of the draw (q_scale_from_lambda converts the paper's "
            "lambda). Received: q_scale=None"
        )
    if q_scale is not None and not sample_gradients:
        raise ValueError(
            "`q_scale` must be None unless sample_gradients=True: it has no "
            f"effect otherwise. Received: q_scale={q_scale}"
        )
    if q_scale is not None and not 0.0 <= q_scale < float("inf"):
        raise ValueError(
            "`q_scale` must be a finite number >= 0. Received: "
            f"q_scale={q_scale}"
        )
