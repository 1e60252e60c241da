"""Everything a killed run needs to go on where it was."""

import dataclasses
import json
import pathlib
import time

import keras
import numpy as np

from limit_tf import atomic_files
from limit_tf.models import adapted_layers
from limit_tf.models import auto_penalty

# Of a run's time, saving takes a tenth at most: epochs that are shorter than
# ten times that are not all saved.
_MOST_TIME_SAVING = 0.1


@dataclasses.dataclass
class RunState:
    """Progress of a run, as of the end of an epoch.

    Attributes:
        num_epochs: Number of epochs done.
        best_epoch: Epoch, counted from one, of the best noisy validation
            accuracy; the first of several equal ones. Zero before any.
        best_valid_accuracy: That accuracy.
        wall_seconds: Seconds spent in this run, over all its processes.
        timed_seconds: Seconds of training steps, without evaluation and
            without each process's first epoch, in which functions are traced.
        timed_examples: Number of examples trained on in them.
        history: One dictionary of figures an epoch.
        valid_classes: Predicted classes of the validation images, an array
            `(n,)` an epoch; empty where they are not kept.
    """

    num_epochs: int = 0
    best_epoch: int = 0
    best_valid_accuracy: float = -1.0
    wall_seconds: float = 0.0
    timed_seconds: float = 0.0
    timed_examples: int = 0
    history: list = dataclasses.field(default_factory=list)
    valid_classes: list = dataclasses.field(default_factory=list)

    def add_epoch(self, figures: dict) -> bool:
        """Adds the figures of an epoch to the history.

        Args:
            figures: Figures of the epoch, `valid_accuracy` among them. The
                history holds this very dictionary.

        Returns:
            Whether the epoch is better than all before it.
        """
        self.num_epochs += 1
        self.history.append(figures)
        if figures["valid_accuracy"] <= self.best_valid_accuracy:
            return False
        self.best_epoch = self.num_epochs
        self.best_valid_accuracy = figures["valid_accuracy"]
        return True

    def is_finished(self, epochs: int, patience: int | None) -> bool:
        """Whether training ends here.

        Args:
            epochs: Most epochs to train.
            patience: Epochs without improvement after which training stops.

        Returns:
            A boolean.
        """
        if self.num_epochs >= epochs:
            return True
        waited = self.num_epochs - self.best_epoch
        return patience is not None and waited >= patience


class Checkpoint:
    """Checkpoint of a model in training and of its best epoch's weights.

    Two files: `checkpoint.npz`, replaced as a whole, and the weights of the
    best epoch, to which it refers by the epoch in their name.

    A run of short epochs is not saved after each of them. What a kill then
    loses is trained again, the same way: an epoch, or the epochs of ten times
    the seconds that a checkpoint takes.

    Args:
        folder: Folder of the run.
        model: Compiled model whose variables are built.
    """

    def __init__(self, folder: pathlib.Path, model: keras.Model):
        self._folder = folder
        self._model = model
        self._best_weights = None
        self._next_time = 0.0

    def save(self, state: RunState, is_best: bool, is_last: bool) -> None:
        """Saves all variables, those of the optimizer included.

        Args:
            state: Progress to save with them.
            is_best: Whether this epoch's weights are the best so far.
            is_last: Whether no epoch follows, so that this one is saved
                however short it was.
        """
        if is_best:
            self._best_weights = _values(self._model.variables)
        start = time.monotonic()
        if start < self._next_time and not is_last:
            return
        if self._best_weights is not None:
            _write(self._best(state), self._best_weights)
            self._best_weights = None
        _write(
            self._folder / "checkpoint.npz",
            _values(self._all_variables()),
            **_arrays(state),
        )
        for file in self._folder.glob("best-*.npz"):
            if file != self._best(state):
                file.unlink()
        end = time.monotonic()
        self._next_time = end + (end - start) * (1 / _MOST_TIME_SAVING - 1)

    def restore(self) -> RunState:
        """Restores the last checkpoint; a new state if there is none."""
        file = self._folder / "checkpoint.npz"
        if not file.exists():
            return RunState()
        with np.load(file) as arrays:
            _assign(self._all_variables(), arrays)
            adapted_layers.finalize(self._model)
            return _state(arrays)

    def restore_best(self, state: RunState) -> None:
        """Gives the model the weights of the best epoch."""
        with np.load(self._best(state)) as arrays:
            _assign(self._model.variables, arrays)
        adapted_layers.finalize(self._model)

    def remove(self) -> None:
        """Removes what a finished run no longer needs."""
        for pattern in ("checkpoint.npz", "best-*.npz"):
            for file in self._folder.glob(pattern):
                file.unlink()

    def _best(self, state):
        return self._folder / f"best-{state.best_epoch:05d}.npz"

    def _all_variables(self):
        return self._model.variables + self._model.optimizer.variables


def _arrays(state):
    plain = {**vars(state)}
    classes = plain.pop("valid_classes")
    text = json.dumps(plain).encode()
    return {"state": np.frombuffer(text, np.uint8), "valid_classes": classes}


def _state(arrays):
    plain = json.loads(arrays["state"].tobytes().decode())
    return RunState(**plain, valid_classes=list(arrays["valid_classes"]))


def _values(variables):
    return {str(i): v.numpy() for i, v in enumerate(variables)}


def _write(path, values, **arrays):
    with atomic_files.replacing(path) as temporary:
        np.savez(temporary, **values, **arrays)


def _assign(variables, arrays):
    for index, variable in enumerate(_held(variables, arrays)):
        variable.assign(arrays[str(index)])


def _held(variables, arrays):
    """Leaves out what models did not have when an older run was saved.

    A run's history tells the accuracies that they have come to remember.
    """
    if sum(key.isdigit() for key in arrays) >= len(variables):
        return variables
    return [v for v in variables if v.name not in auto_penalty.MEMORY]
