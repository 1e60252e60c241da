import dataclasses
import pathlib
import sys
from unittest import mock

import numpy as np
import pyarrow
from absl.testing import absltest
from absl.testing import parameterized
from pyarrow import parquet

from limit_tf.label_issues import table
from limit_tf.label_issues.issues import LabelIssues

_HEADER = "id,given_label,suggested_label,score,is_issue\n"
_ROW = "a,cat,dog,0.5,true\n"
_WRITERS = {".csv": table.write_csv, ".parquet": table.write_parquet}


def toy_issues(**changes):
    arguments = dict(
        class_names=("cat", "dog", "7"),
        positions=np.array([2, 0, 1]),
        example_ids=np.array(['b, "x"\n', "a", "é"]),
        given_labels=np.array([0, 2, 1]),
        suggested_labels=np.array([1, 2, 1]),
        scores=np.array([0.9, 0.1, 1e-9], np.float32),
        is_issue=np.array([True, False, False]),
        rule="by hand",
        clean_labels=np.array([1, 2, 2]),
        details={
            "margin": np.array([0.1, -2.5, 1 / 3]),
            "agrees": np.array([False, True, True]),
            "note": np.array(["x", "", "y,z"]),
        },
    )
    return LabelIssues(**{**arguments, **changes})


class TableTest(parameterized.TestCase):
    def path(self, name):
        return pathlib.Path(self.create_tempdir().full_path, name)

    def written(self, suffix, issues=None):
        path = self.path(f"issues{suffix}")
        _WRITERS[suffix](path, toy_issues() if issues is None else issues)
        return path

    @parameterized.parameters(*_WRITERS)
    def test_a_table_reads_as_it_was_written(self, suffix):
        columns = table.read(self.written(suffix))
        self.assertEqual(
            {name: column.tolist() for name, column in columns.items()},
            {
                "id": ['b, "x"\n', "a", "é"],
                "given_label": ["cat", "7", "dog"],
                "suggested_label": ["dog", "7", "dog"],
                "score": columns["score"].tolist(),
                "is_issue": [True, False, False],
                "clean_label": ["dog", "7", "7"],
                "margin": [0.1, -2.5, 1 / 3],
                "agrees": [False, True, True],
                "note": ["x", "", "y,z"],
            },
        )
        np.testing.assert_array_equal(
            columns["score"].astype(np.float32), toy_issues().scores
        )
        self.assertEqual(columns["is_issue"].dtype, bool)
        self.assertEqual(columns["score"].dtype, np.float64)

    def test_csv_is_the_text_that_others_expect(self):
        issues = toy_issues(
            details={}, clean_labels=None, example_ids=np.array([20, 0, 10])
        )
        self.assertEqual(
            self.written(".csv", issues).read_bytes().decode(),
            _HEADER
            + "20,cat,dog,0.9,true\n"
            + "0,7,7,0.1,false\n"
            + "10,dog,dog,1e-09,false\n",
        )

    def test_parquet_has_types(self):
        schema = parquet.read_schema(self.written(".parquet"))
        types = dict(zip(schema.names, map(str, schema.types), strict=True))
        self.assertEqual(types["id"], "string")
        self.assertEqual(types["given_label"], "string")
        self.assertEqual(types["score"], "float")
        self.assertEqual(types["is_issue"], "bool")
        self.assertEqual(types["margin"], "double")

    @parameterized.parameters(*_WRITERS)
    def test_ids_and_names_that_are_numbers_stay_strings(self, suffix):
        issues = toy_issues(
            class_names=("0", "1", "2"), example_ids=np.array([5, 6, 7])
        )
        columns = table.read(self.written(suffix, issues))
        self.assertEqual(columns["id"].tolist(), ["5", "6", "7"])
        self.assertEqual(columns["given_label"].tolist(), ["0", "2", "1"])
        self.assertEqual(columns["clean_label"].tolist(), ["1", "2", "2"])

    @parameterized.parameters(*_WRITERS)
    def test_ids_of_bytes_are_text(self, suffix):
        issues = toy_issues(example_ids=np.array([b"a", b"b", b"c"]))
        columns = table.read(self.written(suffix, issues))
        self.assertEqual(columns["id"].tolist(), ["a", "b", "c"])

    @parameterized.parameters(*_WRITERS)
    def test_parts_follow_each_other(self, suffix):
        with mock.patch.multiple(table, _NUM_ROWS=2, _ROW_GROUP=2):
            columns = table.read(self.written(suffix))
        self.assertEqual(columns["id"].tolist(), ['b, "x"\n', "a", "é"])
        self.assertEqual(columns["note"].tolist(), ["x", "", "y,z"])

    @parameterized.parameters(*_WRITERS)
    def test_an_old_table_stays_if_the_new_one_fails(self, suffix):
        path = self.written(suffix)
        before = path.read_bytes()
        broken = dataclasses.replace(
            toy_issues(), given_labels=np.array([0, 2, 9])
        )
        with self.assertRaises(IndexError):
            _WRITERS[suffix](path, broken)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual([p.name for p in path.parent.iterdir()], [path.name])

    @parameterized.parameters(*_WRITERS)
    def test_details_named_as_another_column_are_refused(self, suffix):
        issues = toy_issues(details={"score": np.zeros(3)})
        with self.assertRaisesRegex(ValueError, "`details`.*'score'$"):
            self.written(suffix, issues)

    def test_empty_lines_and_spellings_of_bools_are_read(self):
        path = self.path("issues.csv")
        path.write_text(f"\ufeff{_HEADER}\n{_ROW}\nb,cat,dog,1, FALSE\n\n")
        columns = table.read(path)
        self.assertEqual(columns["id"].tolist(), ["a", "b"])
        self.assertEqual(columns["is_issue"].tolist(), [True, False])

    @parameterized.parameters(
        ("", r"header.*issues.csv, which is empty$"),
        (_HEADER, "at least one example.*header only$"),
        ("id,score\na,1\n", "issues.csv without given_label, suggested.*'id,s"),
        (f"id,{_HEADER}a,{_ROW}", "each column once.*'id' again$"),
        (_HEADER + _ROW + "b,cat,dog,x,true\n", "score.*line 3 with 'x'$"),
        (_HEADER + _ROW + "b,cat,dog,nan,true\n", "score.*line 3 with 'nan'$"),
        (_HEADER + _ROW + "b,cat,dog,,true\n", "score.*line 3 with ''$"),
        (_HEADER + _ROW + "b,cat,dog,1,maybe\n", "is_issue.*line 3.*'maybe'$"),
        (_HEADER + _ROW + "b,cat,dog\n", "5.*line 3 with 3$"),
        (_HEADER + "\n" + _ROW + _ROW, "id once.*line 4 with the id 'a' again"),
        (_HEADER + '"\n",c,c,1,1\n' + _ROW * 2, "line 5 with the id 'a' again"),
        (b"\xff\xfe\x00\x01", "CSV file in UTF-8.*issues.csv, line 1 "),
        (_HEADER.encode() + b"\xff,c,c,1,1\n", "CSV file in UTF-8.*issues.csv"),
    )
    def test_broken_csv_is_refused(self, content, message):
        path = self.path("issues.csv")
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        self.assert_refused(path, message)

    @parameterized.parameters(
        ({"id": ["a"]}, "without given_label"),
        ({"id": ["a", "a"]}, "row 2 with the id 'a' again$"),
        ({"score": [0.5, np.inf]}, "score.*row 2 with inf$"),
        ({"score": ["0.5", "1"]}, "score.*values of type string$"),
        ({"is_issue": [1, 0]}, "is_issue.*values of type int64$"),
        ({"given_label": ["cat", None]}, "given_label.*null.*row 2 with one$"),
    )
    def test_broken_parquet_is_refused(self, changes, message):
        path = self.path("issues.parquet")
        columns = {
            "id": ["a", "b"],
            "given_label": ["cat", "dog"],
            "suggested_label": ["dog", "dog"],
            "score": [0.5, 0.25],
            "is_issue": [True, False],
        }
        columns |= changes
        if "without" in message:
            columns = changes
        parquet.write_table(pyarrow.table(columns), path)
        self.assert_refused(path, message)

    def test_other_files_are_refused(self):
        path = self.path("issues.parquet")
        path.write_text("no Parquet")
        self.assert_refused(path, "must name a Parquet file.*issues.parquet")
        self.assert_refused(path.with_suffix(".txt"), r"ends in \.csv or \.par")

    def test_without_pyarrow_parquet_is_refused_in_one_line(self):
        path = self.path("issues.parquet")
        with mock.patch.dict(sys.modules, {"pyarrow": None}):
            with self.assertRaisesRegex(RuntimeError, "pyarrow: install it"):
                table.read(path)
            with self.assertRaisesRegex(RuntimeError, "pyarrow: install it"):
                table.write_parquet(path, toy_issues())

    def assert_refused(self, path, message):
        with self.assertRaisesRegex(ValueError, f"`path`.*{message}") as caught:
            table.read(path)
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
