"""What a search shows while it runs."""

import math

from limit_tf import progress
from limit_tf.tuning.selection import standard_error
from limit_tf.tuning.surviving_oracle import SurvivingOracle


class Progress:
    """Bar of the trials done, the best so far, and the time left.

    Args:
        oracle: Oracle of the search, whose trials it counts.
        num_labels: Number of validation labels.
        labels: What to call them.
    """

    def __init__(self, oracle: SurvivingOracle, num_labels: int, labels: str):
        self._oracle = oracle
        self._num_labels = num_labels
        self._labels = labels
        self._bar = progress.bar(
            oracle.num_trials(),
            "trials",
            initial=len(oracle.end_order),
            unit="trial",
            every_one=True,
            dynamic_ncols=True,
        )
        self._show()
        oracle.on_trial_end = self.trial_ended

    def trial_ended(self) -> None:
        """Counts one more trial."""
        self._show()
        self._bar.update()

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _show(self):
        parts = []
        scores = [
            trial.score
            for trial in self._oracle.trials.values()
            if trial.score is not None
        ]
        if scores:
            best = max(scores)
            error = standard_error(best, self._num_labels)
            parts.append(
                f"best {best:.1%} ± {error:.1%} "
                f"({self._num_labels} {self._labels})"
            )
        left = self._oracle.seconds_left
        if left < math.inf:
            parts.append(f"{left / 60:.0f} min of budget left")
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
