"""Several methods on the same data, split, noise and seed."""

import copy
import pathlib

import ml_collections

from limit_tf.experiments import atomic_files
from limit_tf.experiments import results
from limit_tf.experiments import settings
from limit_tf.experiments.experiment import Experiment


class Comparison:
    """Trains one configuration with several methods, one after the other.

    Each method's run has the folder of its name in `workdir` and can be killed
    and started again as any run.

    Args:
        config: Configuration; `method` is replaced.
        workdir: Folder of the comparison.
        methods: Names of the methods.

    Raises:
        ValueError: If a value is outside its range, or a folder belongs to
            another configuration or process.
        FileNotFoundError: If the data is neither there nor to be had.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: str,
        methods: list[str],
    ):
        if not methods or len(set(methods)) != len(methods):
            raise ValueError(
                "`methods` must name at least one method, none of them twice. "
                f"Received: {methods}"
            )
        self._workdir = pathlib.Path(workdir)
        self._configs = {}
        for method in methods:
            own = copy.deepcopy(config)
            own.method = method
            own.name = f"{config.name}_{method}"
            settings.check(own)
            self._configs[method] = own

    def experiments(self):
        """Yields each method's experiment, built when it is asked for."""
        for method, config in self._configs.items():
            yield Experiment(config, str(self._workdir / method))

    def summarise(self, outcomes: list[dict]) -> str:
        """Writes the curves and results side by side.

        Args:
            outcomes: Contents of the methods' `results.json`, in their order.

        Returns:
            A table of the results, and where the files are.
        """
        runs = {
            row["method"]: {
                **row,
                "history": results.read_history(self._workdir / row["method"]),
            }
            for row in outcomes
        }
        curves = self._workdir / "curves.png"
        results.write_curves(curves, runs)
        atomic_files.write_json(self._workdir / "results.json", outcomes)
        return f"{results.table(outcomes)}\n\nCurves: {curves}"
