r"""Exports a finished run's classifier for TensorFlow Serving.

    python -m limit_tf.cli.export --workdir=runs/digits \
        [--output=saved_models/digits] [--with_predictor] [--keep=N]
        [--format=tflite] [--precision=float16] [--xla] [--version=N]

`--workdir` is the folder of a run of `limit_tf.cli.train`, or of one method of
`limit_tf.cli.compare`. `--output` then holds one more numbered version, which
appears whole or not at all:

    saved_model.pb, variables/   with the signatures serving_default (images to
                                 logits, probabilities, class_ids, class_names),
                                 serving_bytes (JPEG or PNG files to the same),
                                 classify (tf.train.Example), and label_scores
                                 with --with_predictor
    assets/labels.txt            the class names
    assets.extra/                requests of real test examples that warm up a
                                 server; they need tensorflow-serving-api
    model_card.json, .md         what is known of the model, and what is not

A server that polls the folder changes to the new version. One with other
classes, another input shape or other signatures than the newest one is
therefore refused, unless `--replace_interface` says that clients know.

Pixels go in as the data set has them: they are scaled inside. The folder above
`--output` gets models.config, batching.config and monitoring.config for
tensorflow_model_server; the model is added to the first, and what is in the
files is never changed.

`--format=tflite` writes model.tflite and labels.txt instead, whose answers are
compared with the Keras model's before they are published.
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
    "Folder of the model's versions; its name is the model's. By default "
    "saved_models/NAME, with the name of the run's configuration.",
)
REPLACE_INTERFACE = flags.DEFINE_bool(
    "replace_interface",
    False,
    "Let the version have other classes, another input shape or other "
    "signatures than the newest one.",
)
WITH_PREDICTOR = flags.DEFINE_bool(
    "with_predictor",
    False,
    "Export the gradient predictor, too, to score labels.",
)
KEEP = flags.DEFINE_integer(
    "keep",
    None,
    "Once the new version is there, remove all but so many of the highest "
    "ones. With 2 or more, a server that still loads the one before is not "
    "disturbed.",
)
FORMAT = flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "tflite"],
    "What the version holds.",
)
PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "float16"],
    "float16 keeps the weights in half precision. The computation stays that "
    "of the networks.",
)
XLA = flags.DEFINE_bool("xla", False, "Compile the networks by XLA.")
VERSION = flags.DEFINE_integer(
    "version", None, "Number of the version; by default the next one."
)
CLASS_NAMES = flags.DEFINE_list(
    "class_names", None, "Names of the classes; by default those of the data."
)
WARMUP = flags.DEFINE_enum(
    "warmup",
    "auto",
    ["auto", "on", "off"],
    "Requests to warm up a server; auto writes them if "
    "tensorflow-serving-api is installed.",
)


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        paths.check_finished_run(WORKDIR.value)
        if OUTPUT.value is not None:
            paths.check_folder_to_write("output", OUTPUT.value)
    from limit_tf.experiments import FinishedRun
    from limit_tf.serving import export

    with running.errors_in_one_line():
        run = FinishedRun(WORKDIR.value)
        output = OUTPUT.value
        if output is None:
            output = f"saved_models/{run.config.name}"
        exporter = export.ClassifierExport(
            run,
            output,
            replace_interface=REPLACE_INTERFACE.value,
            with_predictor=WITH_PREDICTOR.value,
            keep=KEEP.value,
            file_format=FORMAT.value,
            precision=PRECISION.value,
            xla=XLA.value,
            version=VERSION.value,
            class_names=CLASS_NAMES.value,
            warmup_requests=WARMUP.value,
            command=running.command_line("export"),
        )
        exporter.run()
        print(exporter.summary())


if __name__ == "__main__":
    running.run(main)
