"""Data larger than memory: written as TFRecord files, streamed, timed."""

import itertools
import os
import pathlib
import resource
import statistics
import time

import numpy as np
import tensorflow as tf

from limit_tf import atomic_files
from limit_tf import data
from limit_tf import progress
from limit_tf.benchmark.cases import Case
from limit_tf.benchmark.cases import Mode
from limit_tf.benchmark.subjects import Training

_FILE_BYTES = 256 * 2**20
_READ_BYTES = 2**20
_MOST_BYTES_READ = 2**31
# Records that a file repeats: making random images takes longer than writing.
_NUM_DRAWN = 512
_NUM_CLASSES = 10
_BATCH_SIZE = 256
_CGROUPS = (
    ("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ("", "/sys/fs/cgroup", "memory.max"),
)

# Shapes of the images by the format that the records hold them in. Networks
# are trained on the small ones; large ones show what decoding costs.
SHAPES = {"raw": (32, 32, 3), "jpeg": (224, 224, 3)}


def write_records(folder: pathlib.Path, image_format: str, size: int) -> None:
    """Writes TFRecord files of random images; those that are there stay.

    Args:
        folder: Where to write; made if it is not there.
        image_format: A key of `SHAPES`.
        size: Bytes to write, at least; a whole number of files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = SHAPES[image_format]
    num_files = -(-size // _FILE_BYTES)
    first_id = itertools.count()
    for number in progress.over(
        range(num_files), num_files, "writing records", unit="file"
    ):
        rng = np.random.default_rng(number)
        contents = [
            _content(rng, image_format, shape) for _ in range(_NUM_DRAWN)
        ]
        mean = sum(map(len, contents)) / _NUM_DRAWN
        num_records = -(-size // round(num_files * mean))
        path = folder / f"train-{number:05d}.tfrecord"
        _write_file(path, contents, num_records, first_id)
        if number == 0:
            test = folder / "test.tfrecord"
            _write_file(test, contents, _NUM_DRAWN, first_id)


def _write_file(path, contents, num_records, ids):
    numbers = list(itertools.islice(ids, num_records))
    if path.exists():
        return
    with (
        atomic_files.replacing(path) as temporary,
        tf.io.TFRecordWriter(str(temporary)) as writer,
    ):
        for number, content in zip(numbers, itertools.cycle(contents)):
            writer.write(_example(content, number))


def _example(content, number):
    def integer(value):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    features = {
        "image": image,
        "label": integer(number % _NUM_CLASSES),
        "id": integer(number),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def _content(rng, image_format, shape):
    if image_format == "raw":
        return rng.integers(0, 256, shape, np.uint8).tobytes()
    # Neighbouring pixels are alike, as in photographs.
    coarse = rng.uniform(0, 255, (shape[0] // 8, shape[1] // 8, shape[2]))
    smooth = tf.image.resize(coarse, shape[:2], "bicubic")
    noisy = smooth + rng.normal(0, 8, shape)
    pixels = tf.cast(tf.clip_by_value(noisy, 0, 255), tf.uint8)
    return tf.io.encode_jpeg(pixels).numpy()


def measure(folder: pathlib.Path, image_format: str, repeats: int) -> dict:
    """Streams the files of `write_records`, beside the same in memory.

    Args:
        folder: Where the files are.
        image_format: The format that they were written in.
        repeats: Timed rounds of training.

    Returns:
        The figures: bytes of the data and of memory, rates of the disk, of one
        pass of the pipeline with all threads and with one, memory held after
        each tenth of the pass; for raw images rates of training from the
        stream and from an array.
    """
    files = sorted(folder.glob("train-*.tfrecord"))
    start = time.perf_counter()
    images, labels = _load(folder, image_format)
    figures = {
        "image_format": image_format,
        "num_examples": len(images),
        "num_bytes": sum(file.stat().st_size for file in files),
        "memory_bytes": memory_limit(),
        "index_seconds": time.perf_counter() - start,
        "disk_bytes_per_second": _disk_rate(files),
        **_one_pass(images, labels),
    }
    if image_format == "raw":
        figures |= _training(images, labels, repeats)
    figures["peak_host_bytes"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return figures


def memory_limit() -> int:
    """Bytes of memory that this process, page cache included, may use."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller, root, name in _CGROUPS:
            file = pathlib.Path(root, path.lstrip("/"), name)
            if controller in controllers.split(",") and file.exists():
                value = file.read_text().strip()
                if value.isdecimal():
                    limit = min(limit, int(value))
    return limit


def _load(folder, image_format):
    features = {"image_key": "image", "label_key": "label", "id_key": "id"}
    if image_format == "raw":
        features |= {"image_format": "raw", "image_shape": SHAPES["raw"]}
    source = data.load(
        "tfrecord",
        data_dir=str(folder),
        tfrecord=features,
        stream=True,
        check_images=False,
    )
    return source.train.images, source.train.labels


def _disk_rate(files):
    """Bytes per second of reading files that are not in the page cache."""
    for file in files:
        with open(file, "rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    num_bytes = 0
    for file in files:
        with open(file, "rb", buffering=0) as opened:
            while content := opened.read(_READ_BYTES):
                num_bytes += len(content)
        if num_bytes >= _MOST_BYTES_READ:
            break
    return num_bytes / (time.perf_counter() - start)


def _dataset(images, labels, num_epochs=1):
    return data.training_dataset(
        images,
        labels,
        batch_size=_BATCH_SIZE,
        seed=0,
        epoch=0,
        num_epochs=num_epochs,
    )


def _one_pass(images, labels):
    """Goes through the data once, without a model."""
    dataset = _dataset(images, labels)
    num_batches = data.num_batches(len(images), _BATCH_SIZE)
    tenth = max(1, num_batches // 10)
    held = [_held_bytes()]
    start = time.perf_counter()
    for number, _ in enumerate(dataset, 1):
        if number % tenth == 0:
            held.append(_held_bytes())
    seconds = time.perf_counter() - start
    return {
        "pass_seconds": seconds,
        "pass_examples_per_second": len(images) / seconds,
        "pass_bytes_per_second": images.blocks.num_bytes / seconds,
        "host_bytes_at_each_tenth": held,
        "one_thread_examples_per_second": _one_thread_rate(dataset, tenth),
    }


def _one_thread_rate(dataset, num_batches):
    """Examples a second if one thread does all of the pipeline's work."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    iterator = iter(dataset.with_options(options))
    next(iterator)
    start = time.perf_counter()
    for _ in range(num_batches):
        next(iterator)
    return num_batches * _BATCH_SIZE / (time.perf_counter() - start)


def _held_bytes():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _training(images, labels, repeats):
    """LIMIT's step on the stream and on images in memory, in turns."""
    shape = SHAPES["raw"]
    case = Case("mnist_cnn", shape, _NUM_CLASSES, _BATCH_SIZE, 24, 24)
    training = Training("limit", case, Mode(), case.num_steps)
    # A round reads no further than the next one.
    num_epochs = 1 + 3 * case.batch_size * case.num_steps // len(images)
    stream = _dataset(images, labels, num_epochs + 1)
    seconds = {"stream": [], "memory": []}
    for _ in range(repeats):
        seconds["stream"].append(training.fit_seconds(stream, case.num_steps))
        seconds["memory"].append(training.round())
    num_examples = case.batch_size * case.num_steps
    ratios = [
        memory / stream
        for stream, memory in zip(*seconds.values(), strict=True)
    ]
    return {
        "examples_per_second": {
            name: num_examples / statistics.median(values)
            for name, values in seconds.items()
        },
        "stream_over_memory": {
            "median": statistics.median(ratios),
            "min": min(ratios),
            "max": max(ratios),
        },
    }
