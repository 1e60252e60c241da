"""Weights of one network as the initial weights of another."""

import keras

from limit_tf.models import adapted_layers
from limit_tf.models import network_layers


def copy_weights(
    source: keras.Model,
    target: keras.Model,
    *,
    batch_norm_statistics: bool = True,
) -> None:
    """Copies the weights of a trained network into one of equal architecture.

    Vocabularies and bins of preprocessing layers are copied with them, and
    adapted layers compute with what they were given.

    Args:
        source: Built network.
        target: Built network whose weights are replaced.
        batch_norm_statistics: Whether the moving means and variances of batch
            normalisation, which no gradient trains, are copied too. The LIMIT
            authors' code leaves them out.

    Raises:
        ValueError: If a network is not built, or the architectures differ;
            nothing is copied then.
    """
    for argument, network in (("source", source), ("target", target)):
        if not network.weights:
            raise ValueError(
                f"`{argument}` must be built: call it on a batch first. "
                f"Received: {argument}={network.name!r} without weights"
            )
    weights = _pairs(source.weights, target.weights)
    layers = _adapted_pairs(source, target)
    for theirs, ours in layers:
        if adapted_layers.is_adapted(theirs):
            adapted_layers.copy_adapted(theirs, ours)
    for theirs, ours in weights:
        if batch_norm_statistics or ours.name not in network_layers.STATISTICS:
            ours.assign(theirs)
    adapted_layers.finalize(target)


def _pairs(source, target):
    shapes = [[tuple(v.shape) for v in side] for side in (source, target)]
    if shapes[0] != shapes[1]:
        first = next(
            (
                f"{a} against {b}"
                for a, b in zip(*shapes, strict=False)
                if a != b
            ),
            "the rest is missing",
        )
        raise ValueError(
            "`source` must have the architecture of `target`, weight by "
            f"weight. Received: {len(shapes[0])} weights for "
            f"{len(shapes[1])}, the first difference: {first}"
        )
    return list(zip(source, target, strict=True))


def _adapted_pairs(source, target):
    """Layers with state beside their weights, which are of equal classes."""
    sides = [adapted_layers.adaptable(one) for one in (source, target)]
    classes = [[type(layer).__name__ for layer in side] for side in sides]
    if classes[0] != classes[1]:
        raise ValueError(
            "`source` must have the preprocessing layers of `target`. "
            f"Received: {classes[0]} for {classes[1]}"
        )
    return list(zip(*sides, strict=True))
