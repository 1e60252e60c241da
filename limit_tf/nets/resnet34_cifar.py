"""A 34-layer residual network for images of CIFAR's size."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from limit_tf.nets import layers


def resnet34_cifar(
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
    """Builds the ResNet-34 of the LIMIT and ELR papers' CIFAR experiments.

    The stem is one 3x3 convolution without pooling, so that images of 32x32
    reach the last of the 16 blocks at 4x4.

    Args:
        num_classes: Number of classes, at least 2.
        input_shape: `(height, width, channels)`, height and width at least 1.
        variant: `"classifier"` or `"gradient_predictor"`; here both are the
            same network.
        pixel_scaling: See `layers.network_input`.
        initializer: See `layers.LayerFactory`.
        batch_norm_momentum: Weight of the past in the moving statistics.
        batch_norm_epsilon: Added to the variance.
        head_bias: Whether the last dense layer has a bias.
        seed: Seed of the initial weights.
        name: Name of the model; by default `"resnet34_cifar_"` and the
            variant.

    Returns:
        Model from images `(batch, height, width, channels)` to logits
        `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is outside its range.

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385)
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)
    """
    layers.check_arguments(num_classes, input_shape, variant, image_size=1)
    factory = layers.LayerFactory(
        initializer, batch_norm_momentum, batch_norm_epsilon, seed
    )
    inputs, x = layers.network_input(input_shape, pixel_scaling)
    x = _conv_norm(factory, x, 64, 3)
    x = keras.layers.ReLU()(x)
    for filters, num_blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(num_blocks):
            strides = 2 if filters > 64 and block == 0 else 1
            x = _basic_block(factory, x, filters, strides)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logits = factory.dense(x, num_classes, use_bias=head_bias)
    return keras.Model(inputs, logits, name=name or f"resnet34_cifar_{variant}")


def _basic_block(factory, x, filters, strides):
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _conv_norm(factory, x, filters, 1, strides)
    x = _conv_norm(factory, x, filters, 3, strides)
    x = keras.layers.ReLU()(x)
    x = _conv_norm(factory, x, filters, 3)
    x = keras.layers.Add()([x, shortcut])
    return keras.layers.ReLU()(x)


def _conv_norm(factory, x, filters, kernel_size, strides=1):
    x = factory.conv(
        x,
        filters,
        kernel_size,
        strides=strides,
        padding=kernel_size // 2,
        use_bias=False,
    )
    return factory.batch_norm(x)
