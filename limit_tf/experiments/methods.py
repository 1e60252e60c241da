"""The methods of training, by the name a configuration gives."""

from collections.abc import Callable

import keras
import ml_collections

from limit_tf.models import LimitModel

# Builds a network of a variant, "classifier" or "gradient_predictor".
NetworkBuilder = Callable[[str], keras.Model]


def cross_entropy(
    config: ml_collections.ConfigDict, build_network: NetworkBuilder
) -> tuple[keras.Model, keras.losses.Loss]:
    """The classifier itself, trained on the given labels.

    Args:
        config: Configuration, see `configs/digits.py`.
        build_network: Builds a network of a variant.

    Returns:
        The model and the loss to compile it with.
    """
    del config
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return build_network("classifier"), loss


def limit(
    config: ml_collections.ConfigDict, build_network: NetworkBuilder
) -> tuple[keras.Model, None]:
    """LIMIT, with the settings in `config.limit`.

    Args:
        config: Configuration, see `configs/digits.py`.
        build_network: Builds a network of a variant.

    Returns:
        The model and None: it reports the cross-entropy by itself.
    """
    model = LimitModel(
        build_network("classifier"),
        build_network("gradient_predictor"),
        q_dist=config.limit.q_dist,
        gradient_penalty=config.limit.gradient_penalty,
        sample_gradients=config.limit.sample_gradients,
        q_scale=config.limit.q_scale,
        warmup_steps=config.limit.warmup_steps,
        seed=config.seed,
    )
    return model, None


METHODS = {
    "cross_entropy": cross_entropy,
    "limit": limit,
}
