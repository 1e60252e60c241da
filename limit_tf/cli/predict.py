r"""Predicts images by an exported model, here or on a server.

    python -m limit_tf.cli.predict --model=saved_models/digits \
        --images=photos [--output=predictions.csv] [--top=3]
    python -m limit_tf.cli.predict --server=localhost:8501 --protocol=rest \
        --model_name=digits --images='photos/*.jpg'

`--model` is what `limit_tf.cli.export` writes; the version with the highest
number answers, or `--version`. `--images` names JPEG, PNG, GIF, BMP or WebP
files, folders of them or patterns, and arrays in .npy or .npz files, of any
size. The predictions come in the same order, as CSV with the columns

    input,class_id,class_name,probability

or as a JSON list of objects, on standard output or in a new file. `--server`
asks a server with the interfaces of TensorFlow Serving, gRPC (extra `serving`)
or REST, and tries again where that may help. No code of the training is needed.

Images that cannot be read are left out, listed with the reason on standard
error, and the exit status is 4; `--fail_fast` ends at the first one instead,
and writes nothing.
"""

import sys

from absl import flags

from limit_tf.cli import running
from limit_tf.serving import prediction_file
from limit_tf.serving.prediction_job import PROTOCOLS
from limit_tf.serving.prediction_job import PredictionJob

MODEL = flags.DEFINE_string(
    "model",
    None,
    "Folder of an exported model. With --server, it gives the names of the "
    "classes alone, for --top.",
)
VERSION = flags.DEFINE_integer(
    "version",
    None,
    "Version of the model: by default the highest one, or the server's latest.",
)
IMAGES = flags.DEFINE_multi_string(
    "images",
    None,
    "Files, folders, patterns such as 'photos/**/*.png', separated by commas, "
    "and .npy or .npz files; FILE.npz:NAME for one array of several. The flag "
    "may be repeated.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "New file to write: none is ever overwritten. By default, predictions go "
    "to standard output.",
)
FORMAT = flags.DEFINE_enum(
    "format",
    None,
    prediction_file.FORMATS,
    "By default json if --output ends in .json, else csv.",
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Most images in a batch.")
TOP = flags.DEFINE_integer("top", 1, "Number of classes to name of each image.")
SERVER = flags.DEFINE_string(
    "server", None, "host:port of a server to ask, instead of loading --model."
)
PROTOCOL = flags.DEFINE_enum(
    "protocol", "grpc", PROTOCOLS, "What the server speaks at that port."
)
MODEL_NAME = flags.DEFINE_string(
    "model_name", None, "Name of the model on the server."
)
TIMEOUT = flags.DEFINE_float(
    "timeout", 10.0, "Most seconds that one request to the server takes."
)
RETRIES = flags.DEFINE_integer(
    "retries",
    3,
    "How often a request is tried again that met a server which is busy, not "
    "reachable or late.",
)
FAIL_FAST = flags.DEFINE_bool(
    "fail_fast",
    False,
    "End at the first image that cannot be read, and write nothing.",
)


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        job = PredictionJob(
            IMAGES.value,
            model=MODEL.value,
            version=VERSION.value,
            output=OUTPUT.value,
            file_format=FORMAT.value,
            batch_size=BATCH_SIZE.value,
            num_top=TOP.value,
            server=SERVER.value,
            protocol=PROTOCOL.value,
            model_name=MODEL_NAME.value,
            timeout=TIMEOUT.value,
            num_retries=RETRIES.value,
            fail_fast=FAIL_FAST.value,
        )
        done = job.run()
        if done:
            print(done)
    if job.failures:
        _report(job.failures)


def _report(failures):
    """Lists what was not predicted on standard error, and ends the process."""
    for failure in failures:
        reason = " ".join(failure.reason.split())
        print(f"not predicted: {failure.name} ({reason})", file=sys.stderr)
    count = len(failures)
    running.fail(
        f"{count:,} image{'s' * (count > 1)} could not be predicted",
        running.PARTLY_DONE,
    )


if __name__ == "__main__":
    running.run(main, needs_keras=False, interrupted="Nothing was kept.")
