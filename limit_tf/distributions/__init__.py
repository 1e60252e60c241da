"""The families that `q`, the distribution of the gradient, may have."""

from limit_tf.distributions.base import GradientDistribution
from limit_tf.distributions.cross_entropy import CrossEntropy
from limit_tf.distributions.gaussian import Gaussian
from limit_tf.distributions.laplace import Laplace

DISTRIBUTIONS = {
    "gaussian": Gaussian,
    "laplace": Laplace,
    "cross_entropy": CrossEntropy,
}

__all__ = [
    "CrossEntropy",
    "Gaussian",
    "GradientDistribution",
    "Laplace",
    "get",
    "q_scale_from_lambda",
]


def get(
    identifier: str | GradientDistribution, argument: str = "q_dist"
) -> GradientDistribution:
    """Returns the distribution of a name, or the instance itself.

    Args:
        identifier: `"gaussian"`, `"laplace"`, `"cross_entropy"`, or an
            instance of `GradientDistribution`.
        argument: Name of the identifier in the error message.

    Returns:
        A `GradientDistribution`.

    Raises:
        ValueError: If the identifier is none of these.
    """
    if isinstance(identifier, GradientDistribution):
        return identifier
    if isinstance(identifier, str) and identifier in DISTRIBUTIONS:
        return DISTRIBUTIONS[identifier]()
    raise ValueError(
        f"`{argument}` must be one of {sorted(DISTRIBUTIONS)} or an instance "
        f"of GradientDistribution. Received: {argument}={identifier!r}"
    )


def q_scale_from_lambda(
    q_dist: str | GradientDistribution, lambda_: float
) -> float:
    """Converts the paper's `lambda` to the standard deviation of `q`.

    In the paper, `lambda` weighs the matching loss and thereby sets how far a
    sampled gradient spreads (section 3.3): variance `1 / (2 lambda)` for the
    Gaussian, scale `1 / lambda`, that is standard deviation
    `sqrt(2) / lambda`, for the Laplace family.

    Args:
        q_dist: `"gaussian"`, `"laplace"`, or an instance of a family that can
            be sampled.
        lambda_: The paper's `lambda`, positive.

    Returns:
        The standard deviation to pass as `q_scale`.

    Raises:
        ValueError: If `lambda_` is not positive, or the family has no spread.

    Example:
    ```python
    import limit_tf

    limit_tf.q_scale_from_lambda("gaussian", 50)  # 0.1
    limit_tf.q_scale_from_lambda("laplace", 10)  # 0.1414...
    ```
    """
    if not lambda_ > 0.0:
        raise ValueError(
            f"`lambda_` must be positive. Received: lambda_={lambda_}"
        )
    return get(q_dist).scale_from_lambda(lambda_)
