"""Builders of classifiers and gradient predictors that end in logits."""

import importlib
import re
from collections.abc import Callable

import keras

from limit_tf.nets.digits_cnn import digits_cnn
from limit_tf.nets.full_image_conv import FullImageConv2D
from limit_tf.nets.fused_batch_norm import FusedBatchNormalization
from limit_tf.nets.mlp import mlp
from limit_tf.nets.mnist_cnn import mnist_cnn
from limit_tf.nets.preact_resnet18 import preact_resnet18
from limit_tf.nets.resnet34_cifar import resnet34_cifar
from limit_tf.nets.resnet50 import resnet50

__all__ = [
    "NETS",
    "FullImageConv2D",
    "FusedBatchNormalization",
    "digits_cnn",
    "get",
    "mlp",
    "mnist_cnn",
    "preact_resnet18",
    "resnet34_cifar",
    "resnet50",
]

NETS: dict[str, Callable[..., keras.Model]] = {
    "digits_cnn": digits_cnn,
    "mlp": mlp,
    "mnist_cnn": mnist_cnn,
    "preact_resnet18": preact_resnet18,
    "resnet34_cifar": resnet34_cifar,
    "resnet50": resnet50,
}


def get(
    identifier: str | Callable[..., keras.Model],
) -> Callable[..., keras.Model]:
    """Returns the builder of a network.

    Args:
        identifier: A name in `NETS`, a builder, or `"module:function"` for a
            builder of one's own. A builder is called as
            `builder(num_classes, input_shape, variant=..., seed=..., ...)`.

    Returns:
        The builder.

    Raises:
        ValueError: If there is no such builder.

    Example:
        >>> model = get("mlp")(10, (28, 28, 1), seed=0)
        >>> model.output_shape
        (None, 10)
    """
    if callable(identifier):
        return identifier
    if isinstance(identifier, str):
        if identifier in NETS:
            return NETS[identifier]
        if re.fullmatch(r"\w+(\.\w+)*:\w+", identifier):
            return _import_builder(*identifier.split(":"))
    raise ValueError(
        f"`identifier` must be one of {sorted(NETS)}, a callable or "
        f"'module:function'. Received: identifier={identifier!r}"
    )


def _import_builder(
    module_name: str, function_name: str
) -> Callable[..., keras.Model]:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that is there but fails to import one of its own is not
        # the caller's misspelling.
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            "`identifier` must name a module that can be imported. "
            f"Received: identifier='{module_name}:{function_name}'"
        ) from error
    builder = getattr(module, function_name, None)
    if not callable(builder):
        raise ValueError(
            f"`identifier` must name a function of module {module_name!r}. "
            f"Received: identifier='{module_name}:{function_name}'"
        )
    return builder
