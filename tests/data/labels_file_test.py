import os

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data.image_data import ImageData
from limit_tf.data.labels_file import apply_labels_file

_NAMES = ("cat", "dog", "owl")


class LabelsFileTest(parameterized.TestCase):
    def apply(self, text, ids=("a", "b", "c"), names=_NAMES, **kwargs):
        path = os.path.join(self.create_tempdir().full_path, "labels.csv")
        with open(
            path, "w", encoding="utf-8", errors="surrogateescape"
        ) as file:
            file.write(text)
        images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
        return apply_labels_file(
            ImageData(images, [0, 1, 2], ids),
            path,
            names,
            **{"truth_known": True, **kwargs},
        )

    def test_known_truth_is_kept_beside_the_given_labels(self):
        data = self.apply("id,label\nc,cat\na,owl\nb,1\n")
        self.assertEqual(data.labels.tolist(), [0, 1, 2])
        self.assertEqual(data.given_labels.tolist(), [2, 1, 0])
        self.assertEqual(data.example_ids.tolist(), ["a", "b", "c"])

    def test_unknown_truth_is_replaced(self):
        data = self.apply("id,label\na,2\nb,2\nc,2\n", truth_known=False)
        self.assertEqual(data.labels.tolist(), [2, 2, 2])
        self.assertIsNone(data.given_labels)

    def test_an_empty_label_drops_the_example(self):
        data = self.apply("id,label\na,owl\nb,\nc, cat \n")
        self.assertEqual(data.images.ravel().tolist(), [0, 2])
        self.assertEqual(data.labels.tolist(), [0, 2])
        self.assertEqual(data.given_labels.tolist(), [2, 0])

    def test_other_columns_and_their_order_do_not_matter(self):
        text = '\ufefflabel,note,id\r\nowl,"x,y",a\r\ncat,,b\r\ndog,,c\r\n'
        self.assertEqual(self.apply(text).given_labels.tolist(), [2, 0, 1])

    @parameterized.parameters(([0, 1, 2],), ([b"0", b"1", b"2"],))
    def test_ids_are_compared_as_strings(self, ids):
        data = self.apply("id,label\n0,owl\n1,dog\n2,cat\n", ids=ids)
        self.assertEqual(data.given_labels.tolist(), [2, 1, 0])

    def test_ids_that_the_data_does_not_have_are_refused(self):
        text = "id,label\na,2\nx,0\nb,1\nc,0\ny,\nz,1\nw,1\n"
        message = "^`path`.*4 ids that no example has: 'x', 'y', 'z' and 1 more"
        with self.assertRaisesRegex(ValueError, message):
            self.apply(text)

    def test_numbers_are_no_places_where_a_name_is_a_number(self):
        names = ("1", "2", "x")
        data = self.apply("id,label\na,2\nb,1.0\nc,x\n", names=names)
        self.assertEqual(data.given_labels.tolist(), [1, 0, 2])
        with self.assertRaisesRegex(ValueError, "3 classes.*line 4.*'0'"):
            self.apply("id,label\na,2\nb,1\nc,0\n", names=names)

    @parameterized.parameters("nan", "NaN", "None", "NULL", "NA", " ")
    def test_missing_labels_drop_the_example(self, text):
        data = self.apply(f"id,label\na,owl\nb,{text}\nc,cat\n")
        self.assertEqual(data.example_ids.tolist(), ["a", "c"])

    def test_a_class_may_be_called_as_missing_labels_are(self):
        names = ("NA", "EU", "nan")
        data = self.apply("id,label\na,NA\nb,nan\nc,EU\n", names=names)
        self.assertEqual(data.given_labels.tolist(), [0, 2, 1])

    def test_texts_that_are_no_formulas_any_more_are_understood(self):
        data = self.apply(
            "id,label\n'=a,'-x\nb,y\n''@c,y\n",
            ids=("=a", "b", "'@c"),
            names=("-x", "y"),
        )
        self.assertEqual(data.given_labels.tolist(), [0, 1, 1])

    def test_weights_stay_with_their_examples(self):
        data = self.apply("weight,id,label\n.5,c,0\n7,b,\n0,a,1\n")
        self.assertEqual(data.example_ids.tolist(), ["a", "c"])
        self.assertEqual(data.sample_weight.tolist(), [0, 0.5])
        self.assertEqual(data.sample_weight.dtype, np.float32)

    @parameterized.parameters(
        "id,label\na,0\nb,0\nc,0\n", "id,label,weight\na,0,1\nb,0,1.0\nc,0,1\n"
    )
    def test_weights_of_one_are_none(self, text):
        self.assertIsNone(self.apply(text).sample_weight)

    @parameterized.parameters("-1", "nan", "inf", "1e39", "much", "")
    def test_bad_weights_are_refused(self, weight):
        text = f"id,label,weight\na,0,1\nb,0,{weight}\nc,0,1\n"
        message = f"^`path` .*weights.*finite.*line 3 with the weight '{weight}"
        with self.assertRaisesRegex(ValueError, message):
            self.apply(text)

    def test_a_name_may_begin_or_end_with_a_blank(self):
        names = ("cat ", "dog", "owl")
        data = self.apply("id,label\na,dog\nb,cat \nc, owl\n", names=names)
        self.assertEqual(data.given_labels.tolist(), [1, 0, 2])

    @parameterized.parameters(
        ("id,label\na,cat\n", "every example.* 2 of 3, the first 'b'"),
        ("id,label\nx,0\ny,0\n", "2 ids that no example has: 'x', 'y'"),
        ("id,label\n", "every example.* 3 of 3, the first 'a'"),
        ("id,label\na,0\nb,0\nb,1\nc,0\n", "each id once.*line 4.*'b'"),
        ("id,label\na,0\nb,cow\nc,0\n", "3 classes.*line 3.*'cow'"),
        ("id,label\na,0\nb,3\nc,0\n", "3 classes.*line 3.*'3'"),
        ("id,label\na,0\nb\nc,0\n", "3 classes.*line 3.*None"),
        ("id,label\na,\nb,\nc,\n", "at least one label"),
        ("a,cat\nb,cat\nc,cat\n", "header.*'a,cat'"),
        ("", "header.*''"),
        ("id,label,weight\na,0,1\nb,0\nc,0,1\n", "line 3.*weight None"),
        ("id,label\na,0\nb,caf\udce9\nc,0\n", "CSV file in UTF-8"),
    )
    def test_broken_files_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, f"^`path` .*{message}.*$"):
            self.apply(text)


if __name__ == "__main__":
    absltest.main()
