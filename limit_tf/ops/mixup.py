"""Mixing of examples (Zhang et al., 2018, https://arxiv.org/abs/1710.09412)."""

import tensorflow as tf

_BISECTIONS = 24


def mixup_weight(alpha: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws `max(l, 1 - l)` with `l` from `Beta(alpha, alpha)`.

    The draw inverts the distribution function by bisection, since TensorFlow's
    gamma sampler, of which beta samplers are made, has no XLA kernel.

    Args:
        alpha: Both parameters of the beta distribution, positive.
        seed: Two integers, shape `(2,)`; the same seed draws the same.

    Returns:
        Scalar in `[1/2, 1]`, float32.
    """
    # TensorFlow makes other floats of the same random bits under XLA.
    bits = tf.bitwise.right_shift(_random_bits([], seed, tf.uint32), 8)
    uniform = tf.cast(bits, tf.float32) * 2.0**-24
    # By symmetry, the larger of `l` and `1 - l` is the quantile of the larger
    # half of the uniform draws.
    wanted = 0.5 + 0.5 * uniform
    parameter = tf.constant(alpha, tf.float32)

    def bisect(low, high):
        middle = 0.5 * (low + high)
        below = tf.math.betainc(parameter, parameter, middle) < wanted
        return [tf.where(below, middle, low), tf.where(below, high, middle)]

    # A loop of TensorFlow's, so that XLA compiles its body once.
    low, high = tf.while_loop(
        lambda low, high: tf.constant(True),
        bisect,
        [tf.constant(0.5), tf.constant(1.0)],
        maximum_iterations=_BISECTIONS,
    )
    return 0.5 * (low + high)


def random_order(size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws a permutation, by an operation that XLA has.

    Args:
        size: Number of positions, scalar.
        seed: Two integers, shape `(2,)`; the same seed draws the same.

    Returns:
        The positions in random order, int32, `(size,)`.
    """
    return tf.argsort(_random_bits([size], seed, tf.int32))


def _random_bits(shape, seed, dtype):
    """Integers of the dtype's full range, the same ones under XLA."""
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=dtype, alg="philox"
    )


def mix(values: tf.Tensor, weight: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Mixes every row with another one.

    Args:
        values: Tensor `(batch, ...)`. Integers are mixed as floats and
            rounded.
        weight: Weight of the row itself, scalar, float32.
        order: Position of each row's partner, integers `(batch,)`.

    Returns:
        `weight * values + (1 - weight) * values[order]`, same dtype.

    Raises:
        ValueError: If the values are strings.
    """
    values = tf.convert_to_tensor(values)
    if values.dtype == tf.string:
        raise ValueError(
            "`x` must hold numbers where examples are mixed: turn texts into "
            "numbers before the network. Received: dtype string"
        )
    floats = tf.cast(values, tf.float32)
    mixed = weight * floats + (1.0 - weight) * tf.gather(floats, order)
    if values.dtype.is_integer:
        mixed = tf.round(mixed)
    return tf.cast(mixed, values.dtype)
