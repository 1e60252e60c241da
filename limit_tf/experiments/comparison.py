"""Several methods on the same data, split, noise and seed."""

import pathlib

import ml_collections

from limit_tf import atomic_files
from limit_tf import folders
from limit_tf.experiments import results
from limit_tf.experiments import settings
from limit_tf.experiments.experiment import Experiment
from limit_tf.experiments.experiment import Exporter
from limit_tf.experiments.initialisation import check_start
from limit_tf.experiments.methods import METHODS
from limit_tf.experiments.methods import STARTING_METHODS

ALL = "all"
# The row from which methods that need a trained classifier start.
_START = "cross_entropy"


class Comparison:
    """Trains rows of a table, one after the other.

    A row is a name in `config.rows`, which holds the values in which it
    differs from the configuration, or the name of a method. Each row's run has
    the folder of its name in `workdir` and can be killed and started again as
    any run. `init_from` may name a row that stands before.

    Args:
        config: Configuration.
        workdir: Folder of the comparison.
        rows: Names of the rows; `["all"]` takes those of `config.rows`.
        exporter: Exports each run once it is finished, see `Experiment`.

    Raises:
        ValueError: If a value is outside its range, or a folder belongs to
            another configuration or process.
        FileNotFoundError: If the data is neither there nor to be had.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: str,
        rows: list[str],
        *,
        exporter: Exporter | None = None,
    ):
        known = config.get("rows", {})
        if rows == [ALL]:
            rows = list(known) or list(METHODS)
        if not rows or len(set(rows)) != len(rows):
            raise ValueError(
                "`rows` must name at least one row, none of them twice. "
                f"Received: {rows}"
            )
        folders.check_own(workdir, folders.COMPARISON, "workdir")
        self._workdir = pathlib.Path(workdir)
        self._exporter = exporter
        self._reported = settings.reported(config)
        self._known = known
        self._configs = {}
        for row in rows:
            own = settings.of_row(config, row)
            own.name = f"{config.name}_{row}"
            self._start_from_row(own, row)
            settings.check(own)
            if exporter is not None:
                exporter(own)  # Now, not when its turn comes.
            self._configs[row] = own

    def _start_from_row(self, config, row):
        """Resolves the name of a row that the run starts from."""
        start = config.init_from
        if start is None and config.method in STARTING_METHODS:
            given = config.forward_correction.transition_matrix is not None
            if config.method != "forward_correction" or not given:
                start = _START
        if start in self._configs:
            config.init_from = str(self._workdir / start)
        elif start == _START or start in self._known:
            raise ValueError(
                f"`rows` must name {start!r} before {row!r}, which starts "
                "from it, unless config.init_from is given. Received: "
                f"{[*self._configs, row]}"
            )
        elif start is not None:
            check_start(start, config)

    def experiments(self):
        """Yields each row's experiment, built when it is asked for."""
        for row, config in self._configs.items():
            experiment = Experiment(
                config, str(self._workdir / row), exporter=self._exporter
            )
            folders.mark(self._workdir, folders.COMPARISON)
            yield experiment

    def summarise(self, outcomes: list[dict]) -> str:
        """Writes the curves and results side by side.

        Args:
            outcomes: Contents of the rows' `results.json`, in their order.

        Returns:
            A table of the results, and where the files are.
        """
        named = [
            {"row": row, "reported": self._reported.get(row), **outcome}
            for row, outcome in zip(self._configs, outcomes, strict=True)
        ]
        curves = self._workdir / "curves.png"
        results.write_curves(
            curves,
            {
                outcome["row"]: {
                    **outcome,
                    "history": results.read_history(
                        self._workdir / outcome["row"]
                    ),
                }
                for outcome in named
            },
        )
        atomic_files.write_json(self._workdir / "results.json", named)
        atomic_files.write_text(
            self._workdir / "table.md", results.markdown_table(named)
        )
        return (
            f"{results.table(named)}\n\n"
            f"Curves: {curves}\nTable: {self._workdir / 'table.md'}"
        )
