"""Times training steps on this machine, side by side.

    python -m limit_tf.cli.benchmark --output=FOLDER [--quick]
        [--cases=mnist_cnn,...] [--peer=MODULE:FUNCTION]

Prints a table and writes it with `benchmark.json` to the folder. `--quick`
takes a minute on two cores, all of it ten.

A peer is another implementation of a training step, timed in turns with ours:
`FUNCTION(images, labels, batch_size, num_classes)` gets uint8 images `(n,
height, width, channels)` and int64 labels `(n,)`, and returns a function
without arguments that trains one pass over them, in batches.
"""

import importlib.util
import pathlib
import shlex
import sys

import tqdm
from absl import flags

from limit_tf.benchmark import CASES
from limit_tf.benchmark import Suite
from limit_tf.benchmark import report
from limit_tf.cli import running
from limit_tf.experiments import atomic_files

OUTPUT = flags.DEFINE_string(
    "output", None, "Folder of benchmark.json and benchmark.md."
)
CASES_TO_RUN = flags.DEFINE_list(
    "cases",
    None,
    f"Cases to time, of {', '.join(CASES)}. By default all that the machine "
    "runs in minutes; with --quick mnist_cnn alone.",
)
QUICK = flags.DEFINE_bool(
    "quick", False, "Whether to time the default mode and LIMIT alone."
)
REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Timed rounds of each subject.", lower_bound=1
)
PEER = flags.DEFINE_string(
    "peer", None, "MODULE:FUNCTION of another implementation to time."
)
flags.mark_flag_as_required("output")


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        folder = pathlib.Path(OUTPUT.value)
        _check(folder)
        folder.mkdir(parents=True, exist_ok=True)
        suite = _suite()
        parts = list(
            tqdm.tqdm(suite.run(), "benchmark", suite.num_parts(), unit="part")
        )
    words = ["python", "-m", "limit_tf.cli.benchmark", *sys.argv[1:]]
    outcome = {
        "command": shlex.join(words),
        "machine": suite.machine,
        "parts": parts,
    }
    text = report.markdown(outcome)
    atomic_files.write_json(folder / "benchmark.json", outcome)
    atomic_files.write_text(folder / "benchmark.md", text)
    print(text)


def _check(folder):
    unknown = set(CASES_TO_RUN.value or ()) - set(CASES)
    if unknown:
        raise ValueError(
            f"`cases` must be of {list(CASES)}. Received: {sorted(unknown)}"
        )
    peer = PEER.value
    if peer is not None and (peer.count(":") != 1 or not all(peer.split(":"))):
        raise ValueError(f"`peer` must be MODULE:FUNCTION. Received: {peer!r}")
    if peer is not None and not _is_there(peer.split(":")[0]):
        raise ValueError(
            "`peer` must name a module that Python finds, for example in "
            f"PYTHONPATH. Received: {peer!r}"
        )
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` must be a folder. Received: {folder}")
    existing = folder / "benchmark.json"
    if existing.exists():
        raise ValueError(
            "`output` must be a folder without benchmark.json, which is never "
            f"overwritten. Received: {folder}"
        )


def _is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it is said to be in
        return False


def _suite():
    names = CASES_TO_RUN.value
    suite = Suite(
        [CASES[name] for name in names or ["mnist_cnn"]],
        REPEATS.value,
        quick=QUICK.value,
        peer=PEER.value,
    )
    if names is None and not QUICK.value:
        suite.cases = [
            case
            for case in CASES.values()
            if suite.on_gpu or not case.needs_gpu
        ]
    return suite


if __name__ == "__main__":
    running.run(main)
