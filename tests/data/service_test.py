"""Data prepared by a `tf.data` service with two workers on this machine."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import tfrecord

NUM_IMAGES = 21
BATCH_SIZE = 4
EPOCH_LENGTH = 6


def image(i):
    return np.full((4, 5, 1), i, np.uint8)


class ServiceTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        service = tf.data.experimental.service
        cls.dispatcher = service.DispatchServer()
        cls.address = cls.dispatcher.target
        config = service.WorkerConfig(cls.address.removeprefix("grpc://"))
        cls.workers = [service.WorkerServer(config) for _ in range(2)]

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def batches(self, images, number, **kwargs):
        dataset = data.training_dataset(
            images,
            np.arange(len(images)) % 3,
            batch_size=BATCH_SIZE,
            seed=0,
            epoch=0,
            num_epochs=2,
            with_example_ids=True,
            service=self.address,
            **kwargs,
        )
        return list(dataset.take(number).as_numpy_iterator())

    def test_files_come_once_an_epoch_in_batches_of_their_own(self):
        for i in range(NUM_IMAGES):
            content = tf.io.encode_png(image(i))
            tf.io.write_file(str(self.root / f"{i:02d}.png"), content)
        files = data.ImageFiles(
            sorted(map(str, self.root.iterdir())), (4, 5), num_channels=1
        )
        batches = self.batches(files, 2 * EPOCH_LENGTH)
        for x, labels in batches:
            np.testing.assert_array_equal(
                x["inputs"], [image(i) for i in x["example_ids"]]
            )
            np.testing.assert_array_equal(labels, x["example_ids"] % 3)
        sizes = sorted(len(labels) for _, labels in batches)
        # One batch beyond two epochs may have come before their last one.
        self.assertBetween(sum(sizes), 2 * NUM_IMAGES, 2 * NUM_IMAGES + 6)
        ids = np.concatenate([x["example_ids"] for x, _ in batches])
        self.assertEqual(set(ids), set(range(NUM_IMAGES)))

    def test_records_come_about_as_often_as_each_other(self):
        num_records, num_files = 400, 8
        for file in range(num_files):
            path = self.root / f"train-{file}.tfrecord"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for i in range(file, num_records, num_files):
                    writer.write(record(i))
        with tf.io.TFRecordWriter(str(self.root / "test.tfrecord")) as writer:
            writer.write(record(0))
        part = tfrecord.load(
            self.root,
            stream=True,
            tfrecord={
                "id_key": "id",
                "image_format": "raw",
                "image_shape": (4, 5, 1),
            },
        ).train
        batches = self.batches(part.images, 8 * num_records // BATCH_SIZE)
        for x, labels in batches:
            ids = part.example_ids[x["example_ids"]]
            np.testing.assert_array_equal(
                x["inputs"], [image(i % 251) for i in ids]
            )
            np.testing.assert_array_equal(labels, x["example_ids"] % 3)
        counts = np.bincount(
            np.concatenate([x["example_ids"] for x, _ in batches])
        )
        self.assertLen(counts, num_records)
        # Eight epochs flow into each other, at two workers.
        self.assertBetween(counts.min(), 5, 8)
        self.assertBetween(counts.max(), 8, 11)

    def test_images_in_memory_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`service` must be left out"):
            self.batches(np.zeros((6, 4, 5, 1), np.uint8), 1)

    @parameterized.parameters(
        ("localhost:5050", "grpc://HOST:PORT"),
        ("grpc://:5050", "grpc://HOST:PORT"),
        ("grpc://localhost:many", "grpc://HOST:PORT"),
        (5050, "grpc://HOST:PORT"),
        ("grpc://localhost:1", "that answers"),
        ("grpc://localhost:99999", "that answers"),
    )
    def test_bad_addresses_are_refused_in_one_line(self, address, message):
        with self.assertRaisesRegex(
            ValueError, f"`service` must be.*{message}"
        ) as context:
            data.check_service(address)
        self.assertNotIn("\n", str(context.exception))


def record(i):
    features = {
        "image/encoded": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[image(i % 251).tobytes()])
        ),
        "image/class/label": tf.train.Feature(
            int64_list=tf.train.Int64List(value=[i % 3])
        ),
        "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[i])),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


if __name__ == "__main__":
    absltest.main()
