"""Trains runs and keeps the scores of their labels, for `coverage.py`.

    python results/detection/scores.py --config=configs/digits.py \
        --noises=symmetric:0.2,symmetric:0.5,pair:0.4 --seeds=0,1,2 \
        --workdir=runs/scores/digits

from the root of the repository. A file `KIND_RATE_SEED.npz` a run holds the
`LabelScores` of all noisy labels, training before validation, with the true
labels and the part (0, 1) of each: so estimates can be compared without
training again. Killed and started again, it goes on where it was.
`--config.KEY=VALUE` changes what is trained.
"""

import copy
import pathlib
import tempfile

import keras
import numpy as np
import tqdm
from absl import flags

from limit_tf import label_issues
from limit_tf.benchmark import score_files
from limit_tf.cli import arguments
from limit_tf.cli import running
from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import build
from limit_tf.experiments import speed

NOISES = flags.DEFINE_list("noises", ["symmetric:0.5"], "KIND:RATE of each.")
SEEDS = flags.DEFINE_list("seeds", ["0"], "Values of config.seed.")


def train(config, path):
    """Trains one run, scores its labels and writes the file."""
    loaded = build.load_data(config)
    parts = (loaded[1].train, loaded[1].validation)
    with tempfile.TemporaryDirectory() as folder:
        Experiment(config, f"{folder}/run", loaded=loaded).run()
        model = FinishedRun(f"{folder}/run").model
    scores = [label_issues.label_scores(model, part) for part in parts]
    known = score_files.KnownScores(
        label_issues.concatenated(scores),
        np.concatenate([part.clean_labels for part in parts]),
        np.repeat(
            [score_files.TRAIN, score_files.VALIDATION],
            [len(part) for part in parts],
        ),
    )
    score_files.write(path, known)


def main(argv):
    """Trains what is missing."""
    del argv
    config = arguments.CONFIG.value
    speed.set_threads(config)
    cases = [
        (*noise.split(":"), int(seed))
        for seed in SEEDS.value
        for noise in NOISES.value
    ]
    for kind, rate, seed in tqdm.tqdm(cases, "scores", unit="run"):
        path = (
            pathlib.Path(arguments.WORKDIR.value) / f"{kind}_{rate}_{seed}.npz"
        )
        if path.exists():
            continue
        own = copy.deepcopy(config)
        own.seed = seed
        own.noise.update({"kind": kind, "rate": float(rate)})
        train(own, path)
        keras.backend.clear_session()


if __name__ == "__main__":
    running.run(main)
