"""A fresh copy of a network's architecture."""

import keras

from limit_tf.models.network_checks import symbolic_outputs

_SEED_STEP = 1_000_003


def fresh_copy(
    network: keras.Model, argument: str = "gradient_predictor"
) -> keras.Model:
    """Builds the same architecture again with weights of its own.

    Layers whose initialisers carry an explicit seed would start equal; their
    seeds are shifted in the copy, so that it is initialised independently.

    Args:
        network: Sequential, functional or subclassed model.
        argument: What the copy is for, in the error message.

    Returns:
        A model of the same class; no layer or weight is shared.

    Raises:
        ValueError: If the model cannot be rebuilt from its configuration.
    """
    try:
        if (
            isinstance(network, keras.Sequential)
            or symbolic_outputs(network) is not None
        ):
            return keras.models.clone_model(
                network, clone_function=_fresh_layer
            )
        return _fresh_layer(network)
    except Exception as error:
        raise ValueError(
            f"`{argument}` must be given where the classifier cannot "
            "be rebuilt from its get_config(). Received: "
            f"classifier={network.name!r} of class {type(network).__name__} "
            f"({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error


def _fresh_layer(layer: keras.Layer) -> keras.Layer:
    return type(layer).from_config(_shift_seeds(layer.get_config()))


def _shift_seeds(config):
    """Adds a constant to every integer seed of a nested configuration."""
    if isinstance(config, dict):
        return {
            key: value + _SEED_STEP
            if key == "seed" and isinstance(value, int)
            else _shift_seeds(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_shift_seeds(value) for value in config)
    return config
