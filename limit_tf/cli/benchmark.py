r"""Times training steps on this machine, side by side.

    python -m limit_tf.cli.benchmark --output=FOLDER [--quick]
        [--cases=mnist_cnn,...] [--peer=MODULE:FUNCTION]

Prints a table and writes it with `benchmark.json` to the folder. `--quick`
takes a minute on two cores, all of it ten.

A peer is another implementation of a training step, timed in turns with ours:
`FUNCTION(images, labels, batch_size, num_classes)` gets uint8 images `(n,
height, width, channels)` and int64 labels `(n,)`, and returns a function
without arguments that trains one pass over them, in batches.

    python -m limit_tf.cli.benchmark --label_issues --output=FOLDER
        --config=configs/digits.py [--config.KEY=VALUE] [--seeds=0,1,2]
        [--noises=symmetric:0.2,pair:0.4] [--cleanlab_epochs=10,30]

finds wrong labels instead: LIMIT beside cleanlab and the loss of a network
trained by cross-entropy (`limit_tf.benchmark.detection`). Killed and started
again, it goes on with the next noise and seed. cleanlab is needed:
pip install 'limit_tf[cleanlab]'.
"""

import importlib.metadata
import importlib.util
import pathlib
import shlex
import sys

from absl import flags
from ml_collections import config_flags

from limit_tf import atomic_files
from limit_tf import folders
from limit_tf import progress
from limit_tf.cli import config_checks
from limit_tf.cli import flag_words
from limit_tf.cli import paths
from limit_tf.cli import running

# Known here, before TensorFlow is; a test compares them with what they name.
CASE_NAMES = (
    "digits_cnn",
    "mnist_cnn",
    "mlp",
    "resnet34_cifar",
    "resnet34_cifar_256",
    "resnet50",
)
DEFAULT_NOISES = (
    "symmetric:0.2",
    "symmetric:0.5",
    "symmetric:0.8",
    "pair:0.2",
    "pair:0.4",
)

OUTPUT = flags.DEFINE_string(
    "output", None, "Folder of benchmark.json and benchmark.md."
)
CASES_TO_RUN = flags.DEFINE_list(
    "cases",
    None,
    f"Cases to time, of {', '.join(CASE_NAMES)}. By default all that the "
    "machine runs in minutes; with --quick mnist_cnn alone.",
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
LABEL_ISSUES = flags.DEFINE_bool(
    "label_issues", False, "Whether to find wrong labels instead."
)
CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Configuration whose labels are made wrong, with --label_issues.",
    lock_config=True,
)
SEEDS = flags.DEFINE_list("seeds", ["0"], "Values of config.seed.")
NOISES = flags.DEFINE_list(
    "noises",
    list(DEFAULT_NOISES),
    "KIND:RATE of each noise.",
)
CLEANLAB_EPOCHS = flags.DEFINE_list(
    "cleanlab_epochs", ["10", "30"], "Epochs of cleanlab's CleanLearning."
)
flags.mark_flag_as_required("output")


def main(argv):
    """Runs the command."""
    del argv
    if LABEL_ISSUES.value:
        _label_issues()
        return
    with running.errors_in_one_line():
        folder = pathlib.Path(OUTPUT.value)
        _check(folder)
    from limit_tf.benchmark import report

    with running.errors_in_one_line(), folders.made_for(folder):
        suite = _suite()
        parts = list(
            progress.over(
                suite.run(), suite.num_parts(), "benchmark", unit="part"
            )
        )
    outcome = {
        "command": _command(),
        "machine": suite.machine,
        "parts": parts,
    }
    text = report.markdown(outcome)
    atomic_files.write_json(folder / "benchmark.json", outcome)
    atomic_files.write_text(folder / "benchmark.md", text)
    print(text)


def _command():
    words = ["python", "-m", "limit_tf.cli.benchmark", *sys.argv[1:]]
    return shlex.join(words)


def _label_issues():
    with running.errors_in_one_line():
        if CONFIG.value is None:
            raise ValueError(
                "`--config` must be given with --label_issues. Received: none"
            )
        paths.check_folder_to_write("output", OUTPUT.value)
        config_checks.check(CONFIG.value)
        noises = [_kind_and_rate(noise) for noise in NOISES.value]
        epochs = [_integer(e, "cleanlab_epochs") for e in CLEANLAB_EPOCHS.value]
        seeds = [_integer(seed, "seeds") for seed in SEEDS.value]
    from limit_tf.benchmark import machine
    from limit_tf.benchmark.detection import Detection
    from limit_tf.benchmark.detection import NoiseLevel
    from limit_tf.benchmark.detection_study import DetectionStudy
    from limit_tf.experiments import results
    from limit_tf.experiments import speed

    with running.errors_in_one_line():
        speed.set_threads(CONFIG.value)
        study = DetectionStudy(
            Detection(CONFIG.value, epochs),
            OUTPUT.value,
            [NoiseLevel(*noise) for noise in noises],
            seeds,
        )
        facts, versions = machine.description(), results.versions()
        print(
            study.run(
                f"```sh\n{_command()}\n```\n\n{facts['num_cores']} cores, "
                f"{facts['processor']}; "
                + ", ".join(f"{k} {v}" for k, v in versions.items())
                + f", cleanlab {importlib.metadata.version('cleanlab')}."
            )
        )


def _integer(text, name):
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"`--{name}` must be integers. Received: {text!r}"
        ) from None


def _kind_and_rate(text):
    kind, _, rate = text.partition(":")
    try:
        number = float(rate)
    except ValueError:
        number = None
    if (
        number is None
        or kind not in ("symmetric", "uniform", "pair")
        or not 0.0 < number < 1.0
    ):
        raise ValueError(
            "`--noises` must be KIND:RATE, of the kinds symmetric, uniform and "
            f"pair and rates in (0, 1). Received: {text!r}"
        )
    return kind, number


def _check(folder):
    unknown = sorted(set(CASES_TO_RUN.value or ()) - set(CASE_NAMES))
    if unknown:
        raise ValueError(
            f"`--cases` must be of {', '.join(CASE_NAMES)}"
            f"{flag_words.closest(unknown[0], CASE_NAMES)} "
            f"Received: {', '.join(unknown)}"
        )
    peer = PEER.value
    if peer is not None and (peer.count(":") != 1 or not all(peer.split(":"))):
        raise ValueError(
            f"`--peer` must be MODULE:FUNCTION. Received: {peer!r}"
        )
    if peer is not None and not _is_there(peer.split(":")[0]):
        raise ValueError(
            "`--peer` must name a module that Python finds, for example in "
            f"PYTHONPATH. Received: {peer!r}"
        )
    paths.check_folder_to_write("output", OUTPUT.value)
    folders.check_kind(folder, folders.BENCHMARK)
    existing = folder / "benchmark.json"
    if existing.exists():
        raise ValueError(
            "`--output` must be a folder without benchmark.json, which is "
            f"never overwritten. Received: {folder}"
        )


def _is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it is said to be in
        return False


def _suite():
    from limit_tf.benchmark import CASES
    from limit_tf.benchmark import Suite

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
