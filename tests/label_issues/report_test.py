"""The report's file: what is in it, and what never is."""

import base64
import dataclasses
import html.parser
import json
import pathlib
import re
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.label_issues import report
from limit_tf.label_issues import thumbnails
from limit_tf.label_issues.report import write_report
from tests.label_issues import synthetic

_HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028\ud800"


def images(num_images, height=8, width=8, channels=1):
    rng = np.random.default_rng(1)
    shape = (num_images, height, width, channels)
    return rng.integers(256, size=shape, dtype=np.uint8)


class _Scripts(html.parser.HTMLParser):
    """Collects elements and the contents of scripts by their ids."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.scripts = {}
        self.policy = None
        self._open = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if tag == "script":
            self._open = attrs.get("id")
        if attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.scripts[self._open] = data


def parsed(path):
    parser = _Scripts()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def tile(page, tiles, row):
    """The pixels of a row's image, cut from its sheet."""
    sheet, place = divmod(row, tiles["perSheet"])
    uri = page.scripts[f"sheet-{sheet}"]
    pixels = tf.io.decode_image(base64.b64decode(uri.partition(",")[2]))
    y, x = divmod(place, tiles["columns"])
    y, x = y * tiles["rowStep"], x * tiles["columnStep"]
    return pixels.numpy()[y : y + tiles["height"], x : x + tiles["width"]]


class ReportTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.path = self.folder / "report.html"

    def write(self, issues, noise=None, title="labels", **arguments):
        write_report(self.path, issues, noise, title=title, **arguments)
        page = parsed(self.path)
        return page, json.loads(page.scripts["data"])


class PageTest(ReportTestCase):
    def test_the_columns_are_those_of_the_issues(self):
        issues = synthetic.issues(
            details={"entropy": np.linspace(0, 1, 150), "n": np.arange(150)}
        )
        _, data = self.write(issues, synthetic.noise())

        self.assertEqual(data["ids"][:2], ["1000", "1001"])
        self.assertEqual(data["given"], issues.given_labels.tolist())
        self.assertEqual(data["suggested"], issues.suggested_labels.tolist())
        self.assertEqual(data["isIssue"], issues.is_issue.astype(int).tolist())
        np.testing.assert_allclose(data["scores"], issues.scores, atol=5e-5)
        self.assertEqual(
            [name for name, _ in data["details"]], ["entropy", "n"]
        )
        self.assertEqual(data["details"][1][1], list(range(150)))

    def test_figures_are_of_all_labels_where_few_are_listed(self):
        issues = synthetic.issues()
        _, data = self.write(issues, max_rows=10)

        self.assertLen(data["ids"], 10)
        self.assertEqual(data["numLabels"], 150)
        self.assertEqual(data["numIssues"], issues.num_issues)
        self.assertEqual(np.sum(data["histogram"]), 150)
        self.assertEqual(
            sum(count for *_, count in data["pairs"]), issues.num_issues
        )

    def test_the_truth_by_hand(self):
        # Issues are the first two. Wrong are the first and the last label; of
        # the issue that is wrong the suggestion is right.
        issues = synthetic.issues(
            num_rows=4,
            given_labels=np.array([0, 1, 2, 0]),
            suggested_labels=np.array([1, 2, 0, 1]),
            clean_labels=np.array([1, 1, 2, 2]),
        )
        _, data = self.write(issues)

        self.assertEqual(data["truth"], {"wrong": 2, "found": 1, "solved": 1})

    def test_changes_by_hand(self):
        issues = synthetic.issues(
            num_rows=4,
            given_labels=np.array([0, 2, 2, 1]),
            suggested_labels=np.array([1, 0, 0, 0]),
            is_issue=np.array([True, True, True, False]),
        )
        _, data = self.write(issues)

        # Given, suggested, how many; in the matrix suggested comes first.
        self.assertEqual(data["pairs"], [[2, 0, 2], [0, 1, 1]])
        self.assertEqual(data["matrix"]["entries"], [[0, 2, 2], [1, 0, 1]])
        # Class, share of its labels that are issues, issues and labels.
        self.assertEqual(
            [[row[0], row[1], *row[4:]] for row in data["classes"]],
            [[0, 1.0, 1, 1], [2, 1.0, 2, 2], [1, 0.0, 0, 1]],
        )

    def test_classes_without_labels_have_no_rate(self):
        issues = synthetic.issues(given_labels=np.zeros(150, np.int64))
        rates = np.array([0.2, np.nan, np.nan])
        noise = dataclasses.replace(
            synthetic.noise(),
            label_error_rates=rates,
            label_error_rates_interval=np.stack([rates, rates]),
        )
        _, data = self.write(issues, noise)

        self.assertEqual(data["classes"][0][:2], [0, 0.2])
        self.assertEqual(data["classes"][1][:4], [1, None, None, None])

    def test_a_matrix_of_many_classes_keeps_the_largest_entries(self):
        names = [f"class {i}" for i in range(150)]
        noise = synthetic.noise(num_classes=150)
        noise.transition_matrix[3, 5] = 0.1
        _, data = self.write(synthetic.issues(class_names=names), noise)

        entries = {
            (i, j): value for i, j, value, *_ in data["matrix"]["entries"]
        }
        self.assertEqual(entries[3, 5], 0.1)
        self.assertEqual(entries[149, 149], 0.8)

    def test_no_address_is_in_the_page(self):
        self.write(synthetic.issues(), synthetic.noise(), images=images(150))
        text = self.path.read_text(encoding="utf-8")

        self.assertNotRegex(text, r"https?:|//[a-z]+\.[a-z]")
        self.assertNotRegex(text, r"<link|@import|url\(|<iframe")

    def test_names_cannot_leave_their_place(self):
        issues = synthetic.issues(
            class_names=(_HOSTILE, "dog", "bird"),
            ids=np.array([_HOSTILE] * 150),
            details={_HOSTILE: np.array([_HOSTILE] * 150)},
        )
        plain, _ = self.write(synthetic.issues())
        page, data = self.write(
            issues, facts={_HOSTILE: _HOSTILE}, texts=[_HOSTILE] * 150
        )

        self.assertEqual(page.tags, plain.tags)
        self.assertEqual(data["ids"][0], _HOSTILE)
        self.assertEqual(data["classNames"][0], _HOSTILE)
        self.assertNotRegex(page.scripts["data"], "[<>&\u2028]")

    def test_the_title_is_escaped(self):
        page, _ = self.write(synthetic.issues(), title="a</title><b>$data")

        self.assertNotIn("b", page.tags)
        text = self.path.read_text(encoding="utf-8")
        self.assertIn("<title>a&lt;/title&gt;&lt;b&gt;$data</title>", text)

    def test_only_the_page_s_own_script_may_run(self):
        page, _ = self.write(synthetic.issues())

        self.assertIn("default-src 'none'", page.policy)
        self.assertIn("; img-src data:; ", page.policy)
        self.assertRegex(page.policy, r"script-src 'sha256-[\w+/]+=*'$")
        self.assertNotIn("unsafe", page.policy)

    def test_decisions_belong_to_the_labels(self):
        issues = synthetic.issues()
        _, first = self.write(issues, title="one")
        _, same = self.write(issues, title="other")
        _, other = self.write(issues.take(slice(100)))

        self.assertEqual(first["key"], same["key"])
        self.assertNotEqual(first["key"], other["key"])

    def test_no_labels_make_a_page(self):
        _, data = self.write(synthetic.issues().take(slice(0)))

        self.assertEqual(data["numLabels"], 0)

    def test_what_is_no_number_is_null(self):
        details = {"margin": np.array([np.nan, np.inf] * 75)}
        _, data = self.write(synthetic.issues(details=details))

        self.assertEqual(data["details"][0][1][:2], [None, None])


class ImageTest(ReportTestCase):
    def test_every_image_is_that_of_its_position(self):
        issues, pixels = synthetic.issues(), images(150, channels=3)
        page, data = self.write(issues, images=pixels)

        for row in (0, 9, 10, 99, 100, 149):
            np.testing.assert_array_equal(
                tile(page, data["tiles"], row), pixels[issues.positions[row]]
            )

    @parameterized.parameters(1, 3, 4)
    def test_channels(self, channels):
        issues, pixels = synthetic.issues(12), images(12, 5, 9, channels)
        page, data = self.write(issues, images=pixels)

        np.testing.assert_array_equal(
            tile(page, data["tiles"], 11), pixels[issues.positions[11]]
        )

    def test_photos_are_reduced(self):
        grey = np.arange(150, dtype=np.uint8)[:, None, None, None]
        photos = np.broadcast_to(grey, (150, 300, 200, 3))
        issues = synthetic.issues()
        page, data = self.write(issues, images=photos)

        self.assertEqual(data["tiles"]["height"], thumbnails.MAX_SIDE)
        self.assertEqual(data["tiles"]["width"], 75)
        self.assertStartsWith(page.scripts["sheet-1"], "data:image/jpeg;base64")
        for row in (0, 9, 10, 101):
            np.testing.assert_allclose(
                tile(page, data["tiles"], row), issues.positions[row], atol=4
            )

    def test_a_function_reads_only_what_is_shown(self):
        issues, pixels = synthetic.issues(), images(150)
        asked = []

        def read(positions):
            asked.append(positions)
            return pixels[positions]

        page, data = self.write(issues, images=read, max_images=120)

        self.assertEqual([len(chunk) for chunk in asked], [100, 20])
        self.assertEqual(data["tiles"]["count"], 120)
        self.assertNotIn("sheet-2", page.scripts)
        np.testing.assert_array_equal(
            tile(page, data["tiles"], 119), pixels[issues.positions[119]]
        )

    def test_no_images_are_wanted(self):
        _, data = self.write(
            synthetic.issues(), images=images(150), max_images=0
        )

        self.assertIsNone(data["tiles"])


class TextTest(ReportTestCase):
    def test_every_text_is_that_of_its_position(self):
        issues = synthetic.issues()
        texts = [f"text {i}" for i in range(150)]
        _, data = self.write(issues, texts=texts)

        self.assertEqual(data["texts"][7], f"text {issues.positions[7]}")

    def test_bytes_are_text(self):
        _, data = self.write(synthetic.issues(), texts=["é".encode()] * 150)

        self.assertEqual(data["texts"][0], "é")

    def test_long_texts_are_cut(self):
        _, data = self.write(synthetic.issues(), texts=["word " * 1000] * 150)

        self.assertLessEqual(len(data["texts"][0]), 500)
        self.assertEndsWith(data["texts"][0], "word…")

    def test_of_a_table_the_first_values_are_shown(self):
        issues = synthetic.issues()
        table = np.arange(1500).reshape(150, 10) / 8
        _, data = self.write(issues, images=table)

        first = table[issues.positions[0]]
        self.assertEqual(
            data["texts"][0],
            ", ".join(f"{value:.4g}" for value in first[:8]) + ", … and 2 more",
        )


class ErrorTest(ReportTestCase):
    @parameterized.named_parameters(
        ("max_rows", {"max_rows": 0}, r"`max_rows` .* Received: max_rows=0"),
        ("max_images", {"max_images": -1}, r"`max_images` .*max_images=-1"),
        ("images", {"images": images(149)}, r"`images` .* 150.*Received: 149"),
        (
            "float_images",
            {"images": np.zeros((150, 8, 8, 1), np.float32)},
            r"`images` must be uint8 .* Received: float32 of shape",
        ),
        (
            "channels",
            {"images": np.zeros((150, 8, 8, 2), np.uint8)},
            r"`images` must be uint8 .*\(150, 8, 8, 2\)",
        ),
        ("texts", {"texts": ["a"] * 10}, r"`texts` .* 150.*Received: 10"),
        (
            "noise",
            {"noise": synthetic.noise(num_classes=4)},
            r"`noise` must be of the 3 classes.* Received: 4",
        ),
        (
            "function",
            {"images": lambda positions: images(3)},
            r"`images` must give uint8 .*for 100 positions.* \(3, 8, 8, 1\)",
        ),
        (
            "sizes",
            {
                "images": lambda positions: images(
                    len(positions), len(positions)
                )
            },
            r"`images` must give .*\(50, 100, 8, 1\).*\(50, 50, 8, 1\)",
        ),
    )
    def test_one_line_says_what_is_wrong(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            self.write(synthetic.issues(), **arguments)

        self.assertNotIn("\n", str(caught.exception))
        self.assertEmpty(list(self.folder.iterdir()))

    def test_a_missing_folder_is_named(self):
        with self.assertRaisesRegex(ValueError, "`path` must lie in a folder"):
            write_report(
                self.folder / "none" / "a.html", synthetic.issues(), title="a"
            )

    def test_a_write_that_fails_leaves_the_old_page(self):
        self.path.write_text("old")
        with mock.patch("os.replace", side_effect=OSError("disk full")):
            with self.assertRaisesRegex(OSError, "disk full"):
                self.write(synthetic.issues())

        self.assertEqual(self.path.read_text(), "old")
        self.assertEqual(list(self.folder.iterdir()), [self.path])


class SizeTest(ReportTestCase):
    def test_a_row_takes_few_bytes(self):
        self.write(synthetic.issues(num_rows=10_000))
        with_rows = self.path.stat().st_size
        self.write(synthetic.issues(num_rows=10))

        # Id, two labels, a score, whether it is an issue, and commas.
        per_row = (with_rows - self.path.stat().st_size) / 10_000
        self.assertLess(per_row, 25)

    def test_the_script_has_no_way_to_make_html_of_data(self):
        script = pathlib.Path(report.__file__).with_name("report_page.js")

        self.assertIsNone(
            re.search(
                r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(",
                script.read_text(encoding="utf-8"),
            )
        )


if __name__ == "__main__":
    absltest.main()
