import dataclasses

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import image_data
from limit_tf.data.image_files import ImageFiles


def toy_images(n=4, shape=(2, 3, 1)):
    return np.arange(n * np.prod(shape)).reshape(n, *shape).astype(np.uint8)


def toy_data(n=4, shape=(2, 3, 1), dtype=np.uint8):
    return image_data.ImageData(
        toy_images(n, shape).astype(dtype), np.arange(n), np.arange(n)
    )


def toy_given(data, label=0):
    return dataclasses.replace(data, given_labels=np.full(len(data), label))


def toy_source(**changes):
    arguments = dict(
        name="toy",
        train=toy_data(4),
        test=toy_data(2),
        class_names=("a", "b", "c", "d"),
        pixel_mean=(0.5,),
        pixel_std=(0.5,),
        pixel_max=255.0,
    )
    return image_data.Source(**{**arguments, **changes})


class ImageDataTest(parameterized.TestCase):
    def test_take_keeps_the_rows_together(self):
        data = image_data.ImageData(
            toy_images(), [3, 2, 1, 0], ["a", "b", "c", "d"]
        )
        part = data.take(np.array([2, 0]))
        np.testing.assert_array_equal(part.images, toy_images()[[2, 0]])
        self.assertEqual(part.labels.tolist(), [1, 3])
        self.assertEqual(part.example_ids.tolist(), ["c", "a"])
        self.assertLen(part, 2)
        self.assertEqual(part.labels.dtype, np.int64)

    def test_weights_are_kept_and_taken_with_the_rows(self):
        data = dataclasses.replace(toy_data(), sample_weight=[1, 0, 2, 0.5])
        part = data.take(np.array([2, 1]))
        self.assertEqual(part.sample_weight.tolist(), [2, 0])
        self.assertEqual(part.sample_weight.dtype, np.float32)

    @parameterized.parameters(
        ([1, 1, 1], ValueError, r"\(4,\).*shape=\(3,\)"),
        ([[1, 1, 1, 1]], ValueError, r"\(4,\).*shape=\(1, 4\)"),
        ([1, 1, -0.5, 1], ValueError, "at least 0.*-0.5 at index 2"),
        ([1, np.nan, 1, 1], ValueError, "finite.*nan at index 1"),
        ([1e39, 1, 1, 1], ValueError, "finite.*inf at index 0"),
        (["1", "1", "1", "1"], TypeError, "numbers"),
    )
    def test_bad_weights_are_refused(self, weights, error, message):
        with self.assertRaisesRegex(error, f"^`sample_weight`.*{message}"):
            dataclasses.replace(toy_data(), sample_weight=weights)

    def test_bad_arrays_are_refused(self):
        images, rows = toy_images(), np.arange(4)
        with self.assertRaisesRegex(TypeError, "`images`.*int64"):
            image_data.ImageData(images.astype(int), rows, rows)
        with self.assertRaisesRegex(ValueError, r"`images`.*\(4, 2, 3\)"):
            image_data.ImageData(images[..., 0], rows, rows)
        with self.assertRaisesRegex(ValueError, r"`images`.*\(0, 2, 3, 1\)"):
            image_data.ImageData(images[:0], rows[:0], rows[:0])
        with self.assertRaisesRegex(ValueError, "`labels`.*3 labels"):
            image_data.ImageData(images, rows[:3], rows)
        with self.assertRaisesRegex(ValueError, "`labels`.*-1 at index 0"):
            image_data.ImageData(images, rows - 1, rows)
        with self.assertRaisesRegex(ValueError, "`given_labels`.*3 labels"):
            image_data.ImageData(images, rows, rows, rows[:3])
        with self.assertRaisesRegex(ValueError, "`given_labels`.*-1 at"):
            image_data.ImageData(images, rows, rows, rows - 1)
        with self.assertRaisesRegex(ValueError, "`example_ids`.*unique"):
            image_data.ImageData(images, rows, rows // 2)
        with self.assertRaisesRegex(ValueError, "`example_ids`.*shape"):
            image_data.ImageData(images, rows, rows[:3])

    def test_take_keeps_the_given_labels(self):
        rows = np.arange(4)
        data = image_data.ImageData(toy_images(), rows, rows, 3 - rows)
        part = data.take(np.array([3, 1]))
        self.assertEqual(part.labels.tolist(), [3, 1])
        self.assertEqual(part.given_labels.tolist(), [0, 2])

    @parameterized.product(
        dtype=(np.float16, np.float32, np.float64),
        shape=((4, 5), (4, 3, 5), (4, 2, 3, 1)),
    )
    def test_floats_become_float32(self, dtype, shape):
        inputs = np.linspace(-1, 1, np.prod(shape)).reshape(shape)
        rows = np.arange(4)
        data = image_data.ImageData(inputs.astype(dtype), rows, rows)
        self.assertEqual(data.images.dtype, np.float32)
        np.testing.assert_allclose(data.images, inputs, atol=1e-3)

    @parameterized.parameters(np.nan, np.inf, 1e300)
    def test_floats_that_are_not_finite_are_refused(self, value):
        inputs, rows = np.zeros((4, 5)), np.arange(4)
        inputs[2, 3] = value
        with self.assertRaisesRegex(ValueError, "`images`.*1 of 4.*index 2"):
            image_data.ImageData(inputs, rows, rows)

    def test_floats_need_two_axes(self):
        with self.assertRaisesRegex(ValueError, r"`images`.*\(4,\)"):
            image_data.ImageData(np.zeros(4), np.arange(4), np.arange(4))

    def test_images_may_be_files(self):
        files = ImageFiles(["a", "b", "c"], (4, 6))
        data = image_data.ImageData(files, [2, 1, 0], ["a", "b", "c"])
        part = data.take(np.array([2, 0]))
        self.assertEqual(part.images.paths.tolist(), ["c", "a"])
        self.assertEqual(part.labels.tolist(), [0, 2])


def toy_floats(n=4):
    rows = np.arange(n)
    return image_data.ImageData(np.ones((n, 5)), rows, rows)


class SourceTest(parameterized.TestCase):
    def test_num_classes_counts_the_names(self):
        self.assertEqual(toy_source().num_classes, 4)

    def test_scaling_and_shape_are_those_of_the_pixels(self):
        self.assertEqual(toy_source().input_shape, (2, 3, 1))
        self.assertEqual(
            toy_source().pixel_scaling,
            {"pixel_max": 255.0, "mean": (0.5,), "std": (0.5,)},
        )

    def test_floats_need_no_scaling(self):
        source = image_data.Source(
            "toy", toy_floats(4), toy_floats(2), tuple("abcd")
        )
        self.assertIsNone(source.pixel_scaling)
        self.assertEqual(source.input_shape, (5,))

    def test_size_for_training_is_not_the_input_shape(self):
        data = image_data.ImageData(
            ImageFiles(["a", "b"], (4, 6), (8, 8), 1), [0, 1], [0, 1]
        )
        self.assertEqual(
            toy_source(train=data, test=data).input_shape, (4, 6, 1)
        )

    @parameterized.parameters(
        (dict(class_names=("a", "b", "c")), "train.labels.*3 at index 3"),
        (dict(test=toy_data(2, (3, 3, 1))), "`test`.*(2, 3, 1).*(3, 3, 1)"),
        (dict(validation=toy_data(2, (3, 3, 1))), "`validation`.*(3, 3, 1)"),
        (dict(validation=toy_data(5)), "validation.labels.*4 at index 4"),
        (dict(test=toy_given(toy_data(2))), "`test`.*given_labels"),
        (
            dict(train=toy_given(toy_data(), 4)),
            "train.given_labels.*4 at index 0",
        ),
        (
            dict(train=toy_given(toy_data()), labels_are_clean=False),
            "`labels_are_clean`.*train.given_labels",
        ),
        (
            dict(test=toy_data(2, dtype=np.float32)),
            "`test`.*uint8.*float32",
        ),
        (dict(pixel_mean=None), "`pixel_mean`.*None"),
        (
            dict(pixel_mean=None, pixel_std=None, pixel_max=None),
            "`pixel_mean`.*floats",
        ),
        (dict(pixel_mean=(0.1, 0.2, 0.3)), "`pixel_mean`.*1 channels"),
        (dict(pixel_std=()), "`pixel_std`.*1 channels"),
        (dict(pixel_std=(0.0,)), "`pixel_std`.*positive"),
        (dict(pixel_max=0.0), "`pixel_max`.*positive"),
    )
    def test_parts_that_do_not_fit_are_refused(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            toy_source(**changes)


if __name__ == "__main__":
    absltest.main()
