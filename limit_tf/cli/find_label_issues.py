r"""Finds the labels that are likely wrong, by a finished run's model.

    python -m limit_tf.cli.find_label_issues --workdir=runs/digits \
        --output=runs/digits/issues [--split=train]
        [--threshold=T | --fraction=F] [--rank_by=wrong_prob]

`--workdir` is the folder of a run of `limit_tf.cli.train`, or of one method of
`limit_tf.cli.compare`. Its data is loaded again, and the gradient predictor,
which sees inputs alone and memorises few labels, scores them. Nothing needs
to be known of the noise: its rate and the classes that it confuses are
estimated, and without `--threshold` or `--fraction` the labels that are more
likely wrong than right are taken for wrong. `--output` then holds

    issues.csv   all labels, the most suspicious first: id, given_label,
                 suggested_label, score, is_issue, clean_label where the truth
                 is known, and the figures behind the score; or issues.parquet
    noise.json   the estimated noise with intervals, and what these hold
                 (`intervals_hold`); where the truth is known, also roc_auc,
                 average_precision, precision and recall
    report.html  a page to look at the labels and decide on them

`limit_tf.cli.relabel` makes new labels of the first and the page's decisions.
"""

from absl import flags

from limit_tf.cli import paths
from limit_tf.cli import running

WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of a finished run.", required=True
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder to write to. What is there is never overwritten.",
    required=True,
)
SPLIT = flags.DEFINE_string(
    "split",
    None,
    "train, validation or test, or several joined by +. By default all labels "
    "of the source's training images: train+validation where the validation "
    "images were split off from them, else train.",
)
THRESHOLD = flags.DEFINE_float(
    "threshold", None, "Score in [0, 1] from which on a label is an issue."
)
FRACTION = flags.DEFINE_float(
    "fraction",
    None,
    "Share of the labels in [0, 1], the most suspicious ones, that are issues.",
)
RANK_BY = flags.DEFINE_string(
    "rank_by",
    "wrong_prob",
    "The score: wrong_prob, the probability that the label is wrong; or "
    "l1_distance or l2_distance of predicted and actual gradient, over the "
    "largest possible one.",
)
FORMAT = flags.DEFINE_string("format", "csv", "csv or parquet.")
REPORT_ROWS = flags.DEFINE_integer(
    "report_rows", 100_000, "Most labels in the report."
)
REPORT_IMAGES = flags.DEFINE_integer(
    "report_images", 2_000, "Most images in the report."
)
_ALIASES = {
    "file_format": "format",
    "num_report_rows": "report_rows",
    "num_report_images": "report_images",
}


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        paths.check_finished_run(WORKDIR.value)
        paths.check_folder_to_write("output", OUTPUT.value)
    from limit_tf.experiments import LabelIssueSearch

    with running.errors_in_one_line(_ALIASES):
        search = LabelIssueSearch(
            WORKDIR.value,
            OUTPUT.value,
            split=SPLIT.value,
            file_format=FORMAT.value,
            threshold=THRESHOLD.value,
            fraction=FRACTION.value,
            rank_by=RANK_BY.value,
            num_report_rows=REPORT_ROWS.value,
            num_report_images=REPORT_IMAGES.value,
        )
        print(search.run())


if __name__ == "__main__":
    running.run(main)
