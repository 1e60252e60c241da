"""The oracles that a search can ask, by the name of their tuner."""

import itertools

import keras_tuner

from limit_tf.tuning.surviving_oracle import SurvivingOracle

_MOST_BRACKETS = 3


class RandomOracle(SurvivingOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws values at random."""

    def num_trials(self) -> int:
        """Number of trials of the whole search."""
        return self.max_trials


class BayesianOracle(
    SurvivingOracle, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Fits a Gaussian process to the trials and asks where it is promising."""

    def num_trials(self) -> int:
        """Number of trials of the whole search."""
        return self.max_trials


class GridOracle(SurvivingOracle):
    """Goes through all combinations, the last hyperparameter fastest.

    keras-tuner's own goes by a queue that it does not save, so that it could
    not go on after a restart; this one goes by what was tried.
    """

    def populate_space(self, trial_id):
        """The first combination that was not tried."""
        del trial_id
        for values in self.combinations():
            if not self._duplicate(values):
                return {"status": "RUNNING", "values": values}
        return {"status": "STOPPED", "values": None}

    def combinations(self) -> list[dict]:
        """All combinations of a space of choices, the defaults first."""
        space = self.hyperparameters.space
        own = {hp.name: hp.default for hp in space}
        combinations = [
            dict(zip(own, values, strict=True))
            for values in itertools.product(*(hp.values for hp in space))
        ]
        return [own, *(values for values in combinations if values != own)]

    def num_trials(self) -> int:
        """Number of trials of the whole search."""
        everything = len(self.combinations())
        return min(self.max_trials or everything, everything)


class HyperbandOracle(SurvivingOracle, keras_tuner.oracles.HyperbandOracle):
    """Trains many briefly and the best of them longer.

    There are at most three brackets, so that the shortest trials get a ninth
    of the epochs; of less, little can be seen on noisy labels.
    """

    def _get_num_brackets(self):
        return min(_MOST_BRACKETS, super()._get_num_brackets())

    def num_trials(self) -> int:
        """Number of trials of the whole search."""
        everything = sum(
            self._get_size(bracket, number)
            for bracket in range(self._get_num_brackets())
            for number in range(self._get_num_rounds(bracket))
        )
        return min(self.max_trials or everything, everything)


ORACLES: dict[str, type[SurvivingOracle]] = {
    "hyperband": HyperbandOracle,
    "bayesian": BayesianOracle,
    "random": RandomOracle,
    "grid": GridOracle,
}
# Of the tuners that would go on for ever.
DEFAULT_MAX_TRIALS = {"bayesian": 30, "random": 30}


def build(
    tuner: str,
    hyperparameters: keras_tuner.HyperParameters,
    *,
    epochs: int,
    max_trials: int | None,
    seed: int,
    **options,
) -> SurvivingOracle:
    """Builds the oracle of a search.

    Args:
        tuner: A name in `ORACLES`.
        hyperparameters: Space, its values those of the first trial.
        epochs: Most epochs of a trial.
        max_trials: Most trials; None for the tuner's own end, or 30.
        seed: Seed of the values, at least 0.
        **options: Other arguments of `SurvivingOracle`.

    Returns:
        The oracle.
    """
    arguments = {
        "hyperparameters": hyperparameters,
        "seed": seed + 1,  # keras-tuner takes 0 for none
        **options,
    }
    if tuner == "hyperband":
        oracle = HyperbandOracle(max_epochs=epochs, **arguments)
        oracle.max_trials = max_trials
        return oracle
    most = max_trials or DEFAULT_MAX_TRIALS.get(tuner)
    return ORACLES[tuner](max_trials=most, **arguments)
