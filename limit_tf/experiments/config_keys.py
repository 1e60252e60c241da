"""The keys of a configuration by which library arguments are given."""

import ml_collections

_DATA = ("name", "data_dir", "download", "image_size", "train_size")
_LABELS = ("labels_file", "label_key")
_OPTIONS = (
    "num_channels",
    "test_fraction",
    "max_unreadable",
    "check_images",
    "tfrecord",
    "stream",
    "max_bytes",
)
# What `config.data.options.tfrecord` holds.
_RECORDS = (
    "image_key",
    "label_key",
    "id_key",
    "image_format",
    "image_shape",
    "class_names",
)
_SPLIT = ("train_fraction", "num_train_examples", "clean_validation")
_LABELS_FILE = {"path": "config.data.labels_file"}


def of_data(config: ml_collections.ConfigDict) -> dict[str, str]:
    """Keys for the arguments of `limit_tf.data.load`.

    Args:
        config: Configuration.

    Returns:
        Keys by argument.
    """
    options = "config.data.options"
    own = config.data.get("options") or ()
    return {
        **_below(f"{options}.tfrecord", _RECORDS),
        **_below("config.data", (*_DATA, *_LABELS)),
        **_below(options, (*_OPTIONS, *own)),
        "service": "config.data.service",
        **_LABELS_FILE,
    }


def of_noise() -> dict[str, str]:
    """Keys for the arguments of `limit_tf.noise.get`."""
    return {
        **_below("config.noise", ("kind", "class_map", "transition_matrix")),
        "noise_rate": "config.noise.rate",
        "num_classes": "config.data.name",
    }


def of_splits() -> dict[str, str]:
    """Keys for the arguments of `limit_tf.data.noisy_splits`."""
    return {
        **_below("config.data", _SPLIT),
        "split_seed": "config.seed",
        "noise_seed": "config.noise.seed",
        "transition_matrix": "config.noise.kind",
        "source": "config.data.name",
        **_LABELS_FILE,
    }


def of_network(config: ml_collections.ConfigDict) -> dict[str, str]:
    """Keys for the arguments of a network's builder, and for its name.

    Args:
        config: Configuration.

    Returns:
        Keys by argument.
    """
    name = config.net.name
    own = config.net.get(name) if isinstance(name, str) else None
    return {
        **_below("config.net", config.net),
        **_below(f"config.net.{name}", own or ()),
        "identifier": "config.net.name",
        "seed": "config.seed",
        "input_shape": "config.data.image_size",
    }


def of_method(config: ml_collections.ConfigDict) -> dict[str, str]:
    """Keys for the arguments of a method's model or loss.

    Args:
        config: Configuration.

    Returns:
        Keys by argument.
    """
    names = {}
    sections = (
        ("elr", config.method)
        if config.method == "elr_plus"
        else (config.method,)
    )
    for section in sections:
        names |= _below(f"config.{section}", config.get(section) or ())
    return {**names, **_below("config.training", ("steps_per_execution",))}


def of_augmentation() -> dict[str, str]:
    """Keys for the arguments of an augmentation."""
    return {
        "identifier": "config.data.augmentation",
        "padding": "config.data.crop_padding",
        "crop_size": "config.data.image_size",
    }


def _below(section, names):
    return {name: f"{section}.{name}" for name in names}
