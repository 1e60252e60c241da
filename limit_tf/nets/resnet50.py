"""The ResNet-50 of Keras, with or without ImageNet weights."""

import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import h5py
import keras

from limit_tf.nets import layers

PREPROCESSING = ("scaling", "caffe")
_BGR_MEAN = (103.939, 116.779, 123.68)


def resnet50(
    num_classes: int,
    input_shape: Sequence[int],
    *,
    weights: str | os.PathLike | None = None,
    preprocessing: str = "scaling",
    variant: str = "classifier",
    pixel_scaling: Mapping[str, Any] | None = None,
    initializer: str = "uniform_fan_in",
    batch_norm_momentum: float = 0.9,
    batch_norm_epsilon: float = 1e-5,
    head_bias: bool = True,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds `keras.applications.ResNet50` with a dense layer of logits.

    In Keras's network, the first 1x1 convolution of a block has the strides
    and every convolution has a bias: 25,583,592 trainable parameters for 1000
    classes, 23,563,278 for 14. In torchvision's (v1.5), the 3x3 convolution
    has the strides and none has a bias: 25,557,032 and 23,536,718.

    Args:
        num_classes: Number of classes, at least 2.
        input_shape: `(height, width, channels)`, height and width at least 32.
        weights: A local file with the initial weights of all layers but the
            last: Keras's
            `resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5`, or a
            `.weights.h5` file that a network of this builder saved, for
            whatever number of classes.
        preprocessing: `"scaling"` scales as `pixel_scaling` says. `"caffe"` is
            what Keras's ImageNet weights expect: the inputs are uint8 RGB up
            to 255, and the network turns them to BGR and subtracts ImageNet's
            mean. `pixel_scaling` is not used then.
        variant: `"classifier"` or `"gradient_predictor"`; here both are the
            same network.
        pixel_scaling: See `layers.network_input`.
        initializer: See `layers.LayerFactory`.
        batch_norm_momentum: Weight of the past in the moving statistics;
            Keras's network has 0.99.
        batch_norm_epsilon: Added to the variance; Keras's network has 1.001e-5.
        head_bias: Whether the last dense layer has a bias.
        seed: Seed of the initial weights.
        name: Name of the model; by default `"resnet50_"` and the variant.

    Returns:
        Model from images `(batch, height, width, channels)` to logits
        `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is outside its range, or the file is missing
            or does not fit.

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385)
    """
    layers.check_arguments(num_classes, input_shape, variant, image_size=32)
    if weights is not None and not (
        isinstance(weights, (str, os.PathLike)) and os.path.isfile(weights)
    ):
        raise ValueError(
            "`weights` must be the path of a file that exists, or None. "
            f"Received: weights={weights!r}"
        )
    factory = layers.LayerFactory(
        initializer, batch_norm_momentum, batch_norm_epsilon, seed
    )
    inputs, x = _network_input(input_shape, preprocessing, pixel_scaling)
    # Keras offers no argument for what the factory sets in the copy.
    backbone = keras.models.clone_model(
        keras.applications.ResNet50(
            include_top=False, weights=None, input_tensor=x, pooling="avg"
        ),
        input_tensors=[inputs],
        clone_function=factory.copy,
    )
    if weights is not None:
        _load(backbone, weights)
    logits = factory.dense(backbone.output, num_classes, use_bias=head_bias)
    return keras.Model(inputs, logits, name=name or f"resnet50_{variant}")


def _network_input(input_shape, preprocessing, pixel_scaling):
    if preprocessing not in PREPROCESSING:
        raise ValueError(
            f"`preprocessing` must be one of {PREPROCESSING}. "
            f"Received: preprocessing={preprocessing!r}"
        )
    if preprocessing == "scaling":
        return layers.network_input(input_shape, pixel_scaling)
    if input_shape[-1] != 3:
        raise ValueError(
            "`preprocessing` must be 'scaling' for images without three "
            f"channels. Received: preprocessing={preprocessing!r}, "
            f"input_shape={input_shape!r}"
        )
    inputs = keras.Input(input_shape, dtype="uint8")
    x = keras.ops.flip(inputs, axis=-1)
    return inputs, keras.layers.Rescaling(1.0, [-m for m in _BGR_MEAN])(x)


def _load(backbone, weights):
    try:
        _refuse_early_keras(weights)
        backbone.load_weights(weights)
    except Exception as error:
        reason, *_ = str(error).split("\n")
        raise ValueError(
            "`weights` must be a file of weights that fit this network. "
            f"Received: weights={weights!r} ({type(error).__name__}: {reason})"
        ) from error


def _refuse_early_keras(weights):
    """Refuses the file that early versions of Keras have under the same name.

    It lists the layers in another order, in which shapes fit all the same.
    """
    with h5py.File(weights, "r") as file:
        if "res2a_branch1" in file:
            raise ValueError("layer res2a_branch1 is of an early Keras")
