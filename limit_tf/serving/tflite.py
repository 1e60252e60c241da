"""A SavedModel as a TFLite model."""

import pathlib
import warnings
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from limit_tf.serving import signatures

# A reason goes on for pages.
_MAX_REASON = 100


def converted(saved_model: pathlib.Path, precision: str) -> bytes:
    """Converts the signature `serving_default`.

    Args:
        saved_model: Folder of the SavedModel.
        precision: `"float16"` keeps weights in half precision; the computation
            is in float32.

    Returns:
        Content of a `.tflite` file, which needs TFLite's built-in operations
        alone.

    Raises:
        ValueError: If an operation is not among them.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[signatures.DEFAULT]
    )
    if precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # The converter's own, RuntimeError and others.
        reason = (str(error).splitlines() or [""])[0][:_MAX_REASON]
        raise ValueError(
            "`format` must be saved_model for a network that TFLite cannot "
            f"run. Received: format=tflite ({type(error).__name__}: {reason})"
        ) from error


def answers(content: bytes, images: np.ndarray) -> Mapping[str, np.ndarray]:
    """Runs a converted model.

    Args:
        content: Content of the `.tflite` file.
        images: Inputs `(n, ...)`, float32.

    Returns:
        The answers by the names of the signature's outputs.
    """
    with warnings.catch_warnings():
        # It is to move into a package of its own.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter", UserWarning)
        interpreter = tf.lite.Interpreter(model_content=content)
    runner = interpreter.get_signature_runner(signatures.DEFAULT)
    return runner(images=images)
