import os
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import csv_list


class CsvTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.file = self.root / "list.csv"

    def load(self, text=None, encoding="utf-8", **kwargs):
        if text is not None:
            self.file.write_bytes(text.encode(encoding))
        kwargs = {"check_images": False, **kwargs}
        return csv_list.load(self.file, (4, 4), **kwargs)

    def write_images(self, *names, value=0):
        for name in names:
            image = np.full((6, 5, 3), value, np.uint8)
            (self.root / name).write_bytes(tf.io.encode_png(image).numpy())

    def test_parts_labels_and_paths_are_those_of_the_lines(self):
        source = self.load(
            "split,path,label,note\n"
            "train,b.jpg,dog,x\n"
            "\n"
            "test,sub/a.jpg,cat,\n"
            "train,/elsewhere/c.jpg,emu,\n"
            "validation,./d.jpg,dog,\n"
        )
        self.assertEqual(source.name, "csv")
        self.assertEqual(source.class_names, ("cat", "dog", "emu"))
        self.assertEqual(
            source.train.example_ids.tolist(), ["b.jpg", "/elsewhere/c.jpg"]
        )
        self.assertEqual(
            list(source.train.images.paths),
            [str(self.root / "b.jpg"), "/elsewhere/c.jpg"],
        )
        self.assertEqual(source.train.labels.tolist(), [1, 2])
        self.assertEqual(source.test.example_ids.tolist(), ["sub/a.jpg"])
        self.assertEqual(source.validation.example_ids.tolist(), ["d.jpg"])
        self.assertFalse(source.labels_are_clean)

    def test_parts_may_have_other_names(self):
        source = self.load(
            "path,label,split\na,x,Train\nb,y,TESTING\nc,x,val\nd,y,training\n"
        )
        self.assertEqual(source.train.example_ids.tolist(), ["a", "d"])
        self.assertEqual(source.validation.example_ids.tolist(), ["c"])

    def test_paths_may_come_from_windows_and_begin_at_home(self):
        (self.root / "cat").mkdir()
        self.write_images("cat/1.png", "odd\\name.png")
        with mock.patch.dict(os.environ, HOME=str(self.root)):
            source = self.load(
                "path,label,split\n"
                "cat\\1.png,x,train\n"
                "odd\\name.png,x,train\n"
                "~/cat/1.png,y,test\n",
                encoding="utf-8-sig",
                check_images=True,
            )
        self.assertEqual(source.unreadable, {})
        self.assertEqual(
            source.train.example_ids.tolist(), ["cat/1.png", "odd\\name.png"]
        )
        self.assertEqual(source.test.example_ids.tolist(), ["~/cat/1.png"])

    def test_without_splits_a_test_part_is_held_out(self):
        lines = "".join(f"{i}.jpg,{i % 2}\n" for i in range(10))
        source = self.load("path,label\n" + lines)
        self.assertLen(source.train, 8)
        self.assertEqual(sorted(source.test.labels), [0, 1])
        self.assertLen(self.load(test_fraction=0.4).test, 4)

        self.assertTrue(source.test_is_held_out)
        self.assertFalse(source.test_labels_are_checked)

    @parameterized.parameters(None, 11)
    def test_numbers_are_names_unless_their_number_is_given(self, num_classes):
        lines = "".join(
            f"{i}.{k}.jpg,{i}\n" for i in (2, 10, 4) for k in range(3)
        )
        source = self.load("path,label\n" + lines, num_classes=num_classes)
        names = ("2", "4", "10")
        if num_classes:
            names = tuple(map(str, range(11)))
        self.assertEqual(source.class_names, names)
        for part in (source.train, source.test):
            self.assertEqual(
                [source.class_names[label] for label in part.labels],
                [name.partition(".")[0] for name in part.example_ids],
            )

    def test_lines_without_a_label_are_left_out_with_a_warning(self):
        lines = "".join(f"{i}.jpg,{1 + i % 2}.0\n" for i in range(10))
        with self.assertLogs("absl", "WARNING") as logs:
            source = self.load("path,label\n" + lines + "x.jpg,\ny.jpg,nan\n")
        self.assertEqual(source.class_names, ("1", "2"))
        self.assertLen(source.train, 8)
        self.assertEqual(
            source.left_out, {"without a label": ["x.jpg", "y.jpg"]}
        )
        self.assertIn(
            "2 of 12 examples have no label ('', 'nan')", logs.output[0]
        )

    def test_numbers_among_names_are_names(self):
        lines = "a,7\nb,-1\nc,7\nd,-1\ne,7\n"
        self.assertEqual(
            self.load("path,label\n" + lines).class_names, ("-1", "7")
        )

    @parameterized.parameters("utf-8", "utf-8-sig")
    def test_byte_order_mark_crlf_quotes_and_spaces_are_understood(
        self, encoding
    ):
        source = self.load(
            'path, label ,split\r\n"a, 1.jpg", čaj ,train\r\n'
            "小.jpg,b,test\r\n\r\n",
            encoding,
        )
        self.assertEqual(source.class_names, ("b", "čaj"))
        self.assertEqual(source.train.example_ids.tolist(), ["a, 1.jpg"])
        self.assertEqual(source.test.example_ids.tolist(), ["小.jpg"])

    @parameterized.parameters(
        ("", "columns path and label"),
        ("file,label\na,b\n", "columns path and label.*file,label"),
        ("path,label\n", "a line for each image"),
        ("path,label\na,b\nc\n", "2 columns.*1 columns in line 3"),
        ("path,label\na,b\n,c\n", "a path in every line.*line 3"),
        ("path,label\na,b\nc,b\n./a,b\n", "only once.*'a' in line 4"),
        (
            "path,label,split\na,b,train\nc,d,dev\n",
            "train, validation or test.*'dev' in line 3",
        ),
        ("path,label,split\na,b,train\n", "value test"),
        ("path,label,split\na,b,test\n", "value train"),
        ('path,label\n"a,b\n', "UTF-8"),
    )
    def test_bad_files_are_refused_in_one_line(self, text, message):
        with self.assertRaisesRegex(ValueError, message) as context:
            self.load(text)
        self.assertStartsWith(str(context.exception), "`data_dir`")
        self.assertNotIn("\n", str(context.exception))

    def test_a_file_without_a_label_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`labels`.*1 labels, all"):
            self.load("path,label\na,\n")

    def test_other_encodings_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`data_dir`.*UTF-8"):
            self.load("path,label\na,čaj\n", "iso8859-2")

    def test_test_fraction_is_refused_where_there_are_splits(self):
        with self.assertRaisesRegex(ValueError, "`test_fraction`"):
            self.load(
                "path,label,split\na,b,train\nc,d,test\n", test_fraction=0.5
            )

    def test_missing_file_is_refused(self):
        with self.assertRaisesRegex(FileNotFoundError, "`data_dir`.*list.csv"):
            self.load()

    def test_missing_images_are_left_out_up_to_a_share(self):
        self.write_images(*(f"{i}.png" for i in range(9)))
        lines = "".join(f"{i}.png,{i % 2}\n" for i in range(10))
        text = "path,label\n" + lines
        with self.assertRaisesRegex(ValueError, "`max_unreadable`.*1 of 10"):
            self.load(text, check_images=True)
        source = self.load(text, check_images=True, max_unreadable=0.1)
        self.assertLen(source.train.images, 9 - len(source.test))
        self.assertEqual(
            source.unreadable, {str(self.root / "9.png"): "missing"}
        )

    def test_images_reach_the_batches(self):
        lines = ""
        for i in range(20):
            self.write_images(f"{i}.png", value=100 * (i % 2))
            lines += f"{i}.png,{i % 2}\n"
        source = self.load("path,label\n" + lines, num_channels=1)
        splits = data.noisy_splits(
            source, np.eye(2), split_seed=0, noise_seed=0
        )
        batches = data.evaluation_dataset(
            splits.test.images, splits.test.labels, batch_size=3
        )
        for images, labels in batches.as_numpy_iterator():
            self.assertEqual(images.shape[1:], (4, 4, 1))
            np.testing.assert_array_equal(images.mean((1, 2, 3)), 100 * labels)


if __name__ == "__main__":
    absltest.main()
