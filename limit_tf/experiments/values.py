"""What each value of a configuration may be."""

import ml_collections

from limit_tf.augmentation import AUGMENTATIONS
from limit_tf.experiments.methods import METHODS
from limit_tf.experiments.optimizers import DECAYS
from limit_tf.experiments.optimizers import OPTIMIZERS
from limit_tf.experiments.optimizers import SCHEDULES
from limit_tf.experiments.value_checks import Check
from limit_tf.experiments.value_checks import boolean
from limit_tf.experiments.value_checks import number
from limit_tf.experiments.value_checks import one_of
from limit_tf.experiments.value_checks import text
from limit_tf.experiments.value_checks import whole
from limit_tf.models.auto_penalty import AUTO
from limit_tf.noise import KINDS

XLA = {"auto": "auto", "on": True, "off": False}
DEVICE_RESIDENT = ("auto", "on", "off")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# Other networks take the next two seeds, and TensorFlow 31 bits.
_LARGEST_SEED = 2**31 - 3
# What only some configurations have.
_MAY_BE_MISSING = ("data.options", "data.stratify")
_NOT_NEGATIVE, _POSITIVE = number("[)", 0), number("()", 0)


def _penalty(key, value):
    if value != AUTO:
        try:
            _NOT_NEGATIVE(key, value)
        except ValueError:
            raise ValueError(
                f"`{key}` must be a finite number >= 0, or {AUTO!r}. "
                f"Received: {value!r}"
            ) from None


_VALUES: dict[str, Check] = {
    "name": text(),
    "method": one_of(sorted(METHODS)),
    "seed": whole(0, _LARGEST_SEED),
    "init_from": text(optional=True),
    "init_batch_norm_statistics": boolean(),
    "export_dir": text(optional=True),
    "data.name": text(),
    "data.data_dir": text(optional=True),
    "data.download": boolean(),
    "data.image_size": whole(1, optional=True),
    "data.train_size": whole(1, optional=True),
    "data.label_key": text(optional=True),
    "data.labels_file": text(optional=True),
    "data.train_fraction": number("()", 0, 1),
    "data.stratify": boolean(optional=True),
    "data.num_train_examples": whole(2, optional=True),
    "data.clean_validation": boolean(),
    "data.augmentation": one_of(["none", *AUGMENTATIONS]),
    "data.crop_padding": whole(0),
    "data.deterministic_order": boolean(),
    "data.service": text(optional=True),
    "data.options.num_channels": whole(1, optional=True),
    "data.options.test_fraction": number("()", 0, 1, optional=True),
    "data.options.test_labels_are_checked": boolean(optional=True),
    "data.options.num_classes": whole(2, optional=True),
    "data.options.max_unreadable": number("[]", 0, 1, optional=True),
    "data.options.check_images": boolean(optional=True),
    "data.options.stream": boolean(optional=True),
    "noise.kind": one_of(KINDS),
    "noise.rate": number("[]", 0, 1, optional=True),
    "noise.seed": whole(0, optional=True),
    "net.name": text(),
    "limit.gradient_penalty": _penalty,
    "limit.sample_gradients": boolean(),
    "limit.q_scale": number("[)", 0, optional=True),
    "limit.warmup_steps": whole(0),
    "noisy_gradients.noise_std": _NOT_NEGATIVE,
    "gce.q": number("(]", 0, 1),
    "gce.truncation": number("[)", 0, 1, optional=True),
    "sce.alpha": _NOT_NEGATIVE,
    "sce.beta": _NOT_NEGATIVE,
    "forward_correction.percentile_filter": boolean(),
    "dmi.learning_rate": _POSITIVE,
    "soft_regularization.information_penalty": _NOT_NEGATIVE,
    "soft_regularization.gradient_penalty": _NOT_NEGATIVE,
    "elr.regularization": _NOT_NEGATIVE,
    "elr.target_momentum": number("[)", 0, 1),
    "elr_plus.mixup_alpha": _POSITIVE,
    "elr_plus.average_decay": number("[)", 0, 1),
    "elr_plus.average_ramp_steps": whole(0),
    "elr_plus.regularization_ramp_steps": whole(0),
    "elr_plus.refine_labels": boolean(),
    "training.epochs": whole(1),
    "training.patience": whole(1, optional=True),
    "training.batch_size": whole(1),
    "training.optimizer": one_of(OPTIMIZERS),
    "training.learning_rate": _POSITIVE,
    "training.momentum": number("[)", 0, 1),
    "training.schedule.kind": one_of(SCHEDULES),
    "training.schedule.drop_factor": _POSITIVE,
    "training.schedule.restart_epochs": whole(1),
    "training.schedule.final_learning_rate": _NOT_NEGATIVE,
    "training.weight_decay": _NOT_NEGATIVE,
    "training.weight_decay_kind": one_of(DECAYS),
    "training.precision": one_of(PRECISIONS),
    "training.xla": one_of(XLA),
    "training.device_resident": one_of(DEVICE_RESIDENT),
    "training.steps_per_execution": whole(1, optional=True),
    "training.deterministic": boolean(),
    "training.test_every": whole(1),
}


def check_values(config: ml_collections.ConfigDict) -> None:
    """Checks each value by itself.

    Args:
        config: Configuration, see `configs/digits.py`.

    Raises:
        KeyError: If one that the method needs is missing.
        ValueError: If one has the wrong type or is outside its range.
    """
    used = (
        {config.method, "elr"}
        if config.method == "elr_plus"
        else {config.method}
    )
    for key, check in _VALUES.items():
        *sections, last = key.split(".")
        section = config
        for name in sections:
            section = None if section is None else section.get(name)
        if section is not None and last in section:
            check(f"config.{key}", section[last])
        elif sections[:1] not in _unused(used) and not key.startswith(
            _MAY_BE_MISSING
        ):
            raise KeyError(f"config.{key}")


def _unused(used):
    """Sections of methods that are not the configuration's."""
    return [[name] for name in METHODS if name not in used]
