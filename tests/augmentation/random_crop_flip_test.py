import collections
import json

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import augmentation
from limit_tf.augmentation import RandomCropFlip

HEIGHT, WIDTH = 4, 6
DTYPES = ("uint8", "int32", "int64", "float32", "bfloat16")


def coordinates(batch_size, dtype="uint8"):
    """Images whose pixels hold their row and column, from one on."""
    image = 1 + np.stack(np.indices((HEIGHT, WIDTH)), axis=-1)
    return tf.cast(np.broadcast_to(image, (batch_size, *image.shape)), dtype)


def windows(padding, crop_size, flip):
    """All results that a crop of such an image may have."""
    margin = (padding, padding)
    padded = np.pad(coordinates(1)[0].numpy(), (margin, margin, (0, 0)))
    height, width = crop_size
    for top in range(HEIGHT + 2 * padding - height + 1):
        for left in range(WIDTH + 2 * padding - width + 1):
            crop = padded[top : top + height, left : left + width]
            yield crop
            if flip:
                yield crop[:, ::-1]


def compiled(augment, images, jit):
    """The augmentation as a function of batches of any size."""
    return tf.function(
        augment,
        input_signature=[
            tf.TensorSpec((None, *images.shape[1:]), images.dtype),
            tf.TensorSpec((2,), tf.int32),
        ],
        jit_compile=jit,
    )


class DrawsTest(parameterized.TestCase):
    @parameterized.parameters(
        (2, None, True),
        (2, None, False),
        (0, (3, 3), True),
        (1, (2, 5), True),
        (0, None, True),
    )
    def test_all_crops_occur_equally_often_and_no_others(
        self, padding, crop_size, flip
    ):
        augment = RandomCropFlip(crop_size, padding=padding, flip=flip)
        crop_size = crop_size or (HEIGHT, WIDTH)
        cells = {w.tobytes() for w in windows(padding, crop_size, flip)}
        mean_count = 100

        crops = augment(coordinates(mean_count * len(cells)), seed=(1, 2))

        counts = collections.Counter(crop.tobytes() for crop in crops.numpy())
        self.assertEqual(set(counts), cells)
        # The sum of squares has about a chi-squared distribution, of mean `d`
        # and variance `2 d`; five standard deviations are allowed.
        deviations = np.array(list(counts.values())) - mean_count
        degrees = len(cells) - 1
        self.assertLess(
            np.sum(deviations**2) / mean_count,
            degrees + 5.0 * np.sqrt(2.0 * degrees),
        )

    def test_half_of_the_images_are_flipped(self):
        images = coordinates(1000)

        crops = RandomCropFlip(padding=0)(images, seed=(3, 4))

        flipped = np.all(crops == images[:, :, ::-1], axis=(1, 2, 3))
        kept = np.all(crops == images, axis=(1, 2, 3))
        np.testing.assert_array_equal(flipped, ~kept)
        # Binomial of standard deviation sqrt(1000) / 2; five are allowed.
        self.assertLess(abs(flipped.sum() - 500), 2.5 * np.sqrt(1000))

    def test_the_seed_decides_the_draws(self):
        augment = RandomCropFlip()

        first, again, other = (
            augment(coordinates(50), seed).numpy()
            for seed in ((5, 6), tf.constant([5, 6]), (5, 7))
        )

        np.testing.assert_array_equal(first, again)
        self.assertFalse(np.array_equal(first, other))


class ResultTest(parameterized.TestCase):
    @parameterized.product(dtype=DTYPES, jit=(False, True))
    def test_eager_graph_and_xla_agree_for_every_dtype(self, dtype, jit):
        images = coordinates(20, dtype)
        augment = RandomCropFlip(crop_size=(5, 4), padding=1)
        eager = augment(images, (1, 2))

        crops = compiled(augment, images, jit)(images, tf.constant([1, 2]))

        self.assertEqual(crops.dtype, dtype)
        self.assertEqual(crops.shape, (20, 5, 4, 2))
        np.testing.assert_array_equal(crops, eager)
        np.testing.assert_array_equal(
            tf.cast(eager, "uint8"), augment(coordinates(20), (1, 2))
        )

    @parameterized.parameters(
        (None, (None, HEIGHT, WIDTH, 2)), ((3, 2), (None, 3, 2, 2))
    )
    def test_all_sizes_but_the_batch_are_static(self, crop_size, expected):
        images = coordinates(5)
        function = compiled(RandomCropFlip(crop_size), images, jit=False)

        shape = function.get_concrete_function().output_shapes
        self.assertEqual(shape.as_list(), list(expected))
        for batch_size in (0, 1, 5):
            crops = function(images[:batch_size], (1, 2))
            self.assertEqual(crops.shape, (batch_size, *expected[1:]))

    def test_nothing_changes_without_padding_and_flips(self):
        images = coordinates(5)

        crops = RandomCropFlip(padding=0, flip=False)(images, (1, 2))

        np.testing.assert_array_equal(crops, images)

    def test_large_values_are_kept(self):
        images = tf.fill((2, 3, 3, 1), tf.uint16.max)

        crops = RandomCropFlip(padding=0)(images, (1, 2))

        np.testing.assert_array_equal(crops, images)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        dict(padding=-1),
        dict(padding=0.5),
        dict(crop_size=4),
        dict(crop_size=(4,)),
        dict(crop_size=(4, 0)),
        dict(crop_size=(4.0, 4)),
    )
    def test_wrong_arguments_are_named(self, **wrong):
        (name,) = wrong

        with self.assertRaisesRegex(
            ValueError, rf"\A`{name}` must .*Received: {name}=.*\Z"
        ):
            RandomCropFlip(**wrong)

    @parameterized.parameters(((HEIGHT + 3, 1),), ((1, WIDTH + 3),))
    def test_a_crop_larger_than_the_padded_images_is_refused(self, crop_size):
        augment = RandomCropFlip(crop_size, padding=1)

        with self.assertRaisesRegex(ValueError, "`crop_size` must not exceed"):
            augment(coordinates(2), (1, 2))

    @parameterized.parameters(((2, 3),), ((2, 3, 3),))
    def test_what_are_no_images_is_refused(self, shape):
        with self.assertRaisesRegex(ValueError, "`images` must be"):
            RandomCropFlip()(np.zeros(shape), (1, 2))


class SavingTest(parameterized.TestCase):
    @parameterized.parameters(
        dict(), dict(crop_size=(3, 2), padding=1, flip=False)
    )
    def test_a_serialised_augmentation_draws_the_same(self, **arguments):
        augment = RandomCropFlip(**arguments)

        text = json.dumps(keras.saving.serialize_keras_object(augment))
        loaded = keras.saving.deserialize_keras_object(json.loads(text))

        self.assertIsInstance(loaded, RandomCropFlip)
        self.assertEqual(loaded.get_config(), augment.get_config())
        np.testing.assert_array_equal(
            loaded(coordinates(9), (1, 2)), augment(coordinates(9), (1, 2))
        )


class GetTest(parameterized.TestCase):
    def test_names_take_arguments_and_instances_stay_as_they_are(self):
        augment = augmentation.get("crop_flip", padding=2)

        self.assertIsInstance(augment, RandomCropFlip)
        self.assertEqual(augment.padding, 2)
        self.assertIs(augmentation.get(augment), augment)
        self.assertIsNone(augmentation.get(None))

    @parameterized.parameters("crop", 3, RandomCropFlip, (["crop_flip"],))
    def test_what_is_no_identifier_is_refused(self, identifier):
        with self.assertRaisesRegex(ValueError, "`identifier` must be one of"):
            augmentation.get(identifier)


if __name__ == "__main__":
    absltest.main()
