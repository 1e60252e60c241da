"""A small convolutional network for small images, such as digits of 8x8."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from limit_tf.nets import layers


def digits_cnn(
    num_classes: int,
    input_shape: Sequence[int],
    *,
    variant: str = "classifier",
    pixel_scaling: Mapping[str, Any] | None = None,
    initializer: str = "uniform_fan_in",
    batch_norm_momentum: float = 0.9,
    batch_norm_epsilon: float = 1e-5,
    head_bias: bool = True,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds two 3x3 convolutions with batch normalisation, two dense layers.

    Args:
        num_classes: Number of classes, at least 2.
        input_shape: `(height, width, channels)`, height and width at least 1.
        variant: `"classifier"`, or `"gradient_predictor"` with one more batch
            normalisation, after the first dense layer, as in `mnist_cnn`.
        pixel_scaling: See `layers.network_input`.
        initializer: See `layers.LayerFactory`.
        batch_norm_momentum: Weight of the past in the moving statistics.
        batch_norm_epsilon: Added to the variance.
        head_bias: Whether the last dense layer has a bias.
        seed: Seed of the initial weights.
        name: Name of the model; by default `"digits_cnn_"` and the variant.

    Returns:
        Model from images `(batch, height, width, channels)` to logits
        `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is outside its range.
    """
    layers.check_arguments(num_classes, input_shape, variant, image_size=1)
    factory = layers.LayerFactory(
        initializer, batch_norm_momentum, batch_norm_epsilon, seed
    )
    inputs, x = layers.network_input(input_shape, pixel_scaling)
    for filters in (32, 64):
        x = factory.conv(x, filters, 3, padding=1)
        x = factory.batch_norm(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    x = factory.dense(x, 128)
    if variant == "gradient_predictor":
        x = factory.batch_norm(x)
    x = keras.layers.ReLU()(x)
    logits = factory.dense(x, num_classes, use_bias=head_bias)
    return keras.Model(inputs, logits, name=name or f"digits_cnn_{variant}")
