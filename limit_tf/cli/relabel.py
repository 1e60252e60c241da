r"""Makes a file of labels from label issues and decisions on them.

    python -m limit_tf.cli.relabel --issues=issues.csv --output=labels.csv \
        [--decisions=decisions.csv] [--action=replace|drop|down_weight] \
        [--undecided=keep|accept] [--weight=0.1]

The output is what `--config.data.labels_file=labels.csv` takes; the issues
file has all examples, CSV or Parquet. `decisions.csv` has the columns
`id,decision` and optionally `label`: `accept` or `reject`, and the name of the
class that the label should be, if not the suggested one. An accepted issue has
its label replaced, is dropped, or is trained on with a smaller weight; a
rejected one keeps its label. A label that is no class, or an id that no example
has, is refused; the classes are those of the table and of a `noise.json` beside
it. What is printed has a line a class, so that a shrinking one is seen. Nothing
is ever overwritten.
"""

from absl import flags

from limit_tf import atomic_files
from limit_tf.argument_names import given_as
from limit_tf.cli import paths
from limit_tf.cli import running

ISSUES = flags.DEFINE_string(
    "issues", None, "Table of all examples, ends in .csv or .parquet."
)
DECISIONS = flags.DEFINE_string(
    "decisions", None, "CSV file of the columns id,decision[,label]."
)
OUTPUT = flags.DEFINE_string("output", None, "New CSV file of labels.")
ACTION = flags.DEFINE_enum(
    "action",
    "replace",
    ["replace", "drop", "down_weight"],
    "What happens to accepted issues.",
)
UNDECIDED = flags.DEFINE_enum(
    "undecided",
    None,
    ["keep", "accept"],
    "What happens to issues without a decision: by default they are kept with "
    "--decisions, accepted without.",
)
WEIGHT = flags.DEFINE_float(
    "weight", 0.1, "Sample weight with --action=down_weight, in [0, 1)."
)
flags.mark_flags_as_required(["issues", "output"])


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        atomic_files.check_output(OUTPUT.value)
        paths.check_file("issues", ISSUES.value)
        paths.check_file("decisions", DECISIONS.value)
    from limit_tf.label_issues import relabel
    from limit_tf.label_issues import table

    with running.errors_in_one_line({"path": "issues"}):
        relabel.check_options(ACTION.value, UNDECIDED.value, WEIGHT.value)
        if flags.FLAGS["weight"].present and ACTION.value != "down_weight":
            raise ValueError(
                "`weight` is for --action=down_weight. Received: "
                f"weight={WEIGHT.value} with action={ACTION.value!r}"
            )
        decisions = None
        if DECISIONS.value is not None:
            with given_as({"path": "decisions"}):
                decisions = relabel.read_decisions(DECISIONS.value)
        issues = table.read(ISSUES.value)
        result = relabel.relabelled(
            issues,
            decisions,
            action=ACTION.value,
            undecided=UNDECIDED.value,
            weight=WEIGHT.value,
            class_names=relabel.class_names_beside(ISSUES.value),
        )
        relabel.warn_of_shrinking(issues, result)
        relabel.write(OUTPUT.value, result)
    print(relabel.summary(issues, result))
    print(f"Labels: {OUTPUT.value}")


if __name__ == "__main__":
    running.run(main, interrupted="Nothing was written.")
