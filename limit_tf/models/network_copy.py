"""Copies of a network: what nothing trains is kept, the rest drawn anew."""

import contextlib

import keras
from absl import logging

from limit_tf.models import adapted_layers
from limit_tf.models import network_layers
from limit_tf.models.network_checks import symbolic_outputs

FRESH, COPY = "fresh", "copy"
_SEED_STEP = 1_000_003


def check_origin(origin: str, argument: str, network_is_given: bool) -> None:
    """Refuses a wrong choice of what a copy starts from.

    Args:
        origin: `"fresh"` or `"copy"`.
        argument: Its name in error messages.
        network_is_given: Whether there is a network, so that none is copied.

    Raises:
        ValueError: If it is neither, or nothing is copied.
    """
    if origin not in (FRESH, COPY):
        raise ValueError(
            f"`{argument}` must be 'fresh' or 'copy'. Received: "
            f"{argument}={origin!r}"
        )
    if origin == COPY and network_is_given:
        raise ValueError(
            f"`{argument}` must be left out where the network is given, which "
            f"is trained as it is. Received: {argument}={origin!r}"
        )


def network_copy(
    network: keras.Model,
    argument: str = "gradient_predictor",
    *,
    origin: str = FRESH,
    shift_seeds: bool = True,
) -> keras.Model:
    """Builds a network again, with weights and state of its own.

    What training does not change is equal in the copy: frozen layers,
    adapted ones, vocabularies. Trainable weights, and the statistics of batch
    normalisation that move beside them, are drawn anew or copied, too.

    Args:
        network: Sequential, functional or subclassed model.
        argument: What the copy is for, in messages.
        origin: `"fresh"` draws trainable weights anew, `"copy"` copies them.
        shift_seeds: Whether initialisers and dropout with an explicit seed get
            another one, so that the copy is independent.

    Returns:
        A model of the same class; no layer or weight is shared.

    Raises:
        ValueError: If the model cannot be rebuilt from its configuration.
    """
    change = _shifted if shift_seeds else dict
    with _refusing(
        network, f"`{argument}` must be given where the classifier cannot"
    ):
        copy = _rebuilt(network, change)
        kept = copy_state(network, copy, origin=origin)
    if kept or origin == COPY:
        _log(network, argument, kept, origin)
    return copy


def exact_copy(network: keras.Model, argument: str) -> keras.Model:
    """Builds a network again and copies all of its weights and state.

    Args:
        network: Built model.
        argument: Its name in the error message.

    Returns:
        A model of the same class; no layer or weight is shared.

    Raises:
        ValueError: If the model cannot be rebuilt from its configuration.
    """
    with _refusing(network, f"`{argument}` must be a model that can"):
        copy = _rebuilt(network, _shifted)
        copy_state(network, copy, origin=COPY)
    return copy


@contextlib.contextmanager
def _refusing(network, rule):
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{rule} be rebuilt from its get_config(). Received: "
            f"{network.name!r} of class {type(network).__name__} "
            f"({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error


def copy_state(
    source: keras.Model,
    target: keras.Model,
    *,
    origin: str = FRESH,
) -> int:
    """Gives a network what another one of its configuration holds.

    Args:
        source: Network.
        target: Network of the same class and configuration, which is built
            where that is needed.
        origin: `"fresh"` leaves out what training changes.

    Returns:
        Number of weights and layers that were copied because nothing trains
        them.
    """
    trained = {id(w) for w in network_layers.trained_weights(source)}
    kept = [id(w) not in trained for w in source.weights]
    adapted = [
        adapted_layers.is_adapted(layer)
        for layer in adapted_layers.adaptable(source)
    ]
    if origin == FRESH and not any(kept) and not any(adapted):
        return 0
    _build_alike(source, target)
    network_layers.copy_trainable(source, target)
    _copy_adapted(source, target)
    for theirs, ours, keep in zip(
        source.weights, target.weights, kept, strict=True
    ):
        if keep or origin == COPY:
            ours.assign(theirs)
    adapted_layers.finalize(target)
    return sum(adapted) + sum(kept)


def _rebuilt(network, change):
    with _not_compiled(network):
        copy = _copied_layer(network, change, {})
    network_layers.copy_trainable(network, copy)
    return copy


def _copied_layer(layer, change, copies):
    """Copies a layer from its configuration, each once."""
    if id(layer) not in copies:
        if _is_graph(layer):
            copies[id(layer)] = keras.models.clone_model(
                layer,
                clone_function=lambda one: _copied_layer(one, change, copies),
            )
        else:
            config = change(layer.get_config())
            copies[id(layer)] = type(layer).from_config(config)
    return copies[id(layer)]


def _is_graph(layer):
    """Whether a layer is a graph of layers and nothing besides."""
    return isinstance(layer, keras.Sequential) or (
        isinstance(layer, keras.Model)
        and symbolic_outputs(layer) is not None
        and network_layers.is_of_keras(type(layer).call)
    )


@contextlib.contextmanager
def _not_compiled(network):
    """Lets Keras copy networks without what they were compiled with."""
    compiled = [
        layer
        for layer in network_layers.all_layers(network)
        if isinstance(layer, keras.Model) and layer.compiled
    ]
    for model in compiled:
        model.compiled = False
    try:
        yield
    finally:
        for model in compiled:
            model.compiled = True


def _build_alike(source, target):
    """Builds the layers of the target that are built in the source."""
    if source.built and source.weights and not target.built:
        target.build_from_config(source.get_build_config())
    pairs = zip(
        network_layers.all_layers(source),
        network_layers.all_layers(target),
        strict=True,
    )
    for theirs, ours in pairs:
        if theirs.built and theirs.weights and not ours.built:
            ours.build_from_config(theirs.get_build_config())


def _copy_adapted(source, target):
    """Copies state beside the weights, which keep their values."""
    drawn = [(weight, weight.numpy()) for weight in target.weights]
    for theirs, ours in zip(
        adapted_layers.adaptable(source),
        adapted_layers.adaptable(target),
        strict=True,
    ):
        if adapted_layers.is_adapted(theirs):
            adapted_layers.copy_adapted(theirs, ours)
    for weight, value in drawn:
        weight.assign(value)


def _shifted(config):
    """Adds a constant to every integer seed of a nested configuration."""
    if isinstance(config, dict):
        return {
            key: value + _SEED_STEP
            if key == "seed" and isinstance(value, int)
            else _shifted(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_shifted(value) for value in config)
    return config


def _log(network, argument, kept, origin):
    logging.info(
        "`%s` is a copy of %r: %d frozen or adapted weights and vocabularies "
        "are kept, trainable weights are %s",
        argument,
        network.name,
        kept,
        "copied" if origin == COPY else "drawn anew",
    )
