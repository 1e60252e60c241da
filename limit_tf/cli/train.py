"""Trains one configuration.

    python -m limit_tf.cli.train --config=configs/digits.py \
        --workdir=runs/digits [--config.KEY=VALUE ...]

Killed and started again, it goes on where it was. The folder then holds
`results.json`, `history.csv`, `curves.png`, `best_model.keras` and TensorBoard
logs; the classifier lies as a SavedModel under `saved_models/NAME/VERSION`.
"""

from limit_tf.cli import arguments
from limit_tf.experiments import Experiment
from limit_tf.experiments import results


def main(argv):
    """Runs the command."""
    del argv
    with arguments.errors_in_one_line():
        experiment = Experiment(arguments.CONFIG.value, arguments.WORKDIR.value)
    outcome = experiment.run()
    print(results.table([outcome]))
    print(f"\nResults: {arguments.WORKDIR.value}/results.json")
    print(f"SavedModel: {outcome['saved_model']}")


if __name__ == "__main__":
    arguments.run(main)
