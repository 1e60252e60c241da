"""When a trial is hopeless: the median stopping rule."""

import statistics
from collections.abc import Sequence

from limit_tf.tuning.selection import standard_error
from limit_tf.tuning.smoothing import best_mean


class MedianStoppingRule:
    """Stops a trial that is behind the median of the finished ones.

    After epoch `e`, the best noisy-validation accuracy that the trial has had
    so far, as a mean over consecutive epochs, is compared with the median, over
    the finished trials, of the best that each of them had had by its epoch `e`.
    If it is lower by more than one standard error of that median, the trial
    stops. A finished trial that ended earlier, by its patience, counts with the
    best it had.

    Training by a strong penalty starts slowly. The rule therefore never speaks
    in the first quarter of the epochs, nor with fewer than three finished
    trials; those that the rule itself has stopped do not count among them.

    Args:
        epochs: Most epochs of a trial.
        num_labels: Number of noisy validation labels.
        min_trials: Number of finished trials that the rule needs.
        first_share: Share of the epochs in which no trial stops.
        window: Number of consecutive epochs to average over.

    Raises:
        ValueError: If a value is outside its range.

    Example:
    ```python
    from limit_tf.tuning import MedianStoppingRule

    rule = MedianStoppingRule(epochs=4, num_labels=100)
    finished = [[0.5, 0.6, 0.7], [0.5, 0.5, 0.6], [0.4, 0.5, 0.5]]
    rule.should_stop([0.2, 0.3], finished)  # True: 0.3 < 0.5 - 0.05
    ```

    References:
        - [Golovin et al., 2017](https://research.google/pubs/pub46180/)
    """

    def __init__(
        self,
        epochs: int,
        num_labels: int,
        *,
        min_trials: int = 3,
        first_share: float = 0.25,
        window: int = 1,
    ):
        for argument, value in (
            ("epochs", epochs),
            ("num_labels", num_labels),
            ("min_trials", min_trials),
            ("window", window),
        ):
            if value < 1:
                raise ValueError(
                    f"`{argument}` must be at least 1. Received: "
                    f"{argument}={value}"
                )
        if not 0.0 <= first_share <= 1.0:
            raise ValueError(
                "`first_share` must lie in [0, 1]. Received: "
                f"first_share={first_share}"
            )
        self._first_epochs = first_share * epochs
        self._num_labels = num_labels
        self._min_trials = min_trials
        self._window = window

    def may_stop(self, num_epochs: int) -> bool:
        """Whether the rule says anything after so many epochs."""
        return num_epochs > self._first_epochs

    def should_stop(
        self,
        accuracies: Sequence[float],
        finished: Sequence[Sequence[float]],
    ) -> bool:
        """Decides whether a trial stops now.

        Args:
            accuracies: Noisy-validation accuracy after each of the trial's
                epochs so far.
            finished: The same of each finished trial that ran to its end.

        Returns:
            A boolean.
        """
        epoch = len(accuracies)
        if not self.may_stop(epoch) or len(finished) < self._min_trials:
            return False
        median = statistics.median(
            best_mean(other[:epoch], self._window) for other in finished
        )
        margin = standard_error(median, self._num_labels)
        return best_mean(accuracies, self._window) < median - margin
