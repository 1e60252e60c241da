r"""Trains one configuration.

    python -m limit_tf.cli.train --config=configs/digits.py \
        --workdir=runs/digits [--row=NAME] [--config.KEY=VALUE ...]

`--row` takes the values that one of the configuration's rows holds; they win
over `--config.KEY=VALUE`, and `--config.rows.NAME.KEY=VALUE` changes them.

Killed and started again, it goes on where it was. The folder then holds
`results.json`, `history.csv`, `curves.png`, `best_model.keras` and TensorBoard
logs; `saved_model/1` is what `limit_tf.cli.export` makes of it. That command
publishes it for a server, or this one with `--config.export_dir=saved_models`.
"""

import functools

from limit_tf.cli import arguments
from limit_tf.cli import paths
from limit_tf.cli import row
from limit_tf.cli import running


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        paths.check_folder_to_write("workdir", arguments.WORKDIR.value)
        row.check()
    from limit_tf.experiments import Experiment
    from limit_tf.experiments import results
    from limit_tf.experiments import speed
    from limit_tf.serving.run_export import RunExport

    with running.errors_in_one_line():
        config = row.configuration()
        speed.set_threads(config)
        experiment = Experiment(
            config,
            arguments.WORKDIR.value,
            exporter=functools.partial(
                RunExport, training_command=running.command_line("train")
            ),
        )
    outcome = experiment.run()
    print(results.table([outcome]))
    print(f"\nResults: {arguments.WORKDIR.value}/results.json")
    print(results.exported(outcome))


if __name__ == "__main__":
    running.run(main)
