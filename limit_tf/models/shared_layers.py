"""Frozen layers that two networks share, in configurations."""

import keras

from limit_tf.models import network_layers


def shared_positions(first: keras.Model, other: keras.Model) -> list[list[int]]:
    """Finds the layers that two networks share.

    Args:
        first: Network.
        other: Network.

    Returns:
        Pairs of positions in `all_layers` of the first and of the other;
        layers inside of a shared layer are not listed.
    """
    places = {
        id(layer): place
        for place, layer in enumerate(network_layers.all_layers(first))
        if not isinstance(layer, keras.layers.InputLayer)
    }
    found, inside = [], set()
    for place, layer in enumerate(network_layers.all_layers(other)):
        if id(layer) in places and id(layer) not in inside:
            inside |= {id(one) for one in network_layers.all_layers(layer)}
            found.append([places[id(layer)], place])
    return found


def with_shared(
    first: keras.Model, other: keras.Model, positions: list[list[int]]
) -> keras.Model:
    """Rebuilds a network around layers of another one.

    Args:
        first: Network whose layers are shared.
        other: Functional or Sequential network.
        positions: What `shared_positions` returned.

    Returns:
        The other network with the first one's layers in its places.
    """
    theirs, ours = map(network_layers.all_layers, (first, other))
    replaced = {id(ours[own]): theirs[of_first] for of_first, own in positions}

    def layer_for(layer):
        if id(layer) in replaced:
            return replaced[id(layer)]
        inside = getattr(layer, "layers", [])
        if isinstance(layer, keras.Model) and any(
            layer_for(one) is not one for one in inside
        ):
            return keras.models.clone_model(layer, clone_function=layer_for)
        return layer

    rebuilt = keras.models.clone_model(other, clone_function=layer_for)
    network_layers.copy_trainable(other, rebuilt)
    return rebuilt


def check_rebuildable(other: keras.Model, argument: str) -> None:
    """Refuses to share layers with a network that `with_shared` cannot take.

    Args:
        other: Network that shares layers with the classifier.
        argument: Its name in the error message.

    Raises:
        ValueError: If its structure is not visible.
    """
    if not isinstance(other, keras.Sequential) and not hasattr(
        other, "outputs"
    ):
        raise ValueError(
            f"`{argument}` must be a functional or Sequential model where it "
            "shares layers with the classifier. Received: "
            f"{argument}={other.name!r} of class {type(other).__name__}"
        )
