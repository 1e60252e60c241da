"""Files of images as a person sees them: compared with PIL."""

import io
import itertools
import os
import struct
import zlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image
from PIL import ImageOps

from limit_tf.data import image_files
from limit_tf.data.decoding import decoded
from limit_tf.data.decoding import decoded_here

_RGB = np.linspace(0, 255, 12 * 18 * 3).reshape(12, 18, 3).astype(np.uint8)
_OPACITY = np.zeros((12, 18, 1), np.uint8)
_OPACITY[3:9, 2:14] = 255
_OPACITY[5, 4:9] = 100
_RGBA = np.concatenate([_RGB, _OPACITY], -1)
_ORIENTATION = 0x0112


def file_of(pixels, kind, mode=None, **options):
    """Content of a file that PIL writes."""
    image = Image.fromarray(pixels)
    content = io.BytesIO()
    image.convert(mode or image.mode).save(content, kind, **options)
    return content.getvalue()


def as_seen(content):
    """What PIL shows of a file, on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def png(rows, depth, colour_type, *chunks):
    """Content of a PNG file of rows of bytes."""

    def chunk(name, data):
        end = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + end

    width = len(rows[0]) * 8 // depth // {0: 1, 2: 3, 3: 1, 6: 4}[colour_type]
    size = struct.pack(
        ">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0
    )
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", size),
            *(chunk(*of) for of in chunks),
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))),
            chunk(b"IEND", b""),
        ]
    )


def deep_png(numbers, *chunks):
    return png([r.astype(">u2").tobytes() for r in numbers], 16, 0, *chunks)


def bmp(height, depth, rows, compression=0, masks=(), palette=b"", size=40):
    """Content of a BMP file five pixels wide."""
    fields = (5, height, 1, depth, compression, len(rows), 0, 0, 0, 0)
    header = struct.pack("<IiiHHIIiiII", size, *fields)
    masks = struct.pack(f"<{len(masks)}I", *masks)
    header = header + masks.ljust(max(size - 40, len(masks)), b"\0") + palette
    start = 14 + len(header)
    head = struct.pack("<IHHI", start + len(rows), 0, 0, start)
    return b"BM" + head + header + rows


def exif(orientation, order="<"):
    """An EXIF block with two entries."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return (
        magic
        + struct.pack(f"{order}IH", 8, 2)
        + struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"abc")
        + struct.pack(f"{order}HHIHH", _ORIENTATION, 3, 1, orientation, 0)
        + bytes(4)
    )


def with_exif(jpeg, block):
    """A JPEG file with EXIF behind its other headers, after fill bytes."""
    place = jpeg.index(b"\xff\xc0")
    segment = struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    return jpeg[:place] + b"\xff\xff\xe1" + segment + jpeg[place:]


def random_bytes(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8).tobytes()


def half_a_canvas():
    """A GIF file whose first frame leaves a margin."""
    content = bytearray(file_of(_RGB, "GIF"))
    content[6:10] = struct.pack("<HH", 25, 20)
    return bytes(content)


_SEEN_BY_PIL = {
    "png_rgba": file_of(_RGBA, "PNG"),
    "png_grey_alpha": file_of(_RGBA, "PNG", "LA"),
    "png_palette": file_of(_RGB, "PNG", "P"),
    "png_palette_alpha": file_of(_RGB, "PNG", "P", transparency=3),
    "png_rgb_key": file_of(_RGB, "PNG", transparency=(0, 0, 0)),
    "png_bits": file_of(_RGB, "PNG", "1"),
    "png_four_bits_alpha": png(
        [b"\1\x23", b"\x32\x10"],
        4,
        3,
        (b"PLTE", bytes(range(0, 240, 20))),
        (b"tRNS", b"\0\x80"),
    ),
    "png_text_tRNS": png(
        [b"\1\x23"], 4, 3, (b"PLTE", bytes(12)), (b"tEXt", b"a\0tRNS")
    ),
    "png_exif": png([b"abcd", b"\0\1\2\3"], 8, 0, (b"eXIf", exif(6, ">"))),
    "gif": file_of(_RGB, "GIF"),
    "gif_alpha": file_of(_RGBA, "GIF"),
    "gif_animation": file_of(
        _RGBA,
        "GIF",
        save_all=True,
        append_images=[Image.fromarray(_RGBA[::-1].copy())],
    ),
    "webp": file_of(_RGB, "WEBP", lossless=True),
    "webp_alpha": file_of(_RGBA, "WEBP", lossless=True),
    "webp_exif": file_of(_RGBA, "WEBP", lossless=True, exif=exif(8)),
    "webp_animation": file_of(
        _RGB,
        "WEBP",
        save_all=True,
        lossless=True,
        append_images=[Image.fromarray(_RGB[::-1].copy())],
    ),
    "jpeg_progressive": file_of(_RGB, "JPEG", progressive=True),
    "jpeg_grey": file_of(_RGB, "JPEG", "L"),
    "bmp_rgb": file_of(_RGB, "BMP"),
    "bmp_palette": file_of(_RGB, "BMP", "P"),
    "bmp_grey": file_of(_RGB, "BMP", "L"),
    "bmp_bits": file_of(_RGB, "BMP", "1"),
    "bmp_four_bits": bmp(3, 4, random_bytes(3, 4), palette=random_bytes(16, 4)),
    "bmp_top_down": bmp(-3, 4, random_bytes(3, 4), palette=random_bytes(16, 4)),
    "bmp_555": bmp(3, 16, random_bytes(3, 12)),
    "bmp_565": bmp(3, 16, random_bytes(3, 12), 3, (0xF800, 0x7E0, 0x1F)),
    "bmp_alpha": bmp(
        3,
        32,
        random_bytes(3, 20),
        3,
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        size=108,
    ),
}
for _order in "<>":
    for _number in range(1, 9):
        _SEEN_BY_PIL[f"jpeg_turned_{_number}{_order}"] = with_exif(
            file_of(_RGB // 64 * 64, "JPEG", quality=100, subsampling=0),
            exif(_number, _order),
        )


class DecodingTest(parameterized.TestCase):
    # Traced once for all files.
    decoded = {
        channels: tf.function(
            lambda content, channels=channels: decoded(content, channels),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        for channels in (1, 3)
    }

    @parameterized.named_parameters(_SEEN_BY_PIL.items())
    def test_files_are_decoded_as_pil_shows_them(self, content):
        expected = as_seen(content)
        found = self.decoded[3](content).numpy()
        self.assertEqual(found.shape, expected.shape)
        # Another rounding of the transform of JPEG moves a pixel by some.
        tolerance = 8 if content.startswith(b"\xff\xd8") else 1
        np.testing.assert_allclose(found, expected.astype(int), atol=tolerance)
        grey = self.decoded[1](content).numpy()[..., 0]
        luminance = expected @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(grey, luminance, atol=tolerance + 1)

    def test_pipelines_of_this_process_decode_alike(self):
        contents = list(_SEEN_BY_PIL.values())
        for channels, graph in self.decoded.items():
            here = tf.data.Dataset.from_tensor_slices(contents).map(
                lambda content, n=channels: decoded_here(content, n)
            )
            for content, found in zip(contents, here, strict=True):
                np.testing.assert_array_equal(found, graph(content))

    def test_a_broken_file_is_an_error_of_the_pipeline(self):
        here = tf.data.Dataset.from_tensors(b"GIF8 and no more").map(
            lambda content: decoded_here(content, 3)
        )
        with self.assertRaises(tf.errors.InvalidArgumentError):
            list(here)

    def test_cmyk_is_decoded_as_pil_shows_it(self):
        content = file_of(_RGB, "JPEG", "CMYK", quality=100)
        found = self.decoded[3](content).numpy()
        np.testing.assert_allclose(found, as_seen(content).astype(int), atol=12)

    def test_black_ink_on_nothing_is_seen(self):
        ink = np.zeros((8, 8, 4), np.uint8)
        ink[2:6, 2:6, 3] = 255
        expected = np.full((8, 8, 3), 255)
        expected[2:6, 2:6] = 0
        found = self.decoded[3](file_of(ink, "PNG")).numpy()
        np.testing.assert_array_equal(found, expected)

    @parameterized.parameters(255, 1023, 4095, 16383, 65535)
    def test_the_largest_sample_of_a_known_depth_is_white(self, largest):
        numbers = np.linspace(0, largest, 64).reshape(8, 8).round()
        found = self.decoded[1](deep_png(numbers)).numpy()[..., 0]
        expected = numbers * 255 / largest
        np.testing.assert_allclose(found, expected, atol=0.5)
        self.assertLen(np.unique(found), 64)

    @parameterized.parameters((12, 4095), (16, 65535))
    def test_significant_bits_of_a_file_raise_the_depth(self, bits, white):
        numbers = np.linspace(0, 1000, 64).reshape(8, 8).round()
        content = deep_png(numbers, (b"sBIT", bytes([bits])))
        found = self.decoded[1](content).numpy()[..., 0]
        np.testing.assert_allclose(found, numbers * 255 / white, atol=0.5)

    def test_sixteen_bits_may_be_transparent(self):
        numbers = np.random.default_rng(0).integers(0, 65536, (4, 4, 4))
        numbers[0, 0] = 65535
        content = png([r.astype(">u2").tobytes() for r in numbers], 16, 6)
        shares = numbers / 65535
        opacity = shares[..., 3:]
        expected = 255 * (shares[..., :3] * opacity + 1 - opacity)
        found = self.decoded[3](content).numpy()
        np.testing.assert_allclose(found, expected, atol=0.51)

    def test_what_a_frame_does_not_cover_is_white(self):
        found = self.decoded[3](half_a_canvas()).numpy()
        self.assertEqual(found.shape, (20, 25, 3))
        np.testing.assert_array_equal(
            found[:12, :18], as_seen(file_of(_RGB, "GIF"))
        )
        self.assertTrue((found[12:] == 255).all())
        self.assertTrue((found[:, 18:] == 255).all())

    def test_a_bmp_that_is_not_decoded_is_listed_with_the_reason(self):
        contents = {
            "with compression, which is not supported": bmp(3, 8, bytes(24), 1),
            "that is cut off": bmp(3, 24, bytes(20)),
            "of an unknown number of bits": bmp(3, 7, bytes(24)),
            "without a proper size": bmp(0, 24, b""),
        }
        expected = {}
        for reason, content in contents.items():
            path = os.path.join(self.create_tempdir().full_path, "a.bmp")
            tf.io.write_file(path, content)
            expected[path] = f"not decodable: BMP {reason}"
        self.assertEqual(image_files.find_unreadable(list(expected)), expected)

    def test_decoding_has_no_state(self):
        # Else deterministic runs would decode one image after the other.
        graph = self.decoded[1].get_concrete_function().graph.as_graph_def()
        functions = [function.node_def for function in graph.library.function]
        nodes = itertools.chain(graph.node, *functions)
        self.assertNoCommonElements(
            {node.op for node in nodes},
            {"Assert", "CheckNumerics", "PyFunc", "StatefulPartitionedCall"},
        )

    def test_broken_exif_leaves_an_image_as_it_is(self):
        jpeg = file_of(_RGB, "JPEG")
        expected = self.decoded[3](jpeg).numpy()
        for block in (
            b"",
            b"II*\0",
            exif(9),
            exif(6)[:20],
            b"II*\0" + b"\xff" * 9,
        ):
            found = self.decoded[3](with_exif(jpeg, block)).numpy()
            np.testing.assert_array_equal(found, expected)


if __name__ == "__main__":
    absltest.main()
