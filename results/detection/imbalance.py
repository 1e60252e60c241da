"""Imbalanced classes: which right labels of a small class are called wrong.

    python results/detection/imbalance.py --workdir=runs/imbalance \
        --seeds=0,1,2,3,4,5,6,7,8,9

from the root of the repository. Points of normal classes in 20 dimensions, a
small network, `LimitModel` for 100 epochs of 64; the class of each label is
drawn anew from the others with the rate of the noise. Scores are kept as those
of `scores.py` are, so a rule is compared without training again; the table goes
to `imbalance.md` in the folder. Killed and started again, it goes on.
"""

import dataclasses
import pathlib

import keras
import numpy as np
import tqdm
from absl import app
from absl import flags

import limit_tf
from limit_tf import label_issues
from limit_tf.benchmark import score_files

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the scores.")
SEEDS = flags.DEFINE_list("seeds", ["0"], "Seeds of points, noise, networks.")
flags.mark_flag_as_required("workdir")

NUM_FEATURES = 20


@dataclasses.dataclass(frozen=True)
class Case:
    """Sizes of the classes, the rate of the noise, the penalty, epochs."""

    sizes: tuple[int, ...]
    noise_rate: float
    penalty: float
    epochs: int = 100

    @property
    def name(self):
        """Name of the case's files, without the seed."""
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes}_{self.noise_rate}_{self.penalty:g}_{self.epochs}"


CASES = [
    Case(sizes, rate, penalty)
    for sizes, rate in (
        ((950, 50), 0.1),
        ((950, 50), 0.3),
        ((900, 50, 50), 0.1),
    )
    for penalty in (10.0, 1.0)
]


def draw(case, seed):
    """Points, noisy labels and true ones."""
    rng = np.random.default_rng(seed)
    num_classes = len(case.sizes)
    clean = np.repeat(np.arange(num_classes), case.sizes)
    centres = rng.normal(0, 0.5, (num_classes, NUM_FEATURES))
    x = centres[clean] + rng.normal(0, 1, (len(clean), NUM_FEATURES))
    is_wrong = rng.random(len(clean)) < case.noise_rate
    shift = 1
    if num_classes > 2:
        shift = rng.integers(1, num_classes, len(clean))
    noisy = np.where(is_wrong, (clean + shift) % num_classes, clean)
    return x.astype(np.float32), noisy, clean


def train(case, seed):
    """Scores of the labels by a network that was trained on them."""
    keras.utils.set_random_seed(seed)
    x, noisy, clean = draw(case, seed)
    classifier = keras.Sequential(
        [
            keras.Input((NUM_FEATURES,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(len(case.sizes)),
        ]
    )
    model = limit_tf.LimitModel(classifier, gradient_penalty=case.penalty)
    # As many steps at once as an epoch has: the same updates, sooner.
    model.compile(optimizer="adam", steps_per_execution=16)
    model.fit(x, noisy, epochs=case.epochs, batch_size=64, verbose=0)
    found = label_issues.label_scores(model, x, noisy)
    parts = np.full(len(clean), score_files.TRAIN)
    return score_files.KnownScores(found, clean, parts)


def main(argv):
    """Trains what is missing."""
    del argv
    folder = pathlib.Path(WORKDIR.value)
    todo = [(case, int(seed)) for seed in SEEDS.value for case in CASES]
    for case, seed in tqdm.tqdm(todo, "imbalance", unit="run"):
        path = folder / f"{case.name}_{seed}.npz"
        if not path.exists():
            score_files.write(path, train(case, seed))
            keras.backend.clear_session()


if __name__ == "__main__":
    app.run(main)
