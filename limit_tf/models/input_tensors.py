"""Symbolic tensors like the inputs that a model is given."""

import keras
import numpy as np
import tensorflow as tf


def symbolic_tensors(inputs):
    """Describes inputs as Keras hands them to a model.

    Keras turns floats in arrays into its default float type, a pandas Series
    into a column and arrays of texts into strings.

    Args:
        inputs: Structure of arrays, pandas objects, tensors, symbolic tensors
            or their specifications, with a batch dimension.

    Returns:
        The same structure of `keras.KerasTensor`, with a free batch dimension.

    Raises:
        ValueError: If there is something else than arrays.
    """
    return keras.tree.map_structure(_symbolic_tensor, inputs)


def _symbolic_tensor(values):
    if isinstance(values, (tf.Tensor, tf.TypeSpec, keras.KerasTensor)):
        shape, dtype = values.shape, values.dtype
    else:
        shape, dtype = _array_form(values)
    dtype = keras.backend.standardize_dtype(dtype)
    return keras.KerasTensor((None, *shape[1:]), dtype)


def _array_form(values):
    """Shape and type of an array, as Keras's adapter of arrays changes them."""
    if hasattr(values, "to_numpy"):  # pandas: a row tells as much as all
        first = values.iloc[:1].to_numpy()
        values = first if first.ndim > 1 else first[:, None]
    elif not hasattr(values, "__array__"):
        raise ValueError(
            "`x` must hold arrays, tensors or pandas objects, or be a stream "
            f"of them. Received: {type(values).__name__}"
        )
    kind = np.dtype(values.dtype).kind
    if kind == "f":
        return values.shape, keras.config.floatx()
    return values.shape, "string" if kind in "OSU" else values.dtype
