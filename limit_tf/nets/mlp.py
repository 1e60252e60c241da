"""A multilayer perceptron."""

import numbers
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from limit_tf.nets import layers


def mlp(
    num_classes: int,
    input_shape: Sequence[int],
    *,
    hidden_units: int = 512,
    num_hidden_layers: int = 4,
    dropout_rate: float = 0.0,
    variant: str = "classifier",
    pixel_scaling: Mapping[str, Any] | None = None,
    initializer: str = "uniform_fan_in",
    batch_norm_momentum: float = 0.9,
    batch_norm_epsilon: float = 1e-5,
    head_bias: bool = True,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds hidden layers of dense, batch normalisation, ReLU and dropout.

    Args:
        num_classes: Number of classes, at least 2.
        input_shape: Shape of one example, which is flattened.
        hidden_units: Units of each hidden layer.
        num_hidden_layers: Number of hidden layers, at least 1.
        dropout_rate: Share of the activations dropped after each hidden layer,
            in `[0, 1)`; 0 leaves the dropout layers out.
        variant: `"classifier"` or `"gradient_predictor"`; here both are the
            same network.
        pixel_scaling: See `layers.network_input`.
        initializer: See `layers.LayerFactory`.
        batch_norm_momentum: Weight of the past in the moving statistics.
        batch_norm_epsilon: Added to the variance.
        head_bias: Whether the last dense layer has a bias.
        seed: Seed of the initial weights and of dropout.
        name: Name of the model; by default `"mlp_"` and the variant.

    Returns:
        Model from examples `(batch, *input_shape)` to logits
        `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is outside its range.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)
    """
    layers.check_arguments(num_classes, input_shape, variant)
    if not isinstance(hidden_units, numbers.Integral) or hidden_units < 1:
        raise ValueError(
            "`hidden_units` must be a positive integer. "
            f"Received: hidden_units={hidden_units!r}"
        )
    if (
        not isinstance(num_hidden_layers, numbers.Integral)
        or num_hidden_layers < 1
    ):
        raise ValueError(
            "`num_hidden_layers` must be a positive integer. "
            f"Received: num_hidden_layers={num_hidden_layers!r}"
        )
    if not 0.0 <= dropout_rate < 1.0:
        raise ValueError(
            "`dropout_rate` must lie in [0, 1). "
            f"Received: dropout_rate={dropout_rate}"
        )
    factory = layers.LayerFactory(
        initializer, batch_norm_momentum, batch_norm_epsilon, seed
    )
    inputs, x = layers.network_input(input_shape, pixel_scaling)
    x = keras.layers.Flatten()(x)
    for _ in range(num_hidden_layers):
        x = factory.dense(x, hidden_units)
        x = factory.batch_norm(x)
        x = keras.layers.ReLU()(x)
        if dropout_rate:
            x = factory.dropout(x, dropout_rate)
    logits = factory.dense(x, num_classes, use_bias=head_bias)
    return keras.Model(inputs, logits, name=name or f"mlp_{variant}")
