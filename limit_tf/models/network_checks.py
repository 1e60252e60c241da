"""Checks of a classifier and its gradient predictor before any training."""

import keras
import numpy as np
import tensorflow as tf

from limit_tf.models import network_layers

_NOT_LOGITS = ("softmax", "log_softmax", "sigmoid", "hard_sigmoid")
# Functions of keras.ops, as Keras calls their nodes.
_OPERATIONS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
}


def check_network(network: keras.Model, argument: str) -> None:
    """Refuses what is not a model, or whose visible output is no logits.

    Args:
        network: Classifier or gradient predictor.
        argument: Its name in error messages.

    Raises:
        TypeError: If it is not a Keras model.
        ValueError: If it has no layers, the output is known and not of rank 2,
            or the last layer is known and applies a softmax or sigmoid.
    """
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{argument}` must be a keras.Model. Received: {_kind_of(network)}"
        )
    if isinstance(network, keras.Sequential) and not network.layers:
        raise ValueError(
            f"`{argument}` must have layers. Received: an empty Sequential "
            f"{network.name!r}"
        )
    outputs = symbolic_outputs(network)
    if outputs is not None:
        check_logits(network, symbolic_inputs(network), outputs, argument)
    check_end(network, argument)


def check_end(network: keras.Model, argument: str) -> None:
    """Refuses a network whose last visible layer gives probabilities.

    Args:
        network: Classifier or gradient predictor.
        argument: Its name in error messages.

    Raises:
        ValueError: If the last layer is known and applies a softmax or
            sigmoid.
    """
    activation = _final_activation(network)
    if activation is not None:
        layer, name = activation
        raise ValueError(
            f"`{argument}` must end in logits: remove the {name} activation "
            f"of its last layer {layer.name!r} (the training step applies "
            f"softmax itself). Received: {argument}={network.name!r}"
        )


def check_agreement(
    classifier: keras.Model, other: keras.Model, argument: str
) -> None:
    """Refuses two networks with different known inputs or classes.

    Args:
        classifier: Network that ends in `num_classes` logits.
        other: Gradient predictor, or second classifier.
        argument: The other's name in error messages.

    Raises:
        ValueError: If input or output shapes are known and disagree.
    """
    ours, theirs = symbolic_outputs(classifier), symbolic_outputs(other)
    if ours is None or theirs is None:
        return
    if ours.shape[-1] != theirs.shape[-1]:
        raise ValueError(
            f"`classifier` and `{argument}` must have the same number of "
            f"classes. Received: {ours.shape[-1]} and {theirs.shape[-1]}"
        )
    shapes = [_input_shapes(network) for network in (classifier, other)]
    if len(shapes[0]) != len(shapes[1]) or not all(
        tf.TensorShape(a).is_compatible_with(b)
        for a, b in zip(*shapes, strict=True)
    ):
        raise ValueError(
            f"`classifier` and `{argument}` must take the same inputs. "
            f"Received: input shapes {shapes[0]} and {shapes[1]}"
        )


def check_separate(
    classifier: keras.Model, other: keras.Model, argument: str
) -> None:
    """Refuses two networks that have a weight in common that training changes.

    Labels would reach LIMIT's classifier through it, and two networks that
    are to differ would not. Frozen layers may be shared.

    Args:
        classifier: Network that ends in `num_classes` logits.
        other: Gradient predictor, or second classifier.
        argument: The other's name in error messages.

    Raises:
        ValueError: If such a weight belongs to both.
    """
    trained = {
        id(weight)
        for network in (classifier, other)
        for weight in network_layers.trained_weights(network)
    }
    owned = {id(weight) for weight in classifier.weights}
    shared = [w for w in other.weights if id(w) in owned & trained]
    if shared:
        layer = network_layers.layer_of(other, shared[0])
        raise ValueError(
            f"`classifier` and `{argument}` must have no weight in common "
            "unless nothing trains it: freeze the layer by trainable=False, or "
            f"give each network its own. Received: {len(shared)} shared "
            f"weights, the first {shared[0].path!r} of layer {layer.name!r}"
        )


def check_logits(network: keras.Model, inputs, logits, argument: str) -> None:
    """Refuses a network whose output is not `(batch, num_classes)`.

    The symbolic output of a Keras layer may have another rank than the real
    one (`TextVectorization` of a column of texts): the real one decides.

    Args:
        network: Built network.
        inputs: Structure of symbolic inputs.
        logits: Its symbolic output.
        argument: The network's name in error messages.

    Raises:
        ValueError: See `check_logits_shape`.
    """
    if isinstance(logits, keras.KerasTensor) and len(logits.shape) != 2:
        logits = network(
            keras.tree.map_structure(_random_values, inputs), training=False
        )
    check_logits_shape(logits, argument)


def check_logits_shape(logits, argument: str) -> None:
    """Refuses an output that is not `(batch, num_classes)`.

    Args:
        logits: Symbolic or real output of a network.
        argument: The network's name in error messages.

    Raises:
        ValueError: If it is not one tensor of rank 2 with at least two known
            classes.
    """
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or not (shape[-1] or 0) >= 2:
        received = keras.tree.map_structure(
            lambda t: tuple(getattr(t, "shape", ())), logits
        )
        raise ValueError(
            f"`{argument}` must end in logits of shape (batch, num_classes), "
            f"num_classes at least 2. Received: output shape {received}"
        )


def check_probabilities(network: keras.Model, inputs, argument: str) -> None:
    """Refuses a network whose outputs are probabilities already.

    The last layer of a subclassed model is not visible, so its answer is
    looked at.

    Args:
        network: Built classifier or gradient predictor.
        inputs: Structure of symbolic inputs; random values are made of it.
        argument: The network's name in error messages.

    Raises:
        ValueError: If all rows of the output are distributions, or all its
            entries lie inside `(0, 1)`.
    """
    outputs = network(
        keras.tree.map_structure(_random_values, inputs), training=False
    )
    outputs = keras.ops.convert_to_numpy(tf.cast(outputs, tf.float32))
    inside = np.all((outputs >= 0.0) & (outputs <= 1.0))
    sums_to_one = np.allclose(outputs.sum(-1), 1.0, atol=1e-2)
    if inside and (sums_to_one or np.all((outputs > 0.0) & (outputs < 1.0))):
        raise ValueError(
            f"`{argument}` must end in logits: remove the softmax or sigmoid "
            "that it applies to its output (the training step applies softmax "
            f"itself). Received: {argument}={network.name!r}, whose outputs "
            f"lie in [{outputs.min():.3g}, {outputs.max():.3g}]"
        )


def symbolic_outputs(network: keras.Model):
    """Symbolic output of a built functional or Sequential model, or None.

    Args:
        network: Any model.

    Returns:
        One symbolic tensor, a list of several, or None where the structure
        is not visible or not known yet.
    """
    try:
        outputs = network.outputs
    except AttributeError:
        return None
    if isinstance(
        getattr(network, "_outputs_struct", None), (dict, list, tuple)
    ):
        return network._outputs_struct
    return outputs[0] if outputs and len(outputs) == 1 else outputs


def symbolic_inputs(network: keras.Model):
    """Symbolic inputs of a built functional or Sequential model.

    Args:
        network: Such a model.

    Returns:
        The structure that the model is called with: a tensor, or a list or
        dictionary of them.
    """
    if isinstance(network, keras.Sequential):
        return network.inputs[0]
    return network.input


def _input_shapes(network):
    return [tuple(tensor.shape) for tensor in network.inputs]


def _final_activation(network):
    """Last visible layer and its name where it yields probabilities."""
    outputs = symbolic_outputs(network)
    if hasattr(outputs, "_keras_history"):
        layer = _last_operation(outputs)
    elif outputs is None and isinstance(network, keras.Sequential):
        layers = [x for x in network.layers if not _passes_on(x)]
        layer = layers[-1] if layers else None
    else:
        return None
    if isinstance(layer, keras.Model):
        return _final_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return layer, "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    if not isinstance(layer, keras.Layer):
        name = _OPERATIONS.get(type(layer).__name__)
    return (layer, name) if name in _NOT_LOGITS else None


def _last_operation(tensor):
    """The operation that made a symbolic tensor what it is."""
    history = tensor._keras_history
    operation = history.operation
    if not _passes_on(operation):
        return operation
    node = operation._inbound_nodes[history.node_index]
    return _last_operation(node.input_tensors[0])


def _passes_on(layer):
    """Whether a layer leaves probabilities what they are."""
    if isinstance(layer, keras.layers.Activation):
        return layer.activation is keras.activations.linear
    return isinstance(layer, (keras.layers.Dropout, keras.layers.Identity))


def _kind_of(value):
    """What somebody gave instead of a model, by its type."""
    if isinstance(value, type):
        return f"the class {value.__name__} itself: call it to make a model"
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if any(c.__module__.split(".")[0] == "tf_keras" for c in kind.__mro__):
        return (
            f"a {name}, which is a tf_keras model of Keras 2: build it with "
            "Keras 3, by import keras"
        )
    return f"a value of type {name}"


def _random_values(spec):
    shape = [8 if size is None else size for size in spec.shape]
    rng = np.random.default_rng(0)
    if keras.backend.is_float_dtype(spec.dtype):
        return tf.cast(rng.standard_normal(shape), spec.dtype)
    if spec.dtype == "uint8":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return tf.zeros(shape, spec.dtype)
