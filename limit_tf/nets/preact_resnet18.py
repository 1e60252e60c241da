"""An 18-layer residual network with pre-activation, as in ELR+."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from limit_tf.nets import layers


def preact_resnet18(
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
    """Builds the pre-activation ResNet-18 of ELR+'s CIFAR experiments.

    It follows the authors' code where that differs from He et al.: the stem
    ends in batch normalisation and ReLU, every shortcut, an identity too,
    starts after its block's first ReLU, and nothing stands between the last
    block and the average pooling.

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
        name: Name of the model; by default `"preact_resnet18_"` and the
            variant.

    Returns:
        Model from images `(batch, height, width, channels)` to logits
        `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is outside its range.

    References:
        - [He et al., 2016](https://arxiv.org/abs/1603.05027)
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)
    """
    layers.check_arguments(num_classes, input_shape, variant, image_size=1)
    factory = layers.LayerFactory(
        initializer, batch_norm_momentum, batch_norm_epsilon, seed
    )
    inputs, x = layers.network_input(input_shape, pixel_scaling)
    x = factory.conv(x, 64, 3, padding=1, use_bias=False)
    x = _norm_relu(factory, x)
    for filters in (64, 128, 256, 512):
        x = _block(factory, x, filters, strides=1 if filters == 64 else 2)
        x = _block(factory, x, filters)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logits = factory.dense(x, num_classes, use_bias=head_bias)
    return keras.Model(
        inputs, logits, name=name or f"preact_resnet18_{variant}"
    )


def _block(factory, x, filters, strides=1):
    x = shortcut = _norm_relu(factory, x)
    if strides > 1 or x.shape[-1] != filters:
        shortcut = factory.conv(x, filters, 1, strides=strides, use_bias=False)
    x = factory.conv(x, filters, 3, strides=strides, padding=1, use_bias=False)
    x = _norm_relu(factory, x)
    x = factory.conv(x, filters, 3, padding=1, use_bias=False)
    return keras.layers.Add()([x, shortcut])


def _norm_relu(factory, x):
    return keras.layers.ReLU()(factory.batch_norm(x))
