"""Pixels of data sets that do not go to 255, in image files and back."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from limit_tf.data.pixel_range import from_file_range
from limit_tf.data.pixel_range import to_file_range


class PixelRangeTest(tf.test.TestCase):
    def test_pixels_come_back_as_they_were(self):
        for pixel_max in range(1, 256):
            images = np.arange(pixel_max + 1, dtype=np.uint8)
            in_file = to_file_range(images, float(pixel_max))
            self.assertEqual((in_file.min(), in_file.max()), (0, 255))
            self.assertEqual(in_file.dtype, np.uint8)
            back = from_file_range(tf.constant(in_file), float(pixel_max))
            self.assertEqual(back.dtype, tf.uint8)
            self.assertAllEqual(back, images)

    def test_pixels_between_are_rounded(self):
        images = tf.constant([0, 7, 8, 128, 247, 248, 255], tf.uint8)
        self.assertAllEqual(
            from_file_range(images, 16.0), [0, 0, 1, 8, 15, 16, 16]
        )


if __name__ == "__main__":
    absltest.main()
