"""Streams of TFRecord files: what comes, in which order; refusals."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import tfrecord

RAW = {"image_format": "raw", "image_shape": (6, 5, 3)}


def image(i, size=(6, 5)):
    """An image of which no other record has the like."""
    rng = np.random.default_rng(i)
    return rng.integers(0, 256, (*size, 3), np.uint8)


def record(content, label):
    features = {
        "image/encoded": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[content])
        ),
        "image/class/label": tf.train.Feature(
            int64_list=tf.train.Int64List(value=[label])
        ),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def png(pixels):
    return tf.io.encode_png(pixels).numpy()


class RecordsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def write(self, name, contents, first=0):
        compression = "GZIP" if name.endswith(".gz") else ""
        with tf.io.TFRecordWriter(str(self.root / name), compression) as file:
            for i, content in enumerate(contents, first):
                file.write(record(content, i % 7))

    def write_parts(self, encode=png, sizes=(20, 1, 29), suffix=""):
        """50 training images in three files, 5 test images."""
        first = 0
        for number, size in enumerate(sizes):
            numbers = range(first, first + size)
            self.write(
                f"train-{number}.tfrecord{suffix}",
                [encode(image(i)) for i in numbers],
                first,
            )
            first += size
        self.write("test.tfrecord", [encode(image(100 + i)) for i in range(5)])

    def load(self, image_size=None, **kwargs):
        return tfrecord.load(self.root, image_size, stream=True, **kwargs)

    def training(self, part, **kwargs):
        """Positions, images and labels of the batches of some epochs."""
        kwargs = {"batch_size": 8, "seed": 3, "epoch": 0, **kwargs}
        dataset = data.training_dataset(
            part.images, part.labels, with_example_ids=True, **kwargs
        )
        batches = list(dataset.as_numpy_iterator())
        sizes = [len(labels) for _, labels in batches]
        positions = np.concatenate([x["example_ids"] for x, _ in batches])
        images = np.concatenate([x["inputs"] for x, _ in batches])
        return positions, images, np.concatenate([y for _, y in batches]), sizes


class StreamTest(RecordsTest):
    @parameterized.parameters(
        dict(encode=png),
        dict(encode=png, suffix=".gz"),
        dict(encode=np.ndarray.tobytes, tfrecord=RAW),
    )
    def test_every_image_comes_once_with_its_label(
        self, encode, suffix="", **kwargs
    ):
        self.write_parts(encode, suffix=suffix)
        part = self.load(**kwargs).train
        self.assertIsInstance(part.images, data.RecordImages)
        self.assertEqual(part.images.shape, (50, 6, 5, 3))
        positions, images, labels, sizes = self.training(part)
        self.assertEqual(sizes, [8] * 6 + [2])
        self.assertEqual(sorted(positions), list(range(50)))
        np.testing.assert_array_equal(images, [image(i) for i in positions])
        np.testing.assert_array_equal(labels, positions % 7)

    def test_ids_and_labels_are_those_of_data_in_memory(self):
        self.write_parts()
        stream, memory = self.load(), tfrecord.load(self.root)
        for split in ("train", "test"):
            ours, theirs = getattr(stream, split), getattr(memory, split)
            np.testing.assert_array_equal(ours.example_ids, theirs.example_ids)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
        self.assertEqual(stream.class_names, memory.class_names)

    @parameterized.parameters(png, np.ndarray.tobytes)
    def test_a_subset_is_read_alone_and_keeps_its_order(self, encode):
        self.write_parts(encode)
        features = None if encode is png else RAW
        chosen = np.random.default_rng(0).permutation(50)[:21]
        part = self.load(tfrecord=features).train.take(chosen)
        positions, images, labels, _ = self.training(part)
        self.assertEqual(sorted(positions), list(range(21)))
        np.testing.assert_array_equal(
            images, [image(i) for i in chosen[positions]]
        )
        np.testing.assert_array_equal(labels, chosen[positions] % 7)

    def test_files_of_many_megabytes_are_read_in_blocks(self):
        shape = (64, 64, 3)
        images = np.random.default_rng(0).integers(
            0, 256, (900, *shape), np.uint8
        )
        contents = [i.tobytes() for i in images]
        self.write("train.tfrecord", contents)
        self.write("test.tfrecord", contents[:1])
        raw = {"image_format": "raw", "image_shape": shape}
        part = self.load(tfrecord=raw).train
        # 12,288 bytes an image, 4 MiB a block.
        self.assertLen(part.images.blocks, 3)
        positions, got, _, _ = self.training(part)
        self.assertEqual(sorted(positions), list(range(900)))
        np.testing.assert_array_equal(got, images[positions])
        # Far from the order of the file, within a block and beyond it.
        self.assertLess(abs(np.corrcoef(positions, range(900))[0, 1]), 0.15)
        self.assertLess(np.mean(np.diff(positions) == 1), 0.02)
        few = part.take(np.arange(300, 320))
        np.testing.assert_array_equal(
            np.sort(self.training(few)[2]), np.sort(few.labels)
        )

    def test_training_images_may_be_larger_for_a_crop(self):
        self.write_parts()
        part = self.load((4, 4), train_size=(6, 5)).train
        positions, images, *_ = self.training(part)
        np.testing.assert_array_equal(images, [image(i) for i in positions])
        for batch in data.evaluation_dataset(part.images, batch_size=50):
            self.assertEqual(batch.shape, (50, 4, 4, 3))


class OrderTest(RecordsTest):
    def setUp(self):
        super().setUp()
        self.write_parts()
        self.part = self.load().train

    def order(self, **kwargs):
        return self.training(self.part, **kwargs)[0].tolist()

    def test_order_depends_on_seed_and_epoch_alone(self):
        keras.utils.set_random_seed(1)
        first = self.order()
        keras.utils.set_random_seed(2)
        self.assertEqual(self.order(), first)
        self.assertNotEqual(self.order(seed=4), first)
        self.assertNotEqual(self.order(epoch=1), first)

    def test_a_run_that_goes_on_sees_the_same_epochs(self):
        both = self.order(num_epochs=2)
        self.assertEqual(both, self.order() + self.order(epoch=1))

    @pytest.mark.slow
    def test_every_position_is_about_equally_likely(self):
        epochs = 200
        orders = np.reshape(self.order(num_epochs=epochs), (epochs, 50))
        places = np.argsort(orders, axis=1)
        # Five standard errors of the mean of a uniform place.
        np.testing.assert_allclose(
            places.mean(axis=0), 24.5, atol=5 * 50 / np.sqrt(12 * epochs)
        )

    def test_without_order_every_image_still_comes_once(self):
        order = self.order(deterministic=False)
        self.assertEqual(sorted(order), list(range(50)))


class EvaluationTest(RecordsTest):
    def test_images_come_in_the_order_of_the_files(self):
        self.write_parts()
        part = self.load().train
        ((images, labels),) = data.evaluation_dataset(
            part.images, part.labels, batch_size=64
        )
        np.testing.assert_array_equal(images, [image(i) for i in range(50)])
        np.testing.assert_array_equal(labels, np.arange(50) % 7)


class RefusalsTest(RecordsTest):
    def test_broken_images_are_found_before_training(self):
        self.write("train.tfrecord", [png(image(0)), b"words", png(image(2))])
        self.write("test.tfrecord", [png(image(0))])
        source = self.load(max_unreadable=0.5)
        self.assertEqual(
            source.unreadable, {"train.tfrecord:1": "not decodable"}
        )
        positions, images, labels, _ = self.training(source.train)
        self.assertEqual(sorted(labels), [0, 2])
        np.testing.assert_array_equal(
            images, [image(2 * position) for position in positions]
        )

    def test_broken_images_stop_the_training_if_nobody_looked(self):
        self.write("train.tfrecord", [png(image(0)), b"words"])
        self.write("test.tfrecord", [png(image(0))])
        source = self.load(check_images=False)
        self.assertEmpty(source.unreadable)
        with self.assertRaises(tf.errors.InvalidArgumentError):
            self.training(source.train)

    def test_raw_images_of_a_wrong_length_are_left_out(self):
        good = image(0).tobytes()
        self.write("train.tfrecord", [good, good[:-1], good])
        self.write("test.tfrecord", [good])
        source = self.load(tfrecord=RAW, max_unreadable=0.5)
        self.assertLen(source.train, 2)
        self.assertEqual(list(source.unreadable), ["train.tfrecord:1"])

    def test_images_of_varying_size_need_a_size(self):
        self.write("train.tfrecord", [png(image(0)), png(image(1, (9, 4)))])
        self.write("test.tfrecord", [png(image(0))])
        with self.assertRaisesRegex(
            ValueError, "`image_size` must be given.*train.tfrecord:1"
        ):
            self.load()
        _, images, *_ = self.training(self.load((3, 3)).train)
        self.assertEqual(images.shape, (2, 3, 3, 3))

    @parameterized.parameters(
        (dict(stream=1), TypeError, "`stream` must be a bool"),
        (dict(stream=False, check_images=False), ValueError, "`check_images`"),
        (dict(train_size=(9, 9)), ValueError, "`train_size` is for streams"),
        (
            dict(train_size=(9, 9), stream=True),
            ValueError,
            "`train_size` is for streams",
        ),
        (
            dict(image_size=(9, 9), train_size=(8, 9), stream=True),
            ValueError,
            "`train_size` must be at least",
        ),
    )
    def test_bad_arguments_are_refused(self, kwargs, error, message):
        self.write_parts()
        with self.assertRaisesRegex(error, message):
            tfrecord.load(self.root, **kwargs)

    def test_data_too_large_for_memory_is_pointed_to_the_stream(self):
        self.write_parts()
        with self.assertRaisesRegex(ValueError, "`max_bytes`.*stream=True"):
            tfrecord.load(self.root, max_bytes=100)
        self.load(max_bytes=100)


if __name__ == "__main__":
    absltest.main()
