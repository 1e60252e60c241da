"""Images in TFRecord files, read in a stream: memory does not grow."""

import dataclasses

import numpy as np
import tensorflow as tf

from limit_tf.data.decoding import decoded_here
from limit_tf.data.host_tensors import captured
from limit_tf.data.image_files import check_train_size
from limit_tf.data.image_files import resized
from limit_tf.data.parallelism import NUM_PARALLEL_CALLS
from limit_tf.data.record_features import RecordFeatures
from limit_tf.data.record_index import RecordBlocks
from limit_tf.data.stored_images import StoredImages

# How a shuffled pass mixes: so many blocks are read in turns, and so many bytes
# of records wait to be drawn from.
_NUM_OPEN_BLOCKS = 16
_SHUFFLE_BYTES = 256 * 2**20
# Any number but 0, for which TensorFlow would look at the second seed.
_SHUFFLE_SEED = 1


@dataclasses.dataclass(frozen=True, eq=False)
class RecordImages(StoredImages):
    """Images in TFRecord files; only the places of the records are held.

    They are read in the order of the files, or in a shuffled one, not in that
    of an index.

    Args:
        blocks: Where the records are.
        positions: Numbers of the images' records, shape `(n,)`, distinct,
            int64.
        features: Where a record has the image.
        image_size: `(height, width)` that a network sees.
        num_channels: 1 for grey images, 3 for RGB.
        resize: Whether images of another size are resized; else they end the
            pass with an error.
        train_size: `(height, width)` to which images are resized for
            training; by default `image_size`.
    """

    blocks: RecordBlocks
    positions: np.ndarray
    features: RecordFeatures
    image_size: tuple[int, int]
    num_channels: int
    resize: bool
    train_size: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.positions)

    def __getitem__(self, indices: np.ndarray | slice) -> "RecordImages":
        """Returns the images at some positions."""
        return dataclasses.replace(self, positions=self.positions[indices])

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """Returns the images in the order of the files.

        Args:
            batch_size: Number of images in a batch; the last may be smaller.

        Returns:
            A data set of pairs: indices of images, int64, and the images,
            uint8, in the size for evaluation.
        """
        return self._decoded(
            self._records_in_order(), batch_size, self.image_size, True
        )

    def readable(self, batch_size: int) -> tf.data.Dataset:
        """Returns those images that can be decoded, in the files' order.

        Args:
            batch_size: Most images in a batch.

        Returns:
            A data set of triples: indices of images, int64, the images, uint8,
            in the size for evaluation, and whether they have that size. Those
            that do not, which is so without `resize` only, are black.
        """
        records = self._records_in_order()
        if self._is_plain(self.image_size):
            return records.batch(batch_size).map(
                self._readable_pixels, NUM_PARALLEL_CALLS
            )
        shape = (*self.image_size, self.num_channels)

        def read(index, record):
            image = decoded_record(record, self.features, self.num_channels)
            if self.resize:
                return index, resized(image, shape), True
            fits = tf.reduce_all(tf.shape(image) == shape)
            black = tf.zeros(shape, tf.uint8)
            image = tf.cond(fits, lambda: image, lambda: black)
            return index, tf.ensure_shape(image, shape), fits

        images = records.map(read, NUM_PARALLEL_CALLS)
        return images.ignore_errors().batch(batch_size)

    def shuffled(
        self,
        batch_size: int,
        seed: int,
        epoch: tf.Tensor,
        deterministic: bool = True,
    ) -> tf.data.Dataset:
        """Returns the images of one epoch in random order, for training.

        The blocks come in a random order, 16 at a time, and what they hold is
        drawn at random from a quarter of a gibibyte.

        Args:
            batch_size: Number of images in a batch; the last may be smaller.
            seed: Integer in `[0, 2**63)`.
            epoch: Number of the epoch, a scalar, int64.
            deterministic: Whether the order depends on the seed and the epoch
                alone. If not, it depends on how fast files are read, too.

        Returns:
            A data set of pairs: indices of images, int64, and the images,
            uint8, in the size for training. For use in a `flat_map`.
        """
        order = tf.random.experimental.stateless_shuffle(
            captured(self._used_blocks()), seed=tf.stack([seed, epoch])
        )
        return self._mixed(
            tf.data.Dataset.from_tensor_slices(order),
            batch_size,
            tf.random.stateless_uniform(
                [], tf.stack([seed, epoch]), None, None, tf.int64
            ),
            deterministic,
            most=len(self),
        )

    def endless(
        self, batch_size: int, seed: int, epoch: int
    ) -> tf.data.Dataset:
        """Returns the images of an epoch and all that follow.

        The data set starts from a range, which `tf.data` service can divide
        between its workers; so epochs flow into each other, and the order
        depends on the workers. No more than an eighth of an epoch waits to be
        drawn from.

        Args:
            batch_size: Number of images in a batch.
            seed: Integer in `[0, 2**63)`.
            epoch: Number of the first epoch.

        Returns:
            A data set of pairs as `shuffled` gives.
        """
        used = captured(self._used_blocks())
        length = len(used)

        def block(number):
            place = tf.random.experimental.index_shuffle(
                number % length,
                seed=tf.stack([seed, number // length]),
                max_index=tf.constant(length - 1, tf.int64),
            )
            return used[place]

        numbers = tf.data.Dataset.range(epoch * length, np.iinfo(np.int64).max)
        return self._mixed(
            numbers.map(block), batch_size, seed, False, most=len(self) // 8
        )

    def _used_blocks(self):
        """Numbers of the blocks that hold one of the images."""
        is_used = np.zeros(self.blocks.num_records, bool)
        is_used[self.positions] = True
        return np.flatnonzero(
            np.logical_or.reduceat(is_used, self.blocks.positions)
        )

    def _records_in_order(self):
        blocks = tf.data.Dataset.from_tensor_slices(
            captured(self._used_blocks())
        )
        return self._chosen(blocks.flat_map(self.blocks.reader()))

    def _mixed(self, blocks, batch_size, seed, deterministic, most):
        # TensorFlow adds the seed of the whole program to that of a data set,
        # unless the function that makes it has one of its own.
        if not tf.executing_eagerly():
            tf.compat.v1.set_random_seed(_SHUFFLE_SEED)
        chunks = blocks.interleave(
            self.blocks.reader(),
            cycle_length=_NUM_OPEN_BLOCKS,
            num_parallel_calls=NUM_PARALLEL_CALLS,
            deterministic=deterministic,
        )
        bytes_a_record = self.blocks.num_bytes / self.blocks.num_records
        buffer_size = int(_SHUFFLE_BYTES / bytes_a_record)
        records = self._chosen(chunks).shuffle(
            max(1, min(most, buffer_size)),
            seed=seed,
            reshuffle_each_iteration=False,
        )
        size = self.train_size or self.image_size
        return self._decoded(records, batch_size, size, deterministic)

    def _chosen(self, chunks):
        """Keeps the records of the images; gives indices for positions."""
        if np.array_equal(self.positions, np.arange(self.blocks.num_records)):
            return chunks.unbatch()
        indices = np.full(self.blocks.num_records, -1)
        indices[self.positions] = np.arange(len(self))
        indices = captured(indices)

        def choose(positions, records):
            chosen = tf.gather(indices, positions)
            is_image = chosen >= 0
            return chosen[is_image], records[is_image]

        return chunks.map(choose).unbatch()

    def _is_plain(self, size):
        """Whether the records hold pixels that need no resizing."""
        shape = (*size, self.num_channels)
        return (
            self.features.image_format == "raw"
            and tuple(self.features.image_shape) == shape
        )

    def _decoded(self, records, batch_size, size, deterministic):
        options = {
            "num_parallel_calls": NUM_PARALLEL_CALLS,
            "deterministic": deterministic,
        }
        if self._is_plain(size):
            return records.batch(batch_size).map(self._pixels, **options)
        shape = (*size, self.num_channels)

        def read(index, record):
            image = decoded_record(record, self.features, self.num_channels)
            if self.resize:
                return index, resized(image, shape)
            return index, tf.ensure_shape(image, shape)

        return records.map(read, **options).batch(batch_size)

    def _pixels(self, indices, records):
        contents = _contents(records, self.features)
        pixels = tf.io.decode_raw(contents, tf.uint8)
        return indices, tf.reshape(pixels, (-1, *self.features.image_shape))

    def _readable_pixels(self, indices, records):
        contents = _contents(records, self.features)
        num_bytes = int(np.prod(self.features.image_shape))
        fits = tf.strings.length(contents) == num_bytes
        indices, images = self._pixels(indices[fits], records[fits])
        return indices, images, tf.ones_like(indices, tf.bool)


def check_stream(
    stream: bool,
    image_size: tuple[int, int] | None,
    train_size: tuple[int, int] | None,
) -> None:
    """Checks how a source of records is to be read.

    Args:
        stream: Whether the images are read whenever they are needed.
        image_size: `(height, width)` that all images are resized to, or None.
        train_size: The same for training, before a crop, or None.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If the values do not go together.
    """
    if not isinstance(stream, bool):
        raise TypeError(f"`stream` must be a bool. Received: stream={stream!r}")
    if train_size is None:
        return
    if not stream or image_size is None:
        raise ValueError(
            "`train_size` is for streams of images whose `image_size` is "
            f"given. Received: train_size={train_size!r}, stream={stream}, "
            f"image_size={image_size}"
        )
    check_train_size(train_size, image_size)


def decoded_record(
    record: tf.Tensor, features: RecordFeatures, num_channels: int
) -> tf.Tensor:
    """Decodes the image of a record.

    Args:
        record: A serialised `tf.train.Example`, a scalar string.
        features: Where it has the image.
        num_channels: Number of channels to decode an encoded image to.

    Returns:
        The image, shape `(height, width, channels)`, uint8.
    """
    content = _contents(record[tf.newaxis], features)[0]
    if features.image_format == "raw":
        pixels = tf.io.decode_raw(content, tf.uint8)
        return tf.reshape(pixels, features.image_shape)
    return decoded_here(content, num_channels)


def _contents(records, features):
    """Returns the bytes of the image of each record."""
    spec = {features.image_key: tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(records, spec)[features.image_key]
