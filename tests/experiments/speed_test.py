"""Where the images are, and how a run says how it runs."""

from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import ImageFiles
from limit_tf.experiments import speed


class DescriptionTest(parameterized.TestCase):
    @parameterized.parameters(
        (False, "graph mode .*float32, 9 steps a call"),
        (True, "^XLA, float32, 9 steps a call"),
    )
    def test_says_what_was_chosen(self, jit_compile, expected):
        self.assertRegex(speed.description(jit_compile, 9, "float32"), expected)

    @parameterized.parameters(True, False)
    def test_says_where_the_images_are(self, held):
        words = speed.description(False, 9, "float32", held)
        self.assertEqual("images held on the device" in words, held)


SMALL = np.zeros((4, 8, 8, 1), np.uint8)
# Memory that nothing touches is not taken.
LARGE = np.zeros((2**21 + 1, 32, 32, 1), np.uint8)
FILES = ImageFiles(["a.png"], image_size=(8, 8))


class HoldsImagesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("auto", SMALL, True, True),
        ("auto", SMALL, False, False),
        ("auto", LARGE, True, False),
        ("auto", LARGE[:-1], True, True),
        ("auto", FILES, True, False),
        ("on", SMALL, False, True),
        ("on", LARGE, False, True),
        ("off", SMALL, True, False),
        ("off", FILES, True, False),
    )
    def test_rule(self, requested, images, on_gpu, expected):
        devices = ["a device"] if on_gpu else []
        with mock.patch.object(
            tf.config, "list_physical_devices", return_value=devices
        ):
            holds = speed.holds_images(requested, images)
        self.assertEqual(holds, expected)

    def test_images_in_files_are_refused(self):
        message = "`config.training.device_resident`.* files. Received: 'on'"
        with self.assertRaisesRegex(ValueError, message) as caught:
            speed.holds_images("on", FILES)
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
