"""Optimizer, learning-rate schedule and weight decay of a configuration."""

import keras
import ml_collections

SCHEDULES = ("constant", "step", "cosine_restarts")
OPTIMIZERS = ("adam", "sgd")
DECAYS = ("coupled", "decoupled")
# The authors' code leaves biases and batch normalisation out of the decay.
_NOT_DECAYED = ("bias", "gamma", "beta")


def build_optimizer(
    training: ml_collections.ConfigDict,
    steps_per_epoch: int,
    learning_rate: float | None = None,
) -> keras.optimizers.Optimizer:
    """Builds the optimizer of a run.

    Args:
        training: Section `training` of a configuration.
        steps_per_epoch: Number of batches of an epoch.
        learning_rate: Initial learning rate instead of the section's.

    Returns:
        An optimizer with its schedule; decoupled weight decay is part of it.
    """
    rate = training.learning_rate if learning_rate is None else learning_rate
    schedule = _schedule(training.schedule, rate, steps_per_epoch)
    decay = training.weight_decay
    decoupled = decay and training.weight_decay_kind == "decoupled"
    options = {"weight_decay": decay if decoupled else None}
    if training.optimizer == "adam":
        optimizer = keras.optimizers.Adam(schedule, epsilon=1e-8, **options)
    else:
        optimizer = keras.optimizers.SGD(
            schedule, momentum=training.momentum, **options
        )
    if decoupled:
        optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return optimizer


def add_coupled_decay(
    network: keras.Model, training: ml_collections.ConfigDict
) -> None:
    """Adds `weight_decay / 2 * ||w||^2` to a network's own losses.

    Its gradient is what PyTorch's optimizers call weight decay. Biases and
    batch normalisation are left out.

    Args:
        network: Built network.
        training: Section `training` of a configuration.
    """
    if not training.weight_decay or training.weight_decay_kind != "coupled":
        return
    for layer in network._flatten_layers():
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        regularizer = keras.regularizers.L2(0.5 * training.weight_decay)
        layer.kernel_regularizer = regularizer  # what is saved
        kernel.regularizer = regularizer  # what is added


def _schedule(settings, rate, steps_per_epoch):
    if settings.kind == "step":
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            # Up to a boundary and at it, Keras takes the rate before it.
            [epoch * steps_per_epoch - 1 for epoch in settings.drop_epochs],
            [
                rate * settings.drop_factor**drops
                for drops in range(len(settings.drop_epochs) + 1)
            ],
        )
    if settings.kind == "cosine_restarts":
        return keras.optimizers.schedules.CosineDecayRestarts(
            rate,
            first_decay_steps=settings.restart_epochs * steps_per_epoch,
            t_mul=1.0,
            alpha=settings.final_learning_rate / rate,
        )
    return rate
