"""Everything a killed run needs to go on where it was."""

import dataclasses
import json
import pathlib

import keras
import numpy as np

from limit_tf.experiments import atomic_files


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
    """

    num_epochs: int = 0
    best_epoch: int = 0
    best_valid_accuracy: float = -1.0
    wall_seconds: float = 0.0
    timed_seconds: float = 0.0
    timed_examples: int = 0
    history: list = dataclasses.field(default_factory=list)

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

    Args:
        folder: Folder of the run.
        model: Compiled model whose variables are built.
    """

    def __init__(self, folder: pathlib.Path, model: keras.Model):
        self._folder = folder
        self._model = model

    def save(self, state: RunState, is_best: bool) -> None:
        """Saves all variables, those of the optimizer included.

        Args:
            state: Progress to save with them.
            is_best: Whether this epoch's weights are the best so far.
        """
        if is_best:
            _write(self._best(state), self._model.variables)
        _write(
            self._folder / "checkpoint.npz",
            self._all_variables(),
            state=np.frombuffer(
                json.dumps(dataclasses.asdict(state)).encode(), np.uint8
            ),
        )
        for file in self._folder.glob("best-*.npz"):
            if file != self._best(state):
                file.unlink()

    def restore(self) -> RunState:
        """Restores the last checkpoint; a new state if there is none."""
        file = self._folder / "checkpoint.npz"
        if not file.exists():
            return RunState()
        with np.load(file) as arrays:
            _assign(self._all_variables(), arrays)
            return RunState(**json.loads(arrays["state"].tobytes().decode()))

    def restore_best(self, state: RunState) -> None:
        """Gives the model the weights of the best epoch."""
        with np.load(self._best(state)) as arrays:
            _assign(self._model.variables, arrays)

    def remove(self) -> None:
        """Removes what a finished run no longer needs."""
        for pattern in ("checkpoint.npz", "best-*.npz"):
            for file in self._folder.glob(pattern):
                file.unlink()

    def _best(self, state):
        return self._folder / f"best-{state.best_epoch:05d}.npz"

    def _all_variables(self):
        return self._model.variables + self._model.optimizer.variables


def _write(path, variables, **arrays):
    values = {str(i): v.numpy() for i, v in enumerate(variables)}
    with atomic_files.replacing(path) as temporary:
        np.savez(temporary, **values, **arrays)


def _assign(variables, arrays):
    for index, variable in enumerate(variables):
        variable.assign(arrays[str(index)])
