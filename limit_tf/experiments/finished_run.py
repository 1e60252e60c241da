"""A run that is finished: its configuration, its model and its data."""

import functools
import json
import pathlib

import keras
import ml_collections

from limit_tf import data
from limit_tf.experiments import build
from limit_tf.models.network_model import NetworkModel


class FinishedRun:
    """What a run left in its folder, read when it is asked for.

    Args:
        workdir: Folder of a finished run of `limit_tf.cli.train`, or of one
            method of `limit_tf.cli.compare`.
        loaded: Source and noisy splits of the run, where they are at hand;
            None loads them.

    Raises:
        ValueError: If it is not the folder of a finished run.
    """

    def __init__(
        self,
        workdir: str,
        *,
        loaded: tuple[data.Source, data.NoisySplits] | None = None,
    ):
        self.path = pathlib.Path(workdir)
        self._loaded = loaded
        self.results = self._read("results.json")
        if isinstance(self.results, list):
            runs = sorted(
                str(p.parent) for p in self.path.glob("*/results.json")
            )
            raise _error(
                workdir, f"a comparison's; its runs are {', '.join(runs)}"
            )
        if not (self.path / "best_model.keras").is_file():
            raise _error(workdir, "which holds no best_model.keras")
        self.config = _config(self._read("config.json"))

    def _read(self, name):
        file = self.path / name
        if not file.is_file():
            raise _error(self.path, f"which holds no {name}")
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _error(
                self.path, f"whose {name} cannot be read ({error})"
            ) from error

    @functools.cached_property
    def model(self) -> NetworkModel:
        """The model of the epoch that was kept, not compiled."""
        return keras.models.load_model(
            self.path / "best_model.keras", compile=False
        )

    @functools.cached_property
    def loaded(self) -> tuple[data.Source, data.NoisySplits]:
        """The source and its splits, with the labels that the run had."""
        if self._loaded is not None:
            return self._loaded
        try:
            return build.load_data(self.config)
        except (AttributeError, KeyError) as error:
            raise _error(
                self.path,
                "whose configuration lacks a value: "
                f"{str(error).splitlines()[0]}",
            ) from error


def _config(values):
    """The configuration, with what JSON made of its values undone."""
    class_map = values.get("noise", {}).get("class_map")
    if class_map is not None:
        values["noise"]["class_map"] = {
            int(key): value for key, value in class_map.items()
        }
    # Runs that lack the key were split otherwise.
    values.get("data", {}).setdefault("stratify", False)
    return ml_collections.ConfigDict(values)


def _error(workdir, received):
    return ValueError(
        "`workdir` must be the folder of a finished run. Received: "
        f"workdir={workdir}, {received}"
    )
