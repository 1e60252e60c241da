"""Texts that spreadsheets would run, and back."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import csv_text


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


if __name__ == "__main__":
    absltest.main()
