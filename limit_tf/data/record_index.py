"""What is known of TFRecord files after one pass: labels, ids, places."""

import dataclasses
import pathlib
import re

import numpy as np
import tensorflow as tf

from limit_tf import progress
from limit_tf.data.host_tensors import captured
from limit_tf.data.labels import check_labels
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.parallelism import with_fixed_parallelism
from limit_tf.data.record_features import RecordFeatures

_BATCH_SIZE = 256
# Bytes of records that are read one after the other in a shuffled pass.
_BLOCK_BYTES = 4 * 2**20
_READ_BYTES = 2**20
# Functions are called for so many records at a time, or fewer large ones.
_CHUNK_SIZE = 64
_CHUNK_BYTES = 2**18
# A record's length and two checksums.
_FRAME_BYTES = 16
# From this number of bytes on, the pass shows a progress bar.
_MANY_BYTES = 2**30


@dataclasses.dataclass(frozen=True, eq=False)
class RecordBlocks:
    """Runs of records that lie one after the other in a file.

    Attributes:
        paths: File of each block, shape `(num_blocks,)`, strings.
        compressions: `"GZIP"` or `""`, shape `(num_blocks,)`; a compressed
            file is one block.
        offsets: Byte at which each block begins, shape `(num_blocks,)`.
        positions: Number of each block's first record, counted through all
            blocks, shape `(num_blocks,)`.
        sizes: Number of records of each block, shape `(num_blocks,)`.
        num_bytes: Bytes of all records together.
    """

    paths: np.ndarray
    compressions: np.ndarray
    offsets: np.ndarray
    positions: np.ndarray
    sizes: np.ndarray
    num_bytes: int

    def __len__(self) -> int:
        """Returns the number of blocks."""
        return len(self.sizes)

    @property
    def num_records(self) -> int:
        """The number of records of all blocks."""
        return int(self.sizes.sum())

    def reader(self):
        """Returns a function from a block's number to its records.

        Returns:
            A function for `Dataset.interleave` or `flat_map`. Its data set has
            pairs of the numbers of up to 64 records, int64, and the records,
            strings.
        """
        paths = captured(self.paths)
        compressions = captured(self.compressions)
        offsets = captured(self.offsets)
        positions = captured(self.positions)
        sizes = captured(self.sizes)
        bytes_a_record = self.num_bytes // self.num_records
        chunk_size = max(1, min(_CHUNK_SIZE, _CHUNK_BYTES // bytes_a_record))

        def chunks_of(block):
            records = _records(
                paths[block], compressions[block], offsets[block]
            )
            chunks = records.take(sizes[block]).batch(chunk_size)

            def numbered(i, chunk):
                first = positions[block] + i * chunk_size
                return first + tf.range(tf.size(chunk, tf.int64)), chunk

            return chunks.enumerate().map(numbered)

        return chunks_of


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """The records of one part of a data set.

    Attributes:
        blocks: Where the records are.
        labels: Shape `(n,)`, int64.
        example_ids: Shape `(n,)`, int64 or strings.
    """

    blocks: RecordBlocks
    labels: np.ndarray
    example_ids: np.ndarray


def read_index(
    split: str,
    files: list[pathlib.Path],
    features: RecordFeatures,
    id_dtype: tf.DType,
    separator: str = ":",
) -> RecordIndex:
    """Reads all records once; keeps no images.

    Args:
        split: Name of the part, for error messages and the progress bar.
        files: TFRecord files, compressed if their names end in .gz.
        features: Where the records have the label and the identifier.
        id_dtype: Dtype of the identifiers that the records hold.
        separator: What stands between the name of a file and the number of an
            example in it, where the records hold no identifiers.

    Returns:
        The `RecordIndex`.

    Raises:
        ValueError: If a file is cut off, a feature is missing, a label is out
            of range, or there is no record.
    """
    columns = _columns(split, files, features, id_dtype)
    file_numbers, lengths, labels, ids = columns
    labels = check_labels(
        labels - features.label_offset,
        name=f"{features.label_key} - label_offset",
    )
    if features.id_key is None:
        ids = _names(files, file_numbers, separator)
    elif ids.dtype.kind != "i":
        ids = np.array([i.decode(errors="backslashreplace") for i in ids])
    return RecordIndex(_blocks(files, file_numbers, lengths), labels, ids)


def _columns(split, files, features, id_dtype):
    """Returns the file's number, length, label and id of each record."""
    spec = {
        features.image_key: tf.io.FixedLenFeature([], tf.string),
        features.label_key: tf.io.FixedLenFeature([], tf.int64),
    }
    if features.id_key is not None:
        spec[features.id_key] = tf.io.FixedLenFeature([], id_dtype)

    def parse(file_number, records):
        parsed = tf.io.parse_example(records, spec)
        lengths = tf.strings.length(records)
        ids = lengths[:, tf.newaxis][:, :0]
        if features.id_key is not None:
            ids = parsed[features.id_key]
        file_numbers = tf.fill(tf.shape(lengths), file_number)
        return file_numbers, lengths, parsed[features.label_key], ids

    numbered = tf.data.Dataset.from_tensor_slices(
        (
            captured(np.arange(len(files))),
            captured([str(file) for file in files]),
            captured([_compression(file) for file in files]),
        )
    )
    batches = (
        numbered.flat_map(
            lambda number, path, compression: (
                _records(path, compression, tf.constant(0, tf.int64))
                .batch(_BATCH_SIZE)
                .map(lambda records: (number, records))
            )
        )
        .map(parse, NUM_PARALLEL_CALLS)
        .prefetch(2)
        .apply(with_fixed_parallelism)
    )
    num_bytes = sum(file.stat().st_size for file in files)
    columns = []
    try:
        with progress.bar(
            num_bytes,
            f"reading labels of {split}",
            unit="B",
            unit_scale=True,
            disable=num_bytes < _MANY_BYTES,
        ) as bar:
            for batch in batches.as_numpy_iterator():
                columns.append(batch)
                bar.update(int(batch[1].sum()) + len(batch[1]) * _FRAME_BYTES)
    except tf.errors.OpError as error:
        reason = re.sub(r"{{.*?}} ?", "", error.message.splitlines()[0])
        raise ValueError(
            "`data_dir` must have whole TFRecord files whose records all "
            f"have the features that are named. Received: {reason} "
            f"in {split} of {files[0].parent}"
        ) from error
    if not columns:
        raise ValueError(
            "`data_dir` must have files with records. "
            f"Received: none in {split} of {files[0].parent}"
        )
    return [np.concatenate(column) for column in zip(*columns, strict=True)]


def _names(files, file_numbers, separator):
    counts = np.bincount(file_numbers, minlength=len(files))
    return np.array(
        [
            f"{file.name}{separator}{i}"
            for file, count in zip(files, counts, strict=True)
            for i in range(count)
        ]
    )


def _blocks(files, file_numbers, lengths):
    sizes = lengths.astype(np.int64) + _FRAME_BYTES
    blocks = []
    start = 0
    for number, file in enumerate(files):
        stop = int(np.searchsorted(file_numbers, number, side="right"))
        ends = np.cumsum(sizes[start:stop])
        block_numbers = (ends - 1) // _BLOCK_BYTES
        if _compression(file):
            block_numbers[:] = 0
        firsts = np.flatnonzero(np.diff(block_numbers, prepend=-1))
        counts = np.diff(firsts, append=stop - start)
        for first, count in zip(firsts, counts, strict=True):
            offset = int(ends[first] - sizes[start + first])
            blocks.append(
                (str(file), _compression(file), offset, start + first, count)
            )
        start = stop
    paths, compressions, *numbers = zip(*blocks, strict=True)
    return RecordBlocks(
        np.array(paths, object),
        np.array(compressions, object),
        *(np.array(column, np.int64) for column in numbers),
        num_bytes=int(sizes.sum()),
    )


def _compression(file):
    return "GZIP" * (file.suffix == ".gz")


def _records(path, compression, offset):
    """Returns the records of a file from a byte on.

    `tf.data.TFRecordDataset` has no argument for the byte; its operation has.
    """
    return tf.data.experimental.from_variant(
        tf.raw_ops.TFRecordDatasetV2(
            filenames=path[tf.newaxis],
            compression_type=compression,
            buffer_size=tf.constant(_READ_BYTES, tf.int64),
            byte_offsets=offset[tf.newaxis],
        ),
        tf.TensorSpec([], tf.string),
    )
