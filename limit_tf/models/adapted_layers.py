"""What layers know beside their weights: vocabularies, bins, files."""

import tempfile

import keras

from limit_tf.models import network_layers

_LOOKUPS = (
    keras.layers.StringLookup,
    keras.layers.IntegerLookup,
    keras.layers.TextVectorization,
)
_OWN_STATE = ("load_own_variables", "load_assets")


def adaptable(network: keras.Model) -> list[keras.Layer]:
    """Returns the layers that may hold state that is none of their weights.

    Args:
        network: Any model.

    Returns:
        Layers with a vocabulary or bins, and those of a class outside Keras
        that saves and loads more than weights.
    """
    kinds = (*_LOOKUPS, keras.layers.Discretization)
    layers = network_layers.all_layers(network)
    inner = {id(getattr(layer, "_lookup_layer", None)) for layer in layers}
    return [
        layer
        for layer in layers
        if (isinstance(layer, kinds) or _has_own_state(layer))
        and id(layer) not in inner
    ]


def is_adapted(layer: keras.Layer) -> bool:
    """Tells whether a layer holds state that is none of its weights.

    Args:
        layer: Any layer.

    Returns:
        Whether it has a vocabulary, or bins, or state of its own kind.
    """
    if isinstance(layer, _LOOKUPS):
        return len(layer.get_vocabulary(include_special_tokens=False)) > 0
    if isinstance(layer, keras.layers.Discretization):
        return layer.bin_boundaries is not None
    return _has_own_state(layer)


def copy_adapted(source: keras.Layer, target: keras.Layer) -> None:
    """Copies what `is_adapted` speaks of.

    Args:
        source: Layer that is adapted.
        target: Built layer of the same class.
    """
    if isinstance(source, _LOOKUPS):
        target.set_vocabulary(
            source.get_vocabulary(include_special_tokens=False),
            *_idf_weights(source),
        )
    elif isinstance(source, keras.layers.Discretization):
        target.bin_boundaries = list(source.bin_boundaries)
    elif _has_own_state(source):
        _copy_own_state(source, target)


def finalize(network: keras.Model) -> None:
    """Lets layers compute with weights that were assigned to them.

    `keras.layers.Normalization` computes with constants that it makes of its
    weights.

    Args:
        network: Any model.
    """
    for layer in network_layers.all_layers(network):
        if layer.built and layer.weights and hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _idf_weights(layer):
    lookup = getattr(layer, "_lookup_layer", layer)
    if lookup.output_mode != "tf_idf":
        return []
    special = len(lookup.get_vocabulary()) - len(
        lookup.get_vocabulary(include_special_tokens=False)
    )
    size = len(lookup.get_vocabulary())
    return [lookup.idf_weights_const.numpy()[special:size]]


def _has_own_state(layer):
    methods = [getattr(type(layer), name, None) for name in _OWN_STATE]
    return not all(
        method is None or network_layers.is_of_keras(method)
        for method in methods
    )


def _copy_own_state(source, target):
    """As Keras does it by way of a file."""
    store = {}
    source.save_own_variables(store)
    target.load_own_variables(store)
    if hasattr(source, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)
