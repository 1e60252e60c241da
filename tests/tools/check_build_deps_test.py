"""The check that BUILD declares what the files import."""

import contextlib
import io
import pathlib
import sys
import tempfile
import textwrap
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tools import check_build_deps

FILES = {
    "limit_tf/__init__.py": "from limit_tf import models",
    "limit_tf/cli/__init__.py": "",
    "limit_tf/cli/train.py": (
        'from limit_tf.models import base\n\nif __name__ == "__main__":\n'
        "    base.run()"
    ),
    "limit_tf/models/__init__.py": '"""See `limit_tf.cli.train`."""',
    "limit_tf/models/base.py": (
        "def build():\n    from limit_tf.ops import softmax\n    softmax()"
    ),
    "limit_tf/ops/__init__.py": "import numpy",
    "tests/conftest.py": "import limit_tf",
    "tests/testing.py": "",
    "tests/models/base_test.py": (
        "from limit_tf import models\nfrom tests import testing"
    ),
    "tests/cli/train_test.py": 'COMMAND = ["-m", "limit_tf.cli.train"]',
    "BUILD": """
        load("@rules_python//python:py_library.bzl", "py_library")

        py_library(
            name = "limit_tf",
            srcs = ["limit_tf/__init__.py"],
            deps = [":models"],
        )
        py_library(
            name = "cli",
            srcs = glob(["limit_tf/cli/*.py"]),
            deps = [":limit_tf", ":models"],
        )
        py_library(
            name = "models",
            srcs = glob(["limit_tf/models/*.py"]),
            deps = [":ops"],
        )
        py_library(name = "ops", srcs = glob(["limit_tf/ops/*.py"]))
        py_library(
            name = "testing",
            srcs = glob(["tests/*.py"], exclude = ["tests/conftest.py"]),
        )
        py_binary(
            name = "train",
            srcs = ["limit_tf/cli/train.py"],
            deps = [":limit_tf", ":models"],
        )
        TESTS = {
            "models/base_test": [":models", ":testing"],
            "cli/train_test": [":cli"],
        }
        [
            py_test(
                name = path.replace("/", "_"),
                srcs = ["tests/%s.py" % path],
                deps = deps,
            )
            for path, deps in TESTS.items()
        ]
    """,
}


def write(folder, changed):
    for path, text in {**FILES, **changed}.items():
        file = pathlib.Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))


def differences(changed):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, changed)
        return check_build_deps.differences(pathlib.Path(folder))


def build(old, new):
    """Returns BUILD with a change."""
    assert old in FILES["BUILD"]
    return {"BUILD": FILES["BUILD"].replace(old, new)}


class CheckBuildDepsTest(parameterized.TestCase):
    def test_what_is_declared_rightly_passes(self):
        self.assertEqual(differences({}), [])

    @parameterized.named_parameters(
        (
            "lacking",
            build('deps = [":ops"]', "deps = []"),
            "//:models: deps lacks :ops (limit_tf/models/base.py imports "
            "limit_tf.ops)",
        ),
        (
            "needless",
            build('deps = [":models"]', 'deps = [":models", ":ops"]'),
            "//:limit_tf: deps has :ops, which nothing imports",
        ),
        (
            "lacking_of_a_test",
            build('[":models", ":testing"]', '[":models"]'),
            "//:models_base_test: deps lacks :testing "
            "(tests/models/base_test.py imports tests.testing)",
        ),
        (
            "lacking_of_a_test_of_a_command",
            build('[":cli"]', "[]"),
            "//:cli_train_test: deps lacks :cli (tests/cli/train_test.py "
            "imports limit_tf.cli.train)",
        ),
        (
            "of_a_program_in_a_test",
            {"tests/models/base_test.py": 'CODE = "import limit_tf.models"'},
            "//:models_base_test: deps has :testing, which nothing imports",
        ),
        (
            "lacking_of_a_command",
            build('deps = [":limit_tf", ":models"]', 'deps = [":models"]'),
            "//:train: deps lacks :limit_tf (limit_tf/cli/train.py imports "
            "limit_tf)",
        ),
        (
            "no_library",
            {"limit_tf/version.py": ""},
            "limit_tf/version.py: one py_library must have it, and none has",
        ),
        (
            "two_libraries",
            build('srcs = glob(["limit_tf/ops', 'srcs = glob(["limit_tf/*'),
            "limit_tf/models/base.py: one py_library must have it, and "
            ":models, :ops has",
        ),
        (
            "no_binary",
            {
                "limit_tf/cli/tune.py": (
                    'import limit_tf\nif __name__ == "__main__":\n    1'
                )
            },
            "limit_tf/cli/tune.py: no py_binary has it",
        ),
        (
            "no_test",
            {"tests/ops/ops_test.py": ""},
            "tests/ops/ops_test.py: no py_test has it",
        ),
    )
    def test_difference_is_named(self, changed, line):
        self.assertIn(line, differences(changed))

    def test_circle_is_named(self):
        changed = {"limit_tf/ops/__init__.py": "import limit_tf.models.base"}
        self.assertIn(
            "//:models: imports in a circle: :models -> :ops -> :models",
            differences(changed),
        )

    @parameterized.parameters(({}, 0, 1), ({"limit_tf/new.py": ""}, 1, 1))
    def test_status_tells_whether_there_is_a_difference(
        self, changed, status, num_lines
    ):
        printed = io.StringIO()
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(sys, "argv", ["", folder]),
            contextlib.redirect_stdout(printed),
        ):
            write(folder, changed)
            with self.assertRaises(SystemExit) as end:
                check_build_deps.main()
        self.assertEqual(end.exception.code, status)
        self.assertLen(printed.getvalue().splitlines(), num_lines)


if __name__ == "__main__":
    absltest.main()
