"""Layers of a network at any depth, and the weights that training changes."""

import keras

# Batch normalisation moves them in training, though no gradient does.
STATISTICS = ("moving_mean", "moving_variance")


def all_layers(network: keras.Model) -> list[keras.Layer]:
    """Returns the network and every layer in it, parents first.

    Args:
        network: Any model, built or not.

    Returns:
        Layers in an order that the architecture decides on: two networks of
        one configuration give the same.
    """
    return list(network._flatten_layers())


def is_of_keras(method) -> bool:
    """Tells whether a class got a method from Keras.

    Args:
        method: Function.

    Returns:
        Whether Keras defines it.
    """
    return method.__module__.split(".")[0] == "keras"


def moving_statistics(network: keras.Model) -> list[keras.Variable]:
    """Returns the statistics that training moves.

    Args:
        network: Any model.

    Returns:
        Moving means and variances of normalisation layers that are not
        frozen.
    """
    found = []
    for layer in all_layers(network):
        if layer.trainable:
            found += [getattr(layer, name, None) for name in STATISTICS]
    return [one for one in found if isinstance(one, keras.Variable)]


def trained_weights(network: keras.Model) -> list[keras.Variable]:
    """Returns the weights that training changes.

    Args:
        network: Any model.

    Returns:
        Trainable weights, and statistics that move beside them.
    """
    return [*network.trainable_weights, *moving_statistics(network)]


def layer_of(network: keras.Model, weight: keras.Variable) -> keras.Layer:
    """Returns the innermost layer that a weight belongs to.

    Args:
        network: Model that has the weight.
        weight: One of its weights.

    Returns:
        A layer of the network, or the network itself.
    """
    owners = [
        layer
        for layer in all_layers(network)
        if any(weight is other for other in layer.weights)
    ]
    return min(owners, key=lambda layer: len(layer.weights))


def copy_trainable(source: keras.Model, target: keras.Model) -> None:
    """Freezes and thaws the layers of a copy like those of the original.

    Args:
        source: Network.
        target: Network of the same architecture.
    """
    for theirs, ours in zip(
        all_layers(source), all_layers(target), strict=True
    ):
        if ours.trainable != theirs.trainable:
            ours.trainable = theirs.trainable
