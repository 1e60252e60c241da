"""Folders of several kinds, and what is left of refused work."""

import json
import pathlib
import tempfile

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import folders

RUN_CONFIG = {"method": "limit", "training": {}, "name": "digits_limit"}
# Files of folders that were written before there was a marker.
OLD = {
    folders.RUN: {"config.json": RUN_CONFIG, "results.json": {"method": 1}},
    folders.SEARCH: {"config.json": {**RUN_CONFIG, "search": {}}},
    folders.COMPARISON: {"results.json": []},
    folders.ISSUES: {"noise.json": {}},
    folders.BENCHMARK: {"benchmark.json": {}},
    folders.DETECTION: {"detection.csv": {}},
    folders.STREAM: {"stream.json": {}},
    folders.MODELS: {"3/saved_model.pb": {}},
}


def folder_with(files):
    folder = pathlib.Path(tempfile.mkdtemp(), "folder")
    folder.mkdir()
    for name, value in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    return folder


class KindsTest(parameterized.TestCase):
    @parameterized.parameters(*OLD.items())
    def test_an_old_folder_is_known_by_its_files(self, kind, files):
        folder = folder_with(files)
        self.assertEqual(folders.kind_of(folder), kind)
        for other in OLD:
            if other == kind:
                folders.check_kind(folder, other, "workdir")
                folders.check_own(folder, other, "workdir")
                continue
            with self.assertRaisesRegex(
                ValueError, f"^`workdir` must be .*=.*{folder}, which is the"
            ):
                folders.check_kind(folder, other, "workdir")

    def test_a_comparison_is_known_by_its_first_run(self):
        folder = folder_with({"limit/config.json": RUN_CONFIG})
        self.assertEqual(folders.kind_of(folder), folders.COMPARISON)
        # A folder of runs is none.
        folder = folder_with({"mine/config.json": RUN_CONFIG})
        self.assertIsNone(folders.kind_of(folder))

    def test_a_marker_wins(self):
        folder = folder_with({"config.json": RUN_CONFIG})
        folders.mark(folder, folders.SEARCH)
        self.assertEqual(folders.kind_of(folder), folders.SEARCH)

    def test_a_folder_of_somebody_else(self):
        folder = folder_with({"config.json": {"mine": 1}, "a.txt": ""})
        self.assertIsNone(folders.kind_of(folder))
        folders.check_kind(folder, folders.ISSUES)
        with self.assertRaisesRegex(ValueError, "which holds 'a.txt'"):
            folders.check_own(folder, folders.RUN)
        with self.assertRaisesRegex(ValueError, "a file"):
            folders.check_kind(folder / "a.txt", folders.RUN)
        folders.check_own(folder / "new" / "one", folders.RUN)


class LeftoversTest(absltest.TestCase):
    def test_what_was_made_goes_again_and_nothing_else(self):
        root = pathlib.Path(tempfile.mkdtemp())
        with self.assertRaises(KeyError), folders.made_for(root / "a" / "b"):
            raise KeyError
        self.assertEmpty(list(root.iterdir()))
        with self.assertRaises(KeyError), folders.made_for(root / "a" / "b"):
            (root / "a" / "file").write_text("")
            raise KeyError
        self.assertEqual([p.name for p in root.rglob("*")], ["a", "file"])
        with self.assertRaises(KeyError), folders.made_for(root):
            raise KeyError
        self.assertTrue(root.exists())


if __name__ == "__main__":
    absltest.main()
