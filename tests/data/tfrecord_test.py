import io
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image

from limit_tf import data
from limit_tf.data import tfrecord


def toy_image(i, size=(6, 5), num_channels=3):
    return np.full((*size, num_channels), 10 * i, np.uint8)


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def record(i, **changes):
    """An example; a change to `None` leaves a feature out."""
    features = {
        "image/encoded": tf.io.encode_png(toy_image(i)).numpy(),
        "image/class/label": i % 3,
        **{key.replace("__", "/"): value for key, value in changes.items()},
    }
    features = {k: feature(v) for k, v in features.items() if v is not None}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


class TFRecordTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def write(self, name, records):
        compression = "GZIP" if name.endswith(".gz") else ""
        with tf.io.TFRecordWriter(str(self.root / name), compression) as file:
            for content in records:
                file.write(content)

    def write_parts(self, **changes):
        self.write("train.tfrecord", [record(i, **changes) for i in range(5)])
        self.write("test.tfrecord", [record(i, **changes) for i in range(3)])

    def load(self, image_size=None, **kwargs):
        return tfrecord.load(self.root, image_size, **kwargs)

    def test_images_labels_and_ids_are_those_of_the_records(self):
        self.write_parts()
        source = self.load()
        self.assertEqual(source.name, "tfrecord")
        self.assertEqual(source.train.images.dtype, np.uint8)
        np.testing.assert_array_equal(
            source.train.images, [toy_image(i) for i in range(5)]
        )
        self.assertEqual(source.train.labels.tolist(), [0, 1, 2, 0, 1])
        self.assertEqual(
            source.test.example_ids.tolist(),
            [f"test.tfrecord:{i}" for i in range(3)],
        )
        self.assertEqual(source.class_names, ("0", "1", "2"))
        self.assertEqual(source.pixel_max, 255)
        self.assertFalse(source.labels_are_clean)
        self.assertIsNone(source.validation)

    def test_other_files_are_counted_and_parts_may_have_capitals(self):
        self.write("Train.tfrecord", [record(i) for i in range(5)])
        self.write("TEST.TFRecord", [record(i) for i in range(3)])
        self.write("val.tfrecord", [record(7)])
        for name in ("train.tfrecord.idx", "notes.txt", "._test.tfrecord"):
            (self.root / name).write_text("")
        with self.assertLogs("absl", "WARNING") as logs:
            source = self.load()
        self.assertLen(source.train, 5)
        self.assertLen(source.validation, 1)
        self.assertEqual(
            source.skipped.to_dict(), {"files": {".idx": 1, ".txt": 1}}
        )
        self.assertIn("2 files of other kinds", logs.output[0])

    def test_files_are_read_in_sorted_order_compressed_or_not(self):
        self.write("train-1.tfrecord.gz", [record(i) for i in (2, 3)])
        self.write("train-0.tfrecord", [record(i) for i in (0, 1)])
        self.write("train.tfrecord-00002-of-3", [record(4)])
        self.write("test.tfrecord.gz", [record(0)])
        self.write("validation.tfrecord", [record(7)])
        source = self.load()
        np.testing.assert_array_equal(
            source.train.images, [toy_image(i) for i in range(5)]
        )
        self.assertEqual(
            source.train.example_ids.tolist(),
            [
                "train-0.tfrecord:0",
                "train-0.tfrecord:1",
                "train-1.tfrecord.gz:0",
                "train-1.tfrecord.gz:1",
                "train.tfrecord-00002-of-3:0",
            ],
        )
        self.assertEqual(source.validation.labels.tolist(), [1])

    @parameterized.parameters(
        (lambda i: f"č{i}".encode(), ["č0", "č1", "č2", "č3", "č4"]),
        (lambda i: 10 - i, [10, 9, 8, 7, 6]),
    )
    def test_ids_may_be_a_feature(self, make_id, expected):
        for name in ("train", "test"):
            self.write(
                f"{name}.tfrecord",
                [record(i, my__id=make_id(i)) for i in range(5)],
            )
        source = self.load(tfrecord=dict(id_key="my/id"))
        self.assertEqual(source.train.example_ids.tolist(), expected)

    def test_labels_may_count_from_one_and_have_names(self):
        for name in ("train", "test"):
            self.write(
                f"{name}.tfrecord", [record(i, kind=i + 1) for i in range(3)]
            )
        names = ["a", "b", "c", "d"]
        spec = dict(label_key="kind", label_offset=1, class_names=names)
        source = self.load(tfrecord=spec)
        self.assertEqual(source.train.labels.tolist(), [0, 1, 2])
        self.assertEqual(source.class_names, tuple(names))
        with self.assertRaisesRegex(ValueError, "label_offset.*-1 at index 0"):
            self.load(tfrecord={**spec, "label_offset": 2})
        with self.assertRaisesRegex(ValueError, "train.labels.*2 at index 2"):
            self.load(tfrecord={**spec, "class_names": ("a", "b")})

    @parameterized.parameters(1, 3)
    def test_images_may_be_raw(self, num_channels):
        shape = (6, 5, num_channels)
        for name in ("train", "test"):
            self.write(
                f"{name}.tfrecord",
                [
                    record(
                        i, pixels=toy_image(i, (6, 5), num_channels).tobytes()
                    )
                    for i in range(4)
                ],
            )
        spec = dict(image_key="pixels", image_format="raw", image_shape=shape)
        source = self.load(tfrecord=spec)
        np.testing.assert_array_equal(
            source.train.images,
            [toy_image(i, (6, 5), num_channels) for i in range(4)],
        )
        self.assertEqual(
            self.load((3, 2), tfrecord=spec).train.images.shape,
            (4, 3, 2, num_channels),
        )
        with self.assertRaisesRegex(
            ValueError, f"`num_channels`.*{num_channels}"
        ):
            self.load(tfrecord=spec, num_channels=4 - num_channels)
        with self.assertRaisesRegex(ValueError, "`image_shape`.*bytes"):
            self.load(tfrecord={**spec, "image_shape": (7, 5, num_channels)})

    def test_images_may_be_decoded_as_grey(self):
        self.write_parts()
        source = self.load(num_channels=1)
        np.testing.assert_array_equal(
            source.train.images, [toy_image(i, (6, 5), 1) for i in range(5)]
        )
        self.assertEqual(source.pixel_mean, (0.456,))

    def test_images_that_tensorflow_refuses_as_grey_are_converted(self):
        content = io.BytesIO()
        image = np.full((6, 5, 3), (200, 100, 50), np.uint8)
        Image.fromarray(image).save(content, "bmp")
        for name in ("train", "test"):
            self.write(
                f"{name}.tfrecord",
                [record(0, image__encoded=content.getvalue())],
            )
        source = self.load(num_channels=1)
        # 0.2989 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
        self.assertTrue((source.train.images == 124).all())

    def test_images_of_varying_size_need_a_size(self):
        images = [toy_image(i, (6 + i, 5)) for i in range(4)]
        for name in ("train", "test"):
            self.write(
                f"{name}.tfrecord",
                [
                    record(i, image__encoded=tf.io.encode_png(image).numpy())
                    for i, image in enumerate(images)
                ],
            )
        with self.assertRaisesRegex(
            ValueError, r"`image_size`.*train.tfrecord:1.*\(6, 5\)"
        ):
            self.load()
        source = self.load((4, 4))
        np.testing.assert_array_equal(
            source.train.images, [toy_image(i, (4, 4)) for i in range(4)]
        )

    def test_broken_images_are_left_out_up_to_a_share(self):
        whole = record(0)
        broken = record(0, image__encoded=b"no image")
        self.write(
            "train.tfrecord", [broken] + [whole] * 4 + [broken] + [whole]
        )
        self.write("test.tfrecord", [whole] * 3)
        with self.assertRaisesRegex(ValueError, "`max_unreadable`.*2 of 10"):
            self.load()
        source = self.load(max_unreadable=0.2)
        self.assertEqual(
            source.train.example_ids.tolist(),
            [f"train.tfrecord:{i}" for i in (1, 2, 3, 4, 6)],
        )
        self.assertEqual(
            source.unreadable,
            {f"train.tfrecord:{i}": "not decodable" for i in (0, 5)},
        )

    def test_part_without_readable_images_is_refused(self):
        broken = record(0, image__encoded=b"no image")
        self.write("train.tfrecord", [broken])
        self.write("test.tfrecord", [record(0)])
        with self.assertRaisesRegex(ValueError, "`tfrecord`.*image/encoded"):
            self.load(max_unreadable=1.0)
        with self.assertRaisesRegex(ValueError, "none of 1 for train"):
            self.load((4, 4), max_unreadable=1.0)

    def test_too_many_bytes_are_refused(self):
        self.write_parts()
        num_bytes = 8 * 6 * 5 * 3
        self.load(max_bytes=num_bytes)
        with self.assertRaisesRegex(ValueError, f"`max_bytes`.*{num_bytes}"):
            self.load(max_bytes=num_bytes - 1)

    def test_missing_files_are_refused(self):
        with self.assertRaisesRegex(FileNotFoundError, "`data_dir`.*train"):
            self.load()
        self.write("train.tfrecord", [record(0)])
        with self.assertRaisesRegex(FileNotFoundError, "`data_dir`.*test"):
            self.load()

    def test_files_that_are_cut_off_are_refused(self):
        self.write_parts()
        path = self.root / "test.tfrecord"
        path.write_bytes(path.read_bytes()[:-10])
        with self.assertRaisesRegex(
            ValueError, "`data_dir`.*test of"
        ) as context:
            self.load()
        self.assertNotIn("\n", str(context.exception))

    @parameterized.parameters("train", "test")
    def test_files_without_records_are_refused(self, name):
        self.write_parts()
        self.write(f"{name}.tfrecord", [])
        with self.assertRaisesRegex(ValueError, f"`data_dir`.*none in {name}"):
            self.load()

    def test_files_of_something_else_are_refused(self):
        self.write("train.tfrecord", [b"no example"])
        self.write("test.tfrecord", [record(0)])
        with self.assertRaisesRegex(ValueError, "`data_dir`.*tf.train.Example"):
            self.load()
        (self.root / "train.tfrecord").write_bytes(b"no record at all")
        with self.assertRaisesRegex(ValueError, "`data_dir`.*tf.train.Example"):
            self.load()

    def test_a_record_without_a_label_is_refused(self):
        self.write("train.tfrecord", [record(0), record(1)])
        self.write("test.tfrecord", [record(0, image__class__label=None)])
        with self.assertRaisesRegex(
            ValueError, "`data_dir`.*image/class/label.*test of"
        ):
            self.load()

    @parameterized.parameters(
        (dict(image_key="image"), ValueError, "`image_key`.*image/encoded"),
        (dict(image_key="image/class/label"), ValueError, "`image_key`.*bytes"),
        (dict(label_key="label"), ValueError, "`label_key`.*'label'"),
        (dict(label_key="image/encoded"), ValueError, "`label_key`.*int64"),
        (dict(id_key="id"), ValueError, "`id_key`.*'id'"),
    )
    def test_features_that_are_not_there_are_refused(
        self, spec, error, message
    ):
        self.write_parts()
        with self.assertRaisesRegex(error, message) as context:
            self.load(tfrecord=spec)
        self.assertNotIn("\n", str(context.exception))

    @parameterized.parameters(
        (dict(image_size=4), TypeError, "`image_size`"),
        (dict(num_channels=2), ValueError, "`num_channels`"),
        (dict(max_unreadable=2), ValueError, "`max_unreadable`"),
        (dict(max_bytes=1.5), TypeError, "`max_bytes`"),
    )
    def test_bad_arguments_are_refused(self, kwargs, error, message):
        with self.assertRaisesRegex(error, message):
            self.load(**kwargs)

    def test_images_reach_the_batches(self):
        for name in ("train", "test"):
            self.write(f"{name}.tfrecord", [record(i % 3) for i in range(20)])
        splits = data.noisy_splits(
            self.load((4, 4)), np.eye(3), split_seed=0, noise_seed=0
        )
        batches = data.training_dataset(
            splits.train.images,
            splits.train.labels,
            batch_size=8,
            seed=0,
            epoch=0,
        )
        for images, labels in batches.as_numpy_iterator():
            np.testing.assert_array_equal(images.mean((1, 2, 3)), 10 * labels)


if __name__ == "__main__":
    absltest.main()
