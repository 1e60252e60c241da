"""Texts that spreadsheets would run, and back."""

import csv
import io
import pathlib
import types

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import csv_text
from limit_tf.experiments import results
from limit_tf.serving import prediction_file


class CsvTextTest(parameterized.TestCase):
    @parameterized.parameters(
        "=1+2", "+x", "-x.png", "@a", "\tx", "\rx", "-", "=", "+-1", "-1-2"
    )
    def test_formulas_are_escaped(self, text):
        self.assertEqual(csv_text.escaped(text), "'" + text)

    @parameterized.parameters(
        "a=b", "'a", "", "1", "-1", "-1.5e-3", "+7", "-.5", "-inf", "x-1"
    )
    def test_other_texts_and_numbers_stay(self, text):
        self.assertEqual(csv_text.escaped(text), text)

    @parameterized.parameters(-1.5, True, None)
    def test_values_that_are_no_text_stay(self, value):
        self.assertIs(csv_text.escaped(value), value)

    @parameterized.parameters(
        "=a", "'=a", "''-a", "'a", "-1", "'-1", "'", "a'=b", "", "@", "\t"
    )
    def test_every_text_comes_back(self, text):
        self.assertEqual(csv_text.unescaped(csv_text.escaped(text)), text)


class FilesTest(absltest.TestCase):
    def test_names_of_unreadable_images_are_no_formulas(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        results.write_unreadable(folder, {"=x.png": "-", "a.png": "empty"})
        self.assertEqual(
            (folder / "unreadable_images.csv").read_text(),
            "path,reason\n'=x.png,'-\na.png,empty\n",
        )

    def test_names_of_predicted_files_are_no_formulas(self):
        file = io.StringIO()
        prediction = types.SimpleNamespace(
            name="@x.png",
            class_ids=[0],
            class_names=["-dog"],
            probabilities=[0.5],
        )
        prediction_file.write_csv(file, [prediction])
        _, row = csv.reader(io.StringIO(file.getvalue()))
        self.assertEqual(row, ["'@x.png", "0", "'-dog", "0.5"])


if __name__ == "__main__":
    absltest.main()
