"""Checks of a configuration that need no TensorFlow: names and paths."""

import pathlib
from collections.abc import Iterable

import ml_collections

from limit_tf.cli import flag_words

# Known here, before TensorFlow is; a test compares them with the real ones.
METHODS = (
    "cross_entropy",
    "noisy_gradients",
    "mae",
    "gce",
    "sce",
    "forward_correction",
    "dmi",
    "soft_regularization",
    "limit",
    "elr",
    "elr_plus",
)
# Of data of one's own, which lies where config.data.data_dir says.
_SOURCES = ("folder", "csv", "arrays", "tfrecord", "clothing1m")


def check(config: ml_collections.ConfigDict) -> None:
    """Checks the method and the paths that a configuration names.

    Args:
        config: Configuration; what it lacks is not checked.

    Raises:
        ValueError: If there is no such method.
        FileNotFoundError: If there is no such file or folder.
    """
    if "method" in config:
        _check_name("config.method", config.method, METHODS)
    section = config.get("data", {})
    _check_path("config.data.labels_file", section.get("labels_file"))
    if section.get("name") in _SOURCES:
        _check_path("config.data.data_dir", section.get("data_dir"))
    start = config.get("init_from")
    if start and start not in {*config.get("rows", {}), *METHODS}:
        _check_path("config.init_from", start)


def check_rows(
    flag: str, rows: Iterable[str], config: ml_collections.ConfigDict
) -> None:
    """Checks names of rows or methods.

    Args:
        flag: Flag that names them.
        rows: The names.
        config: Configuration, which may have rows.

    Raises:
        ValueError: If there is no such row.
    """
    for row in rows:
        _check_name(flag, row, [*config.get("rows", {}), *METHODS])


def _check_name(key, name, known):
    if name in known:
        return
    near = flag_words.closest(str(name), known)
    raise ValueError(
        f"`--{key}` must be one of {', '.join(dict.fromkeys(known))}{near} "
        f"Received: --{key}={name}"
    )


def _check_path(key, path):
    if path is not None and not pathlib.Path(path).exists():
        raise FileNotFoundError(
            f"`--{key}` must be there. Received: --{key}={path}"
        )
