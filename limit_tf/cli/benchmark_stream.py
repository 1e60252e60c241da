r"""Times training on a stream of TFRecord files larger than memory.

    python -m limit_tf.cli.benchmark_stream --records=FOLDER --gigabytes=20 \
        --output=runs/stream [--image_format=jpeg]

Writes random images to the folder, where they stay, for the next time or to be
deleted. To make data ten times larger than memory without as large a disk,
give the command little memory, for example by `systemd-run --scope -p
MemoryMax=2G`; the page cache counts in it.
"""

import pathlib
import shlex
import shutil
import sys

from absl import flags

from limit_tf import atomic_files
from limit_tf import folders
from limit_tf.cli import running

RECORDS = flags.DEFINE_string("records", None, "Folder of TFRecord files.")
OUTPUT = flags.DEFINE_string("output", None, "Folder of stream.json.")
GIGABYTES = flags.DEFINE_float(
    "gigabytes", 1.0, "Size of the data.", lower_bound=0.001
)
IMAGE_FORMAT = flags.DEFINE_enum(
    "image_format",
    "raw",
    ["jpeg", "raw"],
    "raw: 32 x 32 pixels, trained on; jpeg: 224 x 224, decoded only.",
)
REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Timed rounds of training.", lower_bound=1
)
flags.mark_flags_as_required(["records", "output"])


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line():
        output = pathlib.Path(OUTPUT.value, "stream.json")
        folder = pathlib.Path(RECORDS.value, IMAGE_FORMAT.value)
        size = round(GIGABYTES.value * 1e9)
        _check(output, folder, size)
    from limit_tf.benchmark import machine
    from limit_tf.benchmark import streaming
    from limit_tf.experiments import results
    from limit_tf.experiments import speed

    with (
        running.errors_in_one_line(),
        folders.made_for(output.parent),
        folders.made_for(folder),
    ):
        speed.split_cores()
        streaming.write_records(folder, IMAGE_FORMAT.value, size)
        figures = streaming.measure(folder, IMAGE_FORMAT.value, REPEATS.value)
    words = ["python", "-m", "limit_tf.cli.benchmark_stream", *sys.argv[1:]]
    outcome = {
        "command": shlex.join(words),
        "machine": {
            **machine.description(),
            "versions": results.versions(),
        },
        **figures,
    }
    atomic_files.write_json(output, outcome)
    print("\n".join(_lines(figures)))
    print(f"\nFigures: {output}")


def _check(output, folder, size):
    if output.exists():
        raise ValueError(
            "`output` must be a folder without stream.json, which is never "
            f"overwritten. Received: {output.parent}"
        )
    folders.check_kind(output.parent, folders.STREAM)
    for path in (folder.parent, folder):
        folders.check_kind(path, folders.STREAM, "records")
    there = sum(file.stat().st_size for file in folder.glob("*.tfrecord"))
    existing = next(p for p in [folder, *folder.parents] if p.exists())
    free = shutil.disk_usage(existing).free
    if size - there > free:
        raise ValueError(
            "`gigabytes` must fit on the disk of `records`, which has "
            f"{free / 1e9:.1f} left. Received: gigabytes={size / 1e9:g}"
        )


def _lines(figures):
    """The figures in words."""
    size, memory = figures["num_bytes"], figures["memory_bytes"]
    held = figures["host_bytes_at_each_tenth"]
    yield (
        f"{figures['num_examples']:,} images, {size / 1e9:.1f} GB, "
        f"{size / memory:.1f} times the memory; labels read in "
        f"{figures['index_seconds']:.0f} s"
    )
    yield (
        f"one pass: {figures['pass_examples_per_second']:,.0f} images/s, "
        f"{figures['pass_bytes_per_second'] / 1e6:,.0f} MB/s (the disk: "
        f"{figures['disk_bytes_per_second'] / 1e6:,.0f}), with one thread "
        f"{figures['one_thread_examples_per_second']:,.0f} images/s"
    )
    yield (
        f"memory held: {held[1] / 1e6:,.0f} MB after a tenth of the pass, "
        f"{held[-1] / 1e6:,.0f} MB after it"
    )
    if "examples_per_second" in figures:
        rates = figures["examples_per_second"]
        ratio = figures["stream_over_memory"]
        yield (
            f"training: {rates['stream']:,.0f} images/s from the stream, "
            f"{rates['memory']:,.0f} from memory: {ratio['median']:.2f} "
            f"({ratio['min']:.2f} to {ratio['max']:.2f})"
        )


if __name__ == "__main__":
    running.run(main, interrupted="Files of images that are whole stay.")
