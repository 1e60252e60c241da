"""The process that says what to try, while workers train."""

import contextlib
import os
import signal
import threading
import time

from limit_tf.tuning.config_tuner import ConfigTuner
from limit_tf.tuning.surviving_oracle import SurvivingOracle

_SECONDS_BETWEEN_LOOKS = 1.0
# What a worker that was just sent home needs to get the message.
_LOOKS_BEFORE_THE_END = 3


def serve(tuner: ConfigTuner, oracle: SurvivingOracle) -> None:
    """Serves a search to workers until it is over.

    keras-tuner's service ends when a worker has been told so and all others
    have asked once more; it would wait for ever for workers that were killed
    before, and looks only every 20 seconds. A thread beside it looks every
    second which workers are alive, gives the trials of the dead to the others,
    and ends the service once the search is over and nobody is left.

    Must run in the main thread. What keras-tuner prints at every message is
    kept from the user.

    Args:
        tuner: Tuner of the chief.
        oracle: Its oracle.
    """
    watch = _Watch(oracle)
    watch.start()
    try:
        with open(os.devnull, "w") as nowhere:
            with contextlib.redirect_stdout(nowhere):
                tuner.search()
        watch.stop()
    except KeyboardInterrupt:
        if not watch.has_ended_service:
            raise


class _Watch(threading.Thread):
    """Looks after workers even while none of them asks."""

    def __init__(self, oracle):
        super().__init__(name="watch", daemon=True)
        self._oracle = oracle
        self._lock = threading.Lock()
        self._is_serving = True
        self.has_ended_service = False

    def run(self):
        """Looks until the service ends."""
        looks = 0
        while looks < _LOOKS_BEFORE_THE_END and self._is_serving:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            self._oracle.release_dead_workers()
            is_over = self._oracle.is_over() and not self._oracle.tuner_ids
            looks = looks + 1 if is_over else 0
        with self._lock:
            if self._is_serving:
                self.has_ended_service = True
                signal.pthread_kill(
                    threading.main_thread().ident, signal.SIGINT
                )

    def stop(self):
        """Lets the thread end: the service has ended by itself."""
        with self._lock:
            self._is_serving = False
