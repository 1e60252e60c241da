"""Searches penalties, and trains the automatic one, at several noise levels.

    python results/tuning/study.py --config=configs/digits.py \
        --workdir=runs/study --noise=symmetric:0.5,symmetric:0.8,pair:0.4 \
        --seeds=0,1,2 --output=results/tuning/digits_study.csv

from the root of the repository. For every noise and seed there is a search as
`limit_tf.cli.tune` runs it, and a run with `gradient_penalty="auto"`. Killed
and started again, it goes on where it was; two of these commands may train
different seeds in one folder. The table tells

    chosen         what the search chose
    best score     the trial of the best mean validation accuracy
    strongest tie  the strongest penalty of its family that may be as good
    best epoch     the trial of the best validation accuracy of a single epoch
    oracle         the trial of the best test accuracy: nobody could choose it
    auto           the automatic penalty

and, over all seeds of a noise (rows of the seed `all`), the same for settings
instead of trials: means over the seeds, chosen by the labels of all of them.
`--config.KEY=VALUE` changes what is trained.
"""

import copy
import csv
import dataclasses
import pathlib
import statistics

import numpy as np
from absl import flags

from limit_tf import atomic_files
from limit_tf import tuning
from limit_tf.cli import arguments
from limit_tf.cli import running
from limit_tf.experiments import Experiment
from limit_tf.experiments import speed
from limit_tf.tuning import selection

PENALTY, FAMILY = "limit.gradient_penalty", "limit.q_dist"
NOISE = flags.DEFINE_list("noise", ["symmetric:0.5"], "KIND:RATE, or none.")
SEEDS = flags.DEFINE_list("seeds", ["0"], "Values of config.seed.")
TUNER = flags.DEFINE_string("tuner", "grid", "As in limit_tf.cli.tune.")
MAX_TRIALS = flags.DEFINE_integer(
    "max_trials", None, "As in limit_tf.cli.tune: 9 for Laplace's grid alone."
)
FAMILIES = flags.DEFINE_list(
    "families", [], "Families q_dist whose trials alone count in the table."
)
START = flags.DEFINE_float("start", 10.0, "Penalty that a search begins with.")
AUTO = flags.DEFINE_bool("auto", True, "Whether to train the automatic one.")
SEARCH = flags.DEFINE_bool("search", True, "Whether to search.")
OUTPUT = flags.DEFINE_string("output", None, "CSV file to write.")


def cell(config, folder, seed):
    """Searches and trains at one noise level and seed."""
    config.seed = seed
    rows, trials = [], []
    if SEARCH.value:
        config.limit.gradient_penalty = START.value
        search = tuning.Search(
            config,
            str(folder / f"seed_{seed}"),
            tuner=TUNER.value,
            max_trials=MAX_TRIALS.value,
        )
        choice = search.run()
        trials = search.finished_trials()
        if FAMILIES.value:
            trials = [t for t in trials if t.values[FAMILY] in FAMILIES.value]
            choice = selection.select(trials, FAMILY)
        seconds = sum(trial.seconds for trial in trials)
        rows = rows_of(trials, choice, seed, seconds)
    if AUTO.value:
        config = copy.deepcopy(config)
        config.limit.gradient_penalty = "auto"
        outcome = Experiment(
            config, str(folder / f"auto_{seed}"), export=False
        ).run()
        rows.append(
            {
                "seed": seed,
                "what": "auto",
                "q_dist": config.limit.q_dist,
                "penalty": "auto",
                "score": None,
                "test_accuracy": outcome["test_accuracy"],
                "seconds": outcome["wall_seconds"],
            }
        )
    return rows, trials


def rows_of(trials, choice, seed, seconds):
    """The trials of a search that tell how good it is."""
    ties = [
        trial
        for trial in trials
        if trial.stopped_early is None
        and trial.values[FAMILY] == choice.best.values[FAMILY]
        and selection.distance(choice.best, trial).is_a_tie
    ]
    return [
        {
            "seed": seed,
            "what": what,
            "q_dist": trial.values[FAMILY],
            "penalty": trial.values[PENALTY],
            "score": round(trial.mean_accuracy, 4),
            "test_accuracy": round(trial.test_accuracy, 4),
            "seconds": seconds and round(seconds, 1),
        }
        for what, trial in (
            ("chosen", choice.chosen),
            ("best score", choice.best),
            ("strongest tie", max(ties, key=lambda t: t.values[PENALTY])),
            ("best epoch", max(trials, key=lambda t: t.valid_accuracy)),
            ("oracle", max(trials, key=lambda t: t.test_accuracy)),
        )
    ]


def pooled(searches):
    """One trial a setting, of the labels of all seeds."""
    trials = []
    for same in zip(*searches, strict=True):
        if len({str(trial.values) for trial in same}) > 1:
            raise ValueError("The searches did not try the same settings.")
        stopped = [trial.stopped_early for trial in same]
        trials.append(
            dataclasses.replace(
                same[0],
                hits=np.concatenate([trial.hits for trial in same]),
                train_accuracy=statistics.mean(t.train_accuracy for t in same),
                valid_accuracy=statistics.mean(t.valid_accuracy for t in same),
                test_accuracy=statistics.mean(t.test_accuracy for t in same),
                stopped_early=next(filter(None, stopped), None),
                num_valid_labels=sum(t.num_valid_labels for t in same),
            )
        )
    return trials


def main(argv):
    """Runs the study."""
    del argv
    config = arguments.CONFIG.value
    speed.set_threads(config)
    rows = []
    for noise in NOISE.value:
        kind, _, rate = noise.partition(":")
        config.noise.kind = kind
        config.noise.rate = float(rate) if rate else None
        folder = pathlib.Path(arguments.WORKDIR.value, noise.replace(":", "_"))
        cells = [
            cell(copy.deepcopy(config), folder, int(s)) for s in SEEDS.value
        ]
        own = [row for part, _ in cells for row in part]
        if SEARCH.value and TUNER.value == "grid":
            trials = pooled([trials for _, trials in cells])
            choice = selection.select(trials, FAMILY)
            own += rows_of(trials, choice, "all", None)
        if AUTO.value:
            auto = [r for r in own if r["what"] == "auto"]
            mean = statistics.mean(row["test_accuracy"] for row in auto)
            own.append({**auto[0], "seed": "all", "test_accuracy": mean})
        rows += [{"noise": noise, **row} for row in own]
        for row in own:
            print(noise, *row.values(), sep="  ")
    if OUTPUT.value:
        path = pathlib.Path(OUTPUT.value)
        with atomic_files.replacing(path) as temporary:
            with open(temporary, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(
                    file, list(rows[0]), lineterminator="\n"
                )
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    running.run(main)
