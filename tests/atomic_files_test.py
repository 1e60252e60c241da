"""Files that are whole, and JSON that every reader takes."""

import json
import math
import pathlib

from absl.testing import absltest

from limit_tf import atomic_files


class WriteJsonTest(absltest.TestCase):
    def test_numbers_that_json_cannot_hold_become_null(self):
        path = pathlib.Path(self.create_tempdir().full_path, "file.json")
        value = {"a": [math.nan, 1.5, (math.inf, 2)], "b": {"c": -math.inf}}
        atomic_files.write_json(path, value)

        def refuse(word):
            raise AssertionError(word)

        self.assertEqual(
            json.loads(path.read_text(), parse_constant=refuse),
            {"a": [None, 1.5, [None, 2]], "b": {"c": None}},
        )


if __name__ == "__main__":
    absltest.main()
