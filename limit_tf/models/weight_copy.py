"""Weights of one network as the initial weights of another."""

import keras

_STATISTICS = ("moving_mean", "moving_variance")


def copy_weights(
    source: keras.Model,
    target: keras.Model,
    *,
    batch_norm_statistics: bool = True,
) -> None:
    """Copies the weights of a trained network into one of equal architecture.

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
    for theirs, ours in _pairs(source.weights, target.weights):
        if batch_norm_statistics or ours.name not in _STATISTICS:
            ours.assign(theirs)


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
