"""Tables of what `scores.py` and `imbalance.py` have kept.

    python results/detection/coverage.py runs/scores/digits runs/imbalance

from the root of the repository: how often intervals of the noise and corrected
accuracies hold the truth, and what the issues are worth, in Markdown. With
cleanlab installed, its choice on the same probabilities stands beside.
"""

import importlib.util
import pathlib
import sys

import numpy as np
import tqdm

from limit_tf.benchmark import noise_coverage
from limit_tf.benchmark import score_files
from limit_tf.experiments import results

INTERVALS = {
    "rate, sampling": "noise rate, sampling alone",
    "rate, parts": "noise rate",
    "matrix, sampling": "entries of the matrix, sampling alone",
    "matrix, parts": "entries of the matrix",
    "errors, sampling": "errors by given label, sampling alone",
    "errors, parts": "errors by given label",
    "accuracy": "corrected accuracy",
}


def cleanlabs_choice(known):
    """Figures of cleanlab's choice, on the predictor's probabilities."""
    from cleanlab import filter as cleanlab_filter

    scores = known.scores
    probs = np.zeros((len(scores), scores.num_classes))
    np.put_along_axis(
        probs, scores.top_labels.astype(np.intp), scores.top_probs, axis=1
    )
    flagged = cleanlab_filter.find_label_issues(
        scores.given_labels, probs / probs.sum(axis=1, keepdims=True), n_jobs=1
    )
    return noise_coverage.choice_of(flagged, scores, known.clean_labels)


def intervals_table(runs):
    """Coverage and mean width, a line a kind of run."""
    lines = [
        "| runs | " + " | ".join(INTERVALS.values()) + " |",
        "|---" * (len(INTERVALS) + 1) + "|",
    ]
    for name, kept in runs.items():
        found = noise_coverage.means(
            [noise_coverage.interval_figures(k) for k in tqdm.tqdm(kept, name)]
        )
        cells = [name]
        for key in INTERVALS:
            (share, width), number = found.get(key, ((0, 0), 0))
            cell = f"{share:.0%} ({width:.3f})" if number else "-"
            fewer = 0 < number < len(kept)
            cells.append(cell + (f" of {number}" if fewer else ""))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def choices_table(runs):
    """Means of precision, recall, and what becomes of rare classes."""
    choices = {"limit_tf": noise_coverage.choice_figures}
    if importlib.util.find_spec("cleanlab") is not None:
        choices["cleanlab"] = cleanlabs_choice
    lines = [
        "| runs | choice | precision | recall | right rare labels flagged | "
        "rare labels left, in truth |",
        "|---|---|---|---|---|---|",
    ]
    for name, kept in runs.items():
        for choice, figures in choices.items():
            found = noise_coverage.means([figures(k) for k in kept])
            mean = {key: value for key, (value, _) in found.items()}
            rare = "- | -"
            if mean["rare_true"]:
                rare = (
                    f"{mean['rare_flagged']:.1f} of {mean['rare_right']:.1f} "
                    f"| {mean['rare_left']:.1f}, {mean['rare_true']:.1f}"
                )
            lines.append(
                f"| {name} | {choice} | {mean['precision']:.3f} | "
                f"{mean['recall']:.3f} | {rare} |"
            )
    return lines


def main(folders):
    """Reads the folders and prints the tables."""
    runs = {}
    for folder in map(pathlib.Path, folders):
        for path in sorted(folder.glob("[!.]*.npz")):
            kind = f"{folder.name} {path.stem.rpartition('_')[0]}"
            runs.setdefault(kind, []).append(score_files.read(path))
    runs = {f"{k}, {len(v)} seeds": v for k, v in runs.items()}
    versions = results.versions()
    print(", ".join(f"{k} {v}" for k, v in versions.items()), end="\n\n")
    print("\n".join([*intervals_table(runs), "", *choices_table(runs)]))


if __name__ == "__main__":
    main(sys.argv[1:])
