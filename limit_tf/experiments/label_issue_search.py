"""Wrong labels in the data of a finished run: tables and a report."""

import dataclasses
import pathlib

import numpy as np
from absl import logging
from sklearn import metrics

from limit_tf import atomic_files
from limit_tf import data
from limit_tf import folders
from limit_tf.data.pixel_range import to_file_range
from limit_tf.experiments.finished_run import FinishedRun
from limit_tf.label_issues import LabelIssues
from limit_tf.label_issues import concatenated
from limit_tf.label_issues import estimate_noise
from limit_tf.label_issues import find_label_issues
from limit_tf.label_issues import label_scores
from limit_tf.label_issues import table
from limit_tf.label_issues.finding import check_rule
from limit_tf.label_issues.report import write_report
from limit_tf.noise.arguments import check_integer

SPLITS = ("train", "validation", "test")
FORMATS = {"csv": table.write_csv, "parquet": table.write_parquet}
NOISE_FILE, REPORT_FILE = "noise.json", "report.html"


class LabelIssueSearch:
    """Finds the wrong labels in a finished run's data.

    The constructor checks all that can be wrong with the arguments; `run`
    does the work.

    Args:
        workdir: Folder of the run.
        output: Folder to write to; none of the files may be there yet.
        split: `"train"`, `"validation"` or `"test"`, or several joined by
            `"+"`. None takes all labels of one origin: train, and of validation
            and test those that were split off from it, unless the labels of
            the test part are checked. The noise is estimated from all of them
            also where only a part is asked for.
        file_format: `"csv"` or `"parquet"`.
        threshold: As in `limit_tf.label_issues.find_label_issues`.
        fraction: As there.
        rank_by: As there.
        num_report_rows: Most rows in the report.
        num_report_images: Most images in the report.

    Raises:
        ValueError: If an argument is wrong, and which.
    """

    def __init__(
        self,
        workdir: str,
        output: str,
        *,
        split: str | None = None,
        file_format: str = "csv",
        threshold: float | None = None,
        fraction: float | None = None,
        rank_by: str = "wrong_prob",
        num_report_rows: int = 100_000,
        num_report_images: int = 2_000,
    ):
        self._run = FinishedRun(workdir)
        self._splits = None if split is None else _checked_split(split)
        if file_format not in FORMATS:
            raise ValueError(
                f"`file_format` must be one of {', '.join(FORMATS)}. "
                f"Received: {file_format!r}"
            )
        self._format = file_format
        self._rule = {
            "threshold": threshold,
            "fraction": fraction,
            "rank_by": rank_by,
        }
        check_rule(**self._rule)
        self._num_report_rows = check_integer(
            num_report_rows, "num_report_rows", low=1
        )
        self._num_report_images = check_integer(
            num_report_images, "num_report_images", low=0
        )
        self._output = pathlib.Path(output)
        self._table = f"issues.{file_format}"
        folders.check_kind(self._output, folders.ISSUES)
        _check_output(self._output, (self._table, NOISE_FILE, REPORT_FILE))

    def run(self) -> str:
        """Scores the labels, and writes the table, the noise, the report.

        Returns:
            What was found, in a few lines.
        """
        # Made before the work, which takes long; gone again if that fails.
        with folders.made_for(self._output):
            return self._search()

    def _search(self):
        run = self._run
        source, splits = run.loaded
        noisy = _noisy_splits(source)
        names = self._splits or noisy
        left_out = _left_out(source, splits, names)
        parts = [getattr(splits, name) for name in names]
        if not hasattr(run.model, "gradient_predictor"):
            logging.warning(
                "%s has no gradient predictor: its classifier scores the "
                "labels, and may have memorised wrong ones",
                run.config.method,
            )
        # Labels of one origin: what is memorised of some shows less noise than
        # there is, what is not known of the others more.
        origin = noisy if set(names) <= set(noisy) else names
        scores = {
            name: label_scores(run.model, getattr(splits, name))
            for name in origin
        }
        noise = estimate_noise(
            concatenated(list(scores.values())),
            parts=np.repeat(
                np.arange(len(origin)), [len(scores[name]) for name in origin]
            ),
        )
        scores = concatenated([scores[name] for name in names])
        split_of = np.repeat(names, [len(part) for part in parts])
        clean_labels = _clean_labels(parts)
        issues = find_label_issues(
            scores,
            noise=noise,
            class_names=source.class_names,
            clean_labels=clean_labels,
            **self._rule,
        )
        issues = dataclasses.replace(
            issues,
            details={"split": split_of[issues.positions], **issues.details},
        )
        found = noise.to_json(source.class_names)
        found["estimated_from"] = list(origin)
        found["rule"] = issues.rule
        found["num_issues"] = issues.num_issues
        found["num_labels"] = len(issues)
        found["left_out"] = left_out
        if clean_labels is not None:
            found |= detection_figures(issues)
            found["by_split"] = {
                name: detection_figures(
                    issues.take(issues.details["split"] == name)
                )
                for name in names
            }
        folders.mark(self._output, folders.ISSUES)
        FORMATS[self._format](self._output / self._table, issues)
        atomic_files.write_json(self._output / NOISE_FILE, found)
        write_report(
            self._output / REPORT_FILE,
            issues,
            noise,
            title=f"Label issues: {run.config.name}",
            images=_shown(parts, source.pixel_max),
            facts=self._facts(names, left_out),
            max_rows=self._num_report_rows,
            max_images=self._num_report_images,
        )
        return self._summary(found, len(issues), noise)

    def _facts(self, names, left_out):
        results = self._run.results
        return {
            "Data": f"{self._run.config.data.name}, {' and '.join(names)}",
            "Model": f"{self._run.config.method}, epoch "
            f"{results['best_epoch']} of {results['num_epochs']}",
            "Run": str(self._run.path),
            "Left out": _left_out_words(left_out) or "no label",
        }

    def _summary(self, found, num_labels, noise):
        low, high = found["noise_rate_interval"]
        lines = [
            f"{num_labels:,} labels, {found['num_issues']:,} likely wrong "
            f"({found['rule']})",
            f"Left out: {_left_out_words(found['left_out']) or 'no label'}",
            f"Noise rate, estimated from {noise.num_examples:,} labels "
            f"({' and '.join(found['estimated_from'])}): "
            f"{noise.noise_rate:.1%}, {noise.interval_name} {low:.1%} to "
            f"{high:.1%} ({noise.intervals_hold})",
        ]
        if "roc_auc" in found:
            lines.append(
                f"True noise rate {found['true_noise_rate']:.1%}; "
                + ", ".join(
                    f"{name} {_word(found[key])}"
                    for name, key in (
                        ("ROC AUC", "roc_auc"),
                        ("average precision", "average_precision"),
                        ("precision", "precision"),
                        ("recall", "recall"),
                    )
                )
            )
        files = (self._table, NOISE_FILE, REPORT_FILE)
        return "\n".join([*lines, *(f"{self._output / f}" for f in files)])


def detection_figures(issues: LabelIssues) -> dict[str, float | None]:
    """Measures issues against the true labels.

    Args:
        issues: Issues whose `clean_labels` are known.

    Returns:
        `true_noise_rate`; `roc_auc` and `average_precision` of the order;
        `precision` and `recall` of the choice, `precision_at_true_number` of
        as many first rows as labels are wrong. None where one is not defined,
        as without a wrong label.
    """
    is_wrong = issues.given_labels != issues.clean_labels
    num_wrong = int(is_wrong.sum())
    hits = int((is_wrong & issues.is_issue).sum())
    both = 0 < num_wrong < len(is_wrong)
    ranks = -np.arange(len(is_wrong))  # Scores near 1 are equal in the table.
    return {
        "true_noise_rate": float(is_wrong.mean()),
        "roc_auc": float(metrics.roc_auc_score(is_wrong, ranks))
        if both
        else None,
        "average_precision": float(
            metrics.average_precision_score(is_wrong, ranks)
        )
        if num_wrong
        else None,
        "precision": _ratio(hits, issues.num_issues),
        "recall": _ratio(hits, num_wrong),
        "precision_at_true_number": _ratio(
            int(is_wrong[:num_wrong].sum()), num_wrong
        ),
    }


def _ratio(part, whole):
    return part / whole if whole else None


def _word(value):
    return "-" if value is None else f"{value:.4f}"


def _checked_split(split):
    names = split.split("+")
    if len(set(names)) < len(names) or not set(names) <= set(SPLITS):
        raise ValueError(
            f"`split` must be one of {', '.join(SPLITS)}, or several joined "
            f"by +. Received: split={split!r}"
        )
    return names


def _noisy_splits(source):
    names = ["train"]
    if source.validation is None:
        names.append("validation")
    if source.test_is_held_out and not source.test_labels_are_checked:
        names.append("test")
    return names


def _left_out(source, splits, names):
    """Number of labels of the source that are not looked at, by the reason."""
    counts = dict(splits.left_out)
    for name in SPLITS:
        if name in names:
            continue
        reason = f"of the {name} part (see --split)"
        if name == "test" and source.test_labels_are_checked:
            reason = "of the test part, whose labels count as checked"
        counts[reason] = len(getattr(splits, name))
    return {reason: count for reason, count in counts.items() if count}


def _left_out_words(counts):
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())


def _check_output(folder, files):
    for name in files:
        if (folder / name).exists():
            raise ValueError(
                f"`output` must be a folder without {name}, which is never "
                f"overwritten. Received: {folder}"
            )


def _clean_labels(parts):
    if any(part.clean_labels is None for part in parts):
        return None
    return np.concatenate([part.clean_labels for part in parts])


def _shown(parts, pixel_max):
    """What the report shows of the examples, as `write_report` takes it."""
    images = parts[0].images
    if images.dtype == np.uint8:
        return lambda positions: to_file_range(
            _images(parts, positions), pixel_max
        )
    if len(images.shape) == 2:
        return np.concatenate([part.images for part in parts])
    return None


def _images(parts, positions):
    """Loads the images at positions in all parts, one after the other."""
    positions = np.asarray(positions)
    ends = np.cumsum([len(part) for part in parts])
    owners = np.searchsorted(ends, positions, side="right")
    loaded = None
    for number, part in enumerate(parts):
        rows = np.flatnonzero(owners == number)
        if not len(rows):
            continue
        within = positions[rows] - (ends[number] - len(part))
        images = data.load_images(part.images, within)
        if loaded is None:
            loaded = np.empty((len(positions), *images.shape[1:]), images.dtype)
        loaded[rows] = images
    return loaded
