"""How long a run takes to reach its first steps, and of what that is made."""

import time

import keras
import tqdm
from absl import logging

from limit_tf import command_environment

IMPORTS = "imports"
DATA = "data"
NETWORKS = "networks"
FIRST_STEPS = "first_steps"
_WORDS = {FIRST_STEPS: "tracing and steps"}


class Startup:
    """Times the stages of a run up to the end of its first steps.

    In a command's first run, what passed since the start of the process is
    the stage of the imports; in a program of one's own, and in a comparison's
    later runs, it is left out.

    Attributes:
        seconds: Seconds of the stages that are done, by name.
    """

    def __init__(self):
        self.seconds = {}
        self._last = time.monotonic()
        start = command_environment.take_start()
        if start is not None:
            self.seconds[IMPORTS] = self._last - start

    def done(self, stage: str) -> None:
        """Adds the time since the end of the stage before to a stage."""
        before, self._last = self._last, time.monotonic()
        elapsed = self._last - before
        self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed

    def resume(self) -> None:
        """Leaves the time since the end of the stage before out."""
        self._last = time.monotonic()

    def results(self) -> dict[str, float] | None:
        """Seconds of each stage and their total; None before any step."""
        if FIRST_STEPS not in self.seconds:
            return None
        seconds = {k: round(value, 3) for k, value in self.seconds.items()}
        return {**seconds, "total": round(sum(seconds.values()), 3)}

    def description(self, num_steps: int) -> str:
        """Says in one line how long the first steps took to come."""
        parts = [
            f"{_WORDS.get(stage, stage)} {seconds:.1f}"
            for stage, seconds in self.seconds.items()
        ]
        return (
            f"First {num_steps} {'step' if num_steps == 1 else 'steps'} done "
            f"after {sum(self.seconds.values()):.1f} s: {', '.join(parts)}"
        )


class FirstSteps(keras.callbacks.Callback):
    """Ends and logs the start of a run once its first steps are done.

    Args:
        startup: What has been timed up to `fit`.
    """

    # Keras may call it beside the training, once a call's results are there.
    async_safe = True

    def __init__(self, startup: Startup):
        super().__init__()
        self._startup = startup

    def on_train_batch_end(self, batch, logs=None):
        """Ends the stage of the first steps, in the first call alone."""
        if FIRST_STEPS in self._startup.seconds:
            return
        self._startup.done(FIRST_STEPS)
        with tqdm.tqdm.external_write_mode():  # a line beside the bar
            logging.info(self._startup.description(batch + 1))
