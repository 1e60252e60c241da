r"""Searches for a configuration's best values, from noisy labels alone.

    python -m limit_tf.cli.tune --config=configs/digits.py \
        --workdir=runs/tune [--row=NAME]
        [--tuner=grid|random|bayesian|hyperband]
        [--max_trials=N] [--budget_minutes=M] [--train_best] [--seed=S]

The values are those of `config.method`: the penalty, the family and more for
LIMIT, the like for the others. `--row` takes the values that one of the
configuration's rows holds, as `limit_tf.cli.train` does. A trial is a run under
`runs/tune/trials`; it is judged by its accuracy on the validation labels, noisy
ones unless the configuration says otherwise, in its best 20 consecutive epochs
(a fifth of the epochs if they are fewer than 100). All trials predict the same
labels: of those that are behind the best one by no more than the difference's
standard error, are of its family `q_dist` and memorise no more labels than any
of these, the best is chosen (see `limit_tf.tuning.selection`).
Killed and started again, the search goes on where it was; with a larger
`--max_trials` or `--budget_minutes` it goes on after its end, with the trials
that the budget interrupted too. The folder then holds

    best_config.py  the choice, for `limit_tf.cli.train --config=`
    trials.csv      all finished trials; `corrected_accuracy` is an estimate of
                    the accuracy on true labels, where there can be one;
                    `correction` says what from, or why there is none
    tuning.png      penalty against accuracy, and all values

and `tensorboard --logdir=runs/tune` shows the trials on its HParams page.

Hyperband trains many trials for a ninth of the epochs, a third of them anew for
a third, and so on; a trial always starts from the beginning, so those that get
more epochs repeat the first ones. Strong penalties learn slowly and are easily
lost that way. The other tuners train every trial in full, unless it falls
behind the median of those before. A schedule of learning rates keeps its epochs
in a shorter trial too.

Several processes share a search through keras-tuner's service: the same command
with the same folder, and in the environment

    KERASTUNER_ORACLE_IP=127.0.0.1 KERASTUNER_ORACLE_PORT=8000
    KERASTUNER_TUNER_ID=chief       for one, which trains nothing and reports
    KERASTUNER_TUNER_ID=worker0     for the next, and so on

Killed workers may return or not: the next one that asks gets their trial and
goes on where they were. The workers must see the chief's folder. The chief
listens on that address alone: 127.0.0.1 for this machine's workers. The
connections are not encrypted: for a private network only.

keras-tuner is needed: pip install 'limit_tf[tuning]'.
"""

import functools

from absl import flags

from limit_tf.cli import arguments
from limit_tf.cli import paths
from limit_tf.cli import row
from limit_tf.cli import running

TUNER = flags.DEFINE_enum(
    "tuner",
    "grid",
    ["grid", "random", "bayesian", "hyperband"],
    "How values are chosen.",
)
MAX_TRIALS = flags.DEFINE_integer(
    "max_trials",
    None,
    "Most trials. By default 30 for bayesian and random, the whole grid, and "
    "one round of Hyperband.",
)
BUDGET_MINUTES = flags.DEFINE_float(
    "budget_minutes",
    None,
    "Minutes after which the search ends, over all its starts.",
)
SEED = flags.DEFINE_integer(
    "seed", 0, "Seed of the values that are tried; config.seed is another."
)
TRAIN_BEST = flags.DEFINE_bool(
    "train_best",
    False,
    "Whether to train the choice at the end, in WORKDIR/best, and export it.",
)


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        paths.check_folder_to_write("workdir", arguments.WORKDIR.value)
        row.check()
    from limit_tf.experiments import results
    from limit_tf.experiments import speed
    from limit_tf.serving.run_export import RunExport

    with running.errors_in_one_line():
        config = row.configuration()
        tuning = _tuning()
        speed.set_threads(config)
        exporter = functools.partial(
            RunExport, training_command=running.command_line("tune")
        )
        if TRAIN_BEST.value:
            exporter(config)  # Now, not after the search.
        search = tuning.Search(
            config,
            arguments.WORKDIR.value,
            tuner=TUNER.value,
            max_trials=MAX_TRIALS.value,
            budget_minutes=BUDGET_MINUTES.value,
            seed=SEED.value,
        )
        selection = search.run()
    if selection is None:
        return
    print(search.summary(selection))
    if TRAIN_BEST.value:
        outcome = search.train_best(selection, exporter=exporter)
        print(f"\n{results.table([outcome])}")
        print(f"\nResults: {arguments.WORKDIR.value}/best/results.json")
        print(results.exported(outcome))


def _tuning():
    """Imports the room that needs keras-tuner."""
    try:
        from limit_tf import tuning
    except ModuleNotFoundError as error:
        raise RuntimeError(str(error)) from error
    return tuning


if __name__ == "__main__":
    running.run(main)
