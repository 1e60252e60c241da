r"""Trains one configuration with several methods and prints them in a table.

    python -m limit_tf.cli.compare --config=configs/digits.py \
        --workdir=runs/digits [--methods=limit,cross_entropy]

`--methods` takes names of rows that the configuration defines, names of
methods, or `all` for all rows. Each one's run lies in the folder of its name
under `workdir`, its SavedModel included; killed and started again, the command
goes on where it was.
"""

import functools

from absl import flags

from limit_tf.cli import arguments
from limit_tf.cli import config_checks
from limit_tf.cli import paths
from limit_tf.cli import running

METHODS = flags.DEFINE_list(
    "methods",
    ["limit", "cross_entropy"],
    "Rows of the configuration, or methods; all takes all rows.",
)
_ALIASES = {"rows": "methods", "row": "methods"}


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        paths.check_folder_to_write("workdir", arguments.WORKDIR.value)
        config_checks.check(arguments.CONFIG.value)
        if METHODS.value != ["all"]:
            config_checks.check_rows(
                "methods", METHODS.value, arguments.CONFIG.value
            )
    from limit_tf.experiments import Comparison
    from limit_tf.experiments import speed
    from limit_tf.serving.run_export import RunExport

    with running.errors_in_one_line(_ALIASES):
        speed.set_threads(arguments.CONFIG.value)
        comparison = Comparison(
            arguments.CONFIG.value,
            arguments.WORKDIR.value,
            METHODS.value,
            exporter=functools.partial(
                RunExport, training_command=running.command_line("compare")
            ),
        )
    outcomes = []
    experiments = comparison.experiments()
    while True:
        with running.errors_in_one_line(_ALIASES):
            experiment = next(experiments, None)
        if experiment is None:
            break
        outcomes.append(experiment.run())
    print(comparison.summarise(outcomes))


if __name__ == "__main__":
    running.run(main)
