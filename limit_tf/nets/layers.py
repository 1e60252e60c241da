"""What the networks share: input, pixel scaling, initialised layers."""

import math
import numbers
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from limit_tf.nets.full_image_conv import FullImageConv2D
from limit_tf.nets.fused_batch_norm import FusedBatchNormalization

VARIANTS = ("classifier", "gradient_predictor")
INITIALIZERS = ("uniform_fan_in", "keras")


def check_arguments(
    num_classes: int,
    input_shape: Sequence[int],
    variant: str,
    *,
    image_size: int | None = None,
) -> None:
    """Refuses what no network can be built from.

    Args:
        num_classes: Number of classes, at least 2.
        input_shape: Shape of one example.
        variant: One of `VARIANTS`.
        image_size: Least height and width of an image; `None` allows examples
            of any shape.

    Raises:
        ValueError: If an argument is outside its range.
    """
    if not isinstance(num_classes, numbers.Integral) or num_classes < 2:
        raise ValueError(
            "`num_classes` must be an integer of at least 2. "
            f"Received: num_classes={num_classes!r}"
        )
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {VARIANTS}. "
            f"Received: variant={variant!r}"
        )
    shape = tuple(input_shape) if np.iterable(input_shape) else ()
    if not shape or not all(
        isinstance(size, numbers.Integral) and size > 0 for size in shape
    ):
        raise ValueError(
            "`input_shape` must be a sequence of positive integers. "
            f"Received: input_shape={input_shape!r}"
        )
    if image_size and (len(shape) != 3 or min(shape[:2]) < image_size):
        raise ValueError(
            "`input_shape` must be (height, width, channels) with height and "
            f"width of at least {image_size}. "
            f"Received: input_shape={input_shape!r}"
        )


def network_input(
    input_shape: Sequence[int],
    pixel_scaling: Mapping[str, Any] | None = None,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Makes the input of a network and scales its pixels.

    Args:
        input_shape: Shape of one example, channels last.
        pixel_scaling: `None` for float inputs that are scaled already.
            Otherwise `pixel_max`, `mean` and `std`, each one number or one per
            channel: the network computes `(x / pixel_max - mean) / std`. The
            input is then of type `dtype`, by default `"uint8"`.

    Returns:
        The input, and the tensor that the first layer reads.

    Raises:
        ValueError: If `pixel_scaling` lacks a value or holds a wrong one.
    """
    if pixel_scaling is None:
        inputs = keras.Input(input_shape)
        return inputs, inputs
    scale, offset = _scale_and_offset(pixel_scaling, input_shape[-1])
    inputs = keras.Input(input_shape, dtype=pixel_scaling.get("dtype", "uint8"))
    return inputs, keras.layers.Rescaling(scale, offset)(inputs)


def _scale_and_offset(
    pixel_scaling: Mapping[str, Any], num_channels: int
) -> tuple[list[float], list[float]]:
    refusal = (
        "`pixel_scaling` must hold a positive `pixel_max`, a `mean` and a "
        "positive `std`, each one number or one for each of the "
        f"{num_channels} channels. Received: pixel_scaling={pixel_scaling}"
    )
    try:
        pixel_max, mean, std = (
            np.broadcast_to(np.asarray(pixel_scaling[key], float), num_channels)
            for key in ("pixel_max", "mean", "std")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(refusal) from error
    if not (np.all(pixel_max > 0) and np.all(std > 0)):
        raise ValueError(refusal)
    return (1.0 / (pixel_max * std)).tolist(), (-mean / std).tolist()


def _same_padding_is(padding, shape, kernel_size, strides):
    """Whether `padding="same"` adds `padding` zeros on all four sides."""
    for size in shape[1:3]:
        num_outputs = -(-size // strides)
        if (num_outputs - 1) * strides + kernel_size - size != 2 * padding:
            return False
    return padding > 0


class LayerFactory:
    """Adds layers with common options, each with its own seed.

    Args:
        initializer: `"uniform_fan_in"` draws weights and biases from
            `U(-b, b)` with `b = 1 / sqrt(fan_in)`, PyTorch's default; `"keras"`
            takes Glorot-uniform weights and zero biases.
        batch_norm_momentum: Weight of the past in the moving statistics of
            batch normalisation, in `[0, 1)`.
        batch_norm_epsilon: Added to the variance in batch normalisation,
            positive.
        seed: Non-negative integer from which every layer's seed is drawn;
            `None` leaves the seeds to Keras.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> factory = LayerFactory(seed=0)
        >>> inputs = keras.Input((4,))
        >>> outputs = factory.dense(inputs, 3)
    """

    def __init__(
        self,
        initializer: str = "uniform_fan_in",
        batch_norm_momentum: float = 0.9,
        batch_norm_epsilon: float = 1e-5,
        seed: int | None = None,
    ) -> None:
        if initializer not in INITIALIZERS:
            raise ValueError(
                f"`initializer` must be one of {INITIALIZERS}. "
                f"Received: initializer={initializer!r}"
            )
        if not 0.0 <= batch_norm_momentum < 1.0:
            raise ValueError(
                "`batch_norm_momentum` must lie in [0, 1). "
                f"Received: batch_norm_momentum={batch_norm_momentum}"
            )
        if not batch_norm_epsilon > 0.0:
            raise ValueError(
                "`batch_norm_epsilon` must be positive. "
                f"Received: batch_norm_epsilon={batch_norm_epsilon}"
            )
        if seed is not None and (
            not isinstance(seed, numbers.Integral) or seed < 0
        ):
            raise ValueError(
                "`seed` must be a non-negative integer or None. "
                f"Received: seed={seed!r}"
            )
        self._initializer = initializer
        self._momentum = batch_norm_momentum
        self._epsilon = batch_norm_epsilon
        self._rng = None if seed is None else np.random.default_rng(seed)

    def conv(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: int = 0,
        use_bias: bool = True,
    ) -> keras.KerasTensor:
        """Adds a convolution with `padding` zeros on all four sides."""
        is_same = _same_padding_is(padding, x.shape, kernel_size, strides)
        if padding and not is_same:
            x = keras.layers.ZeroPadding2D(padding)(x)
        covers_image = set(x.shape[1:3]) == {kernel_size} and not is_same
        layer = FullImageConv2D if covers_image else keras.layers.Conv2D
        return layer(
            filters,
            kernel_size,
            strides=strides,
            padding="same" if is_same else "valid",
            use_bias=use_bias,
            **self._initializers(kernel_size**2 * x.shape[-1], use_bias),
        )(x)

    def dense(
        self, x: keras.KerasTensor, units: int, *, use_bias: bool = True
    ) -> keras.KerasTensor:
        """Adds a dense layer without activation."""
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            **self._initializers(x.shape[-1], use_bias),
        )(x)

    def batch_norm(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Adds batch normalisation."""
        return FusedBatchNormalization(
            momentum=self._momentum, epsilon=self._epsilon
        )(x)

    def dropout(self, x: keras.KerasTensor, rate: float) -> keras.KerasTensor:
        """Adds dropout."""
        return keras.layers.Dropout(rate, seed=self._seed())(x)

    def copy(self, layer: keras.Layer) -> keras.Layer:
        """Copies a built layer, its initialisers and options replaced."""
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            fan_in = math.prod(layer.kernel.shape[:-1])
            config |= self._initializers(fan_in, layer.use_bias)
        elif isinstance(layer, keras.layers.BatchNormalization):
            config |= dict(momentum=self._momentum, epsilon=self._epsilon)
        return type(layer).from_config(config)

    def _initializers(self, fan_in: int, use_bias: bool) -> dict[str, Any]:
        if self._initializer == "keras":
            return dict(
                kernel_initializer=keras.initializers.GlorotUniform(
                    self._seed()
                )
            )
        bound = 1.0 / math.sqrt(fan_in)
        names = ("kernel_initializer", "bias_initializer")[: 1 + bool(use_bias)]
        return {
            name: keras.initializers.RandomUniform(-bound, bound, self._seed())
            for name in names
        }

    def _seed(self) -> int | None:
        return None if self._rng is None else int(self._rng.integers(2**31))
