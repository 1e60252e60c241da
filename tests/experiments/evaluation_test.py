"""Predictions come in the order of the images, two batches at a time."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.experiments.evaluation import Predictor
from tests import testing


def record(image):
    """An example of a raw image."""
    pixels = tf.train.BytesList(value=[image.tobytes()])
    label = tf.train.Int64List(value=[0])
    features = {
        "image/encoded": tf.train.Feature(bytes_list=pixels),
        "image/class/label": tf.train.Feature(int64_list=label),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


class PredictorTest(parameterized.TestCase):
    @parameterized.parameters(1, 63, 65, 999, 1000, 1001, 4300)
    def test_logits_are_those_of_each_row(self, num_rows):
        kernel = np.array([[1.0, -1.0], [0.5, 2.0]], "float32")
        rows = np.random.default_rng(0).normal(size=(num_rows, 2))
        rows = rows.astype("float32")
        predictor = Predictor(testing.linear(kernel))
        logits = predictor.logits(rows)
        self.assertEqual(logits.dtype, np.float32)
        np.testing.assert_allclose(logits, rows @ kernel, rtol=1e-5, atol=1e-6)
        labels = np.argmax(rows @ kernel, -1)
        self.assertEqual(predictor.accuracy(rows, labels), 1.0)

    def test_predictions_for_records_are_in_the_order_of_the_images(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (40, 5, 4, 1), np.uint8)
        for name in ("train", "test"):
            with tf.io.TFRecordWriter(str(root / f"{name}.tfrecord")) as file:
                for image in pixels:
                    file.write(record(image))
        raw = {"image_format": "raw", "image_shape": (5, 4, 1)}
        source = data.load(
            "tfrecord", data_dir=str(root), stream=True, tfrecord=raw
        )
        order = rng.permutation(40)[:30]
        kernel = rng.normal(size=(20, 3)).astype("float32")
        network = keras.Sequential(
            [
                keras.Input((5, 4, 1)),
                keras.layers.Flatten(),
                testing.linear(kernel),
            ]
        )
        predictor = Predictor(network)
        images = source.train.take(order).images
        expected = pixels[order].reshape(30, 20) @ kernel
        np.testing.assert_allclose(
            predictor.logits(images), expected, rtol=1e-4, atol=1e-2
        )
        np.testing.assert_array_equal(
            predictor.classes(images), np.argmax(expected, -1)
        )

    def test_an_error_in_a_batch_is_raised(self):
        predictor = Predictor(testing.linear(np.eye(2)))
        with self.assertRaises(Exception) as caught:
            predictor.logits(np.zeros((2500, 3), "float32"))
        self.assertIn("shape", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
