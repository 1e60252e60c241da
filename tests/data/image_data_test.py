import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import image_data


def toy_images(n=4, shape=(2, 3, 1)):
    return np.arange(n * np.prod(shape)).reshape(n, *shape).astype(np.uint8)


def toy_data(n=4, shape=(2, 3, 1)):
    return image_data.ImageData(
        toy_images(n, shape), np.arange(n), np.arange(n)
    )


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

    def test_bad_arrays_are_refused(self):
        images, rows = toy_images(), np.arange(4)
        with self.assertRaisesRegex(TypeError, "`images`.*float64"):
            image_data.ImageData(images / 255, rows, rows)
        with self.assertRaisesRegex(ValueError, r"`images`.*\(4, 2, 3\)"):
            image_data.ImageData(images[..., 0], rows, rows)
        with self.assertRaisesRegex(ValueError, r"`images`.*\(0, 2, 3, 1\)"):
            image_data.ImageData(images[:0], rows[:0], rows[:0])
        with self.assertRaisesRegex(ValueError, "`labels`.*3 labels"):
            image_data.ImageData(images, rows[:3], rows)
        with self.assertRaisesRegex(ValueError, "`labels`.*-1 at index 0"):
            image_data.ImageData(images, rows - 1, rows)
        with self.assertRaisesRegex(ValueError, "`example_ids`.*unique"):
            image_data.ImageData(images, rows, rows // 2)
        with self.assertRaisesRegex(ValueError, "`example_ids`.*shape"):
            image_data.ImageData(images, rows, rows[:3])


class SourceTest(parameterized.TestCase):
    def test_num_classes_counts_the_names(self):
        self.assertEqual(toy_source().num_classes, 4)

    @parameterized.parameters(
        (dict(class_names=("a", "b", "c")), "train.labels.*3 at index 3"),
        (dict(test=toy_data(2, (3, 3, 1))), "`test`.*(2, 3, 1).*(3, 3, 1)"),
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
