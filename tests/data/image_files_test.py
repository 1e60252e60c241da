import io
import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image

from limit_tf.data import image_files
from limit_tf.data.image_files import ImageFiles


def toy_image(i, shape=(6, 8, 3)):
    return np.random.default_rng(i).integers(0, 256, shape, np.uint8)


def png(image):
    return tf.io.encode_png(image).numpy()


def encoded(kind, mode="RGB", image=None):
    """Content of a file of a kind that TensorFlow cannot write."""
    content = io.BytesIO()
    image = toy_image(0) if image is None else image
    Image.fromarray(image).convert(mode).save(content, kind)
    return content.getvalue()


class FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        tf.io.write_file(path, content)
        return path


class ImageFilesTest(FilesTest):
    def test_it_looks_like_an_array_of_images(self):
        files = ImageFiles(["a", "b", "c"], (32, 48), (36, 52), 1)
        self.assertLen(files, 3)
        self.assertEqual(files.shape, (3, 32, 48, 1))
        self.assertEqual((files.ndim, files.dtype), (4, np.uint8))

    def test_indexing_keeps_all_but_the_paths(self):
        files = ImageFiles(["a", "b", "c"], (32, 48), (36, 52), 1)
        for part, paths in (
            (files[np.array([2, 0])], ["c", "a"]),
            (files[1:], ["b", "c"]),
            (files[np.array([True, False, True])], ["a", "c"]),
        ):
            self.assertEqual(part.paths.tolist(), paths)
            self.assertEqual(part.image_size, (32, 48))
            self.assertEqual(part.train_size, (36, 52))
            self.assertEqual(part.num_channels, 1)

    def test_an_image_of_the_right_size_is_read_as_it_is(self):
        path = self.write("a.png", png(toy_image(0)))
        read = ImageFiles([path], (6, 8)).reader(training=True)
        np.testing.assert_array_equal(read(path), toy_image(0))

    def test_halving_rounds_the_antialiased_mean(self):
        # The triangle of width 4 has the weights 1, 3, 3, 1 (over 8) inside;
        # at the border the part outside is left out: 3, 3, 1 (over 7).
        image = toy_image(0, (5, 6, 1))
        path = self.write("a.png", png(image))
        rows = image[..., 0].astype(float)
        expected = np.stack(
            [
                rows[:, :3] @ [3, 3, 1] / 7,
                rows[:, 1:5] @ [1, 3, 3, 1] / 8,
                rows[:, 3:] @ [1, 3, 3] / 7,
            ],
            axis=1,
        )
        read = ImageFiles([path], (5, 3), num_channels=1).reader(False)
        np.testing.assert_allclose(read(path)[..., 0], expected, atol=0.5001)

    @parameterized.parameters(
        (False, (12, 16), (12, 16)),
        (True, (12, 16), (18, 20)),
        (True, (6, 8), (6, 8)),
    )
    def test_sizes(self, training, image_size, expected):
        path = self.write("a.png", png(toy_image(0)))
        train_size = (18, 20) if image_size == (12, 16) else None
        files = ImageFiles([path], image_size, train_size)
        self.assertEqual(files.reader(training)(path).shape, (*expected, 3))

    def test_channels_are_converted(self):
        grey = self.write("grey.png", png(toy_image(0, (6, 8, 1))))
        rgb = ImageFiles([grey], (6, 8)).reader(False)(grey)
        np.testing.assert_array_equal(
            rgb, np.repeat(toy_image(0, (6, 8, 1)), 3, axis=-1)
        )
        colour = self.write("rgb.jpg", tf.io.encode_jpeg(toy_image(0)))
        read = ImageFiles([colour], (6, 8), num_channels=1).reader(False)
        self.assertEqual(read(colour).shape, (6, 8, 1))

    # GIF keeps up to 256 colours, so that the 48 pixels lose nothing; JPEG
    # does, and gets an image of one colour and a wider tolerance.
    @parameterized.parameters(
        ("gif", "RGB", 1),
        ("gif", "L", 1),
        ("bmp", "RGB", 1),
        ("bmp", "L", 1),
        ("bmp", "RGBA", 1),
        ("jpeg", "CMYK", 3),
        ("jpeg", "L", 3),
        ("png", "RGB", 1),
        ("png", "RGBA", 1),
    )
    def test_every_kind_of_file_decodes_to_grey(self, kind, mode, tolerance):
        image = toy_image(0)
        if kind == "jpeg":
            image = np.full_like(image, (200, 100, 50))
        content = encoded(kind, mode, image)
        expected = image @ [0.299, 0.587, 0.114]
        path = self.write(f"a.{kind}", content)
        read = ImageFiles([path], (6, 8), num_channels=1).reader(False)
        grey = tf.function(read)(path)
        self.assertEqual(grey.shape, (6, 8, 1))
        np.testing.assert_allclose(grey[..., 0], expected, atol=tolerance)
        self.assertEqual(image_files.find_unreadable([path], 1), {})

    @parameterized.parameters(
        (b"",), (b"G",), (b"\xff\xd8",), (b"GIF89a",), (b"BM",), (b"words",)
    )
    def test_what_is_no_image_does_not_decode_to_grey(self, content):
        with self.assertRaises(tf.errors.InvalidArgumentError):
            image_files.decoded(tf.constant(content), 1)

    @parameterized.parameters(
        (dict(paths=[]), ValueError, "`paths`.*at least one"),
        (dict(image_size=32), TypeError, "`image_size`.*pair"),
        (dict(image_size=(32, 0)), ValueError, "`image_size`"),
        (dict(train_size=(40, 4.5)), TypeError, "`train_size`"),
        (dict(train_size=(40, 31)), ValueError, "`train_size`.*cropped"),
        (dict(num_channels=4), ValueError, "`num_channels`.*4"),
    )
    def test_bad_arguments_are_refused(self, changes, error, message):
        arguments = {"paths": ["a"], "image_size": (32, 32), **changes}
        with self.assertRaisesRegex(error, message):
            ImageFiles(**arguments)


class UnreadableTest(FilesTest):
    def broken_files(self):
        jpeg = tf.io.encode_jpeg(toy_image(0, (64, 64, 3))).numpy()
        contents = {
            "truncated.jpg": jpeg[: len(jpeg) // 2],
            "shortened.jpg": jpeg[:-2],
            "truncated.png": png(toy_image(0))[:-20],
            "empty.jpg": b"",
            "text.jpg": b"no image at all",
        }
        paths = [self.write(k, v) for k, v in contents.items()]
        os.mkdir(os.path.join(self.folder, "folder.jpg"))
        return paths + [
            os.path.join(self.folder, name)
            for name in ("folder.jpg", "missing.jpg")
        ]

    @parameterized.parameters(1, 3)
    def test_every_broken_file_is_found_among_good_ones(self, num_channels):
        good = [
            self.write(f"{i}.png", png(toy_image(i, (4 + i % 3, 5, 3))))
            for i in range(200)
        ]
        broken = self.broken_files()
        paths = good[:100] + broken + good[100:]
        found = image_files.find_unreadable(paths, num_channels)
        self.assertEqual(list(found), broken)
        reasons = {os.path.basename(k): v for k, v in found.items()}
        self.assertEqual(reasons["missing.jpg"], "missing")
        self.assertEqual(reasons["empty.jpg"], "empty")
        self.assertEqual(reasons["folder.jpg"], "a folder")
        self.assertRegex(reasons["text.jpg"], "^not decodable: Unknown image")
        for name in ("truncated.jpg", "shortened.jpg", "truncated.png"):
            self.assertRegex(reasons[name], r"^not decodable: [^{\[\n]*$")

    def test_good_files_alone_give_nothing(self):
        path = self.write("a.jpg", tf.io.encode_jpeg(toy_image(0)))
        self.assertEqual(image_files.find_unreadable([path]), {})

    def test_more_than_the_share_is_refused(self):
        unreadable = {"a/b.jpg": "empty", "c.jpg": "missing"}
        image_files.refuse_unreadable(unreadable, 200, 0.01)
        image_files.refuse_unreadable({}, 200, 0.0)
        with self.assertRaisesRegex(
            ValueError,
            r"^`max_unreadable`.* 2 of 200.*a/b.jpg \(empty\).*=0.009$",
        ):
            image_files.refuse_unreadable(unreadable, 200, 0.009)


if __name__ == "__main__":
    absltest.main()
