"""Wrong command lines: one line, status 2, before TensorFlow is imported."""

import os
import pathlib
import tempfile

from absl.testing import absltest

from tests import forked_commands

_HEAD = "import ml_collections\n"
# Contents of a configuration file and the error it ends in.
CONFIG_FILES = {
    "syntax.py": ("def get_config(:\n", r"be Python.*syntax.py, line 1: "),
    "raises.py": (
        "def get_config():\n    return 1 / 0\n",
        r"raises.py, line 2: ZeroDivisionError: division by zero$",
    ),
    "imports.py": ("import no_such_module\n", "line 1: ModuleNotFoundError"),
    "lacks.py": ("x = 1\n", "define the function `get_config`.*lacks.py$"),
    "returns.py": (
        "def get_config():\n    return {}\n",
        "ConfigDict.*returns.py, which returns dict$",
    ),
    "null.py": ("x = 1\0\n", "be Python.*null.py"),
    "word.py": (
        _HEAD + "def get_config(w): return ml_collections.ConfigDict()",
        "be given a word after a colon.*word.py$",
    ),
}
TRAIN = ["--config=digits", "--workdir=run"]
CASES = [
    ("train", [], "`--config` and `--workdir` must be given"),
    ("train", ["--config=digits"], "`--workdir` must be given"),
    ("train", ["--config=digits", "--workdir="], "`--workdir` must not be em"),
    ("train", ["--workdir=run", "--config="], "packaged configurations"),
    ("train", [*TRAIN, "--row="], "`--row` must not be empty"),
    ("train", [*TRAIN, "--wrkdir=x"], "did you mean --workdir"),
    ("train", [*TRAIN, "--config.trainin.epochs=2"], "mean config.training.ep"),
    ("train", [*TRAIN, "--config.zzz=2"], "`--config.zzz` must be a key"),
    (
        "train",
        [*TRAIN, "--config.training.epochs=abc"],
        "`--config.training.epochs` must be an integer. Received: abc$",
    ),
    (
        "train",
        [*TRAIN, "--config.training.learning_rate=x"],
        "`--config.training.learning_rate` must be a number. Received: x$",
    ),
    (
        "train",
        [*TRAIN, "--config.training=5"],
        "`--config.training` must be .*key by key",
    ),
    ("train", [*TRAIN, "--config.noise.class_map={}"], "which holds a dict"),
    ("train", [*TRAIN, "--config.name[0]=x"], "not a valid index.*name.0"),
    ("predict", ["--flagfile=no"], "Unable to open flagfile.*'no'"),
    ("train", ["--config.seed=1", *TRAIN], "must stand before the values"),
    ("benchmark_stream", ["--gigabytes=0"], "must be a number >= 0.001"),
    (
        "train",
        [*TRAIN, "--config.data.download=perhaps"],
        "`--config.data.download` must be true or false. Received: perhaps",
    ),
    ("train", [*TRAIN, "digits.py"], "word must.*Received: digits.py$"),
    ("train", ["--config.seed=1", "--workdir=x"], "`--config` must be given b"),
    ("train", ["--config=digits:word", "--workdir=x"], "take no word"),
    ("train", ["--config=digits", "--workdir"], "`--workdir` must have a va"),
    ("train", ["--config=digits", "--workdir=file/x"], "file is a file"),
    ("train", [*TRAIN, "--row=magic"], "`--row` must be.*limit_gaussian, .*ma"),
    ("tune", [*TRAIN, "--row=limit_laplac"], "did you mean limit_laplace"),
    (
        "compare",
        [*TRAIN, "--methods=gcee"],
        "mean gce\\? Received: --methods=g",
    ),
    ("train", [*TRAIN, "--config.method=LIMIT"], "`--config.method` must be"),
    (
        "train",
        [*TRAIN, "--config.data.labels_file=no.csv"],
        "`--config.data.labels_file` must be there.*=no.csv",
    ),
    (
        "train",
        [*TRAIN, "--config.data.name=folder", "--config.data.data_dir=no"],
        "`--config.data.data_dir` must be there",
    ),
    ("train", [*TRAIN, "--config.init_from=no"], "`--config.init_from` must"),
    ("compare", [*TRAIN, "--methods="], "`--methods` must not be empty"),
    ("compare", ["--config=digits", "--workdir=file"], "`--workdir` must be"),
    ("tune", [*TRAIN, "--max_trials=many"], "`--max_trials` must be an int"),
    ("tune", [*TRAIN, "--tuner=magic"], "must be one of grid, random"),
    ("export", ["--workdir=no", "--output=x"], "`--workdir` must.*not there"),
    ("export", ["--workdir=.", "--output=x"], "holds no config.json"),
    ("export", ["--workdir=no", "--output=x", "--format=y"], "`--format` mus"),
    ("find_label_issues", ["--workdir=no", "--output=x"], "finished run"),
    ("relabel", ["--issues=no.csv", "--output=x.csv"], "`--issues` must be"),
    (
        "relabel",
        ["--issues=file", "--decisions=no", "--output=x.csv"],
        "`--decisions` must be a file that is there. Received: --decisions=no",
    ),
    (
        "predict",
        ["--images=no.png", "--model=no"],
        "`--model` must be the fold",
    ),
    ("predict", ["more.png"], "`--images` must be given"),
    ("data_service", ["--port=0"], "`--port` must be .*65535"),
    ("data_service", ["--worker_address=x"], "`--worker_address` is for"),
    ("benchmark", ["--output=x", "--cases=mnist_cn"], "did you mean mnist_cnn"),
    ("benchmark_stream", ["--records=x"], "`--output` must be given"),
]


class WrongWordsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        (self.folder / "file").touch()

    def assert_refused(self, cases):
        before = sorted(self.folder.iterdir())
        answers = forked_commands.run_all(
            [(f"limit_tf.cli.{name}", words) for name, words, _ in cases],
            cwd=self.folder,
        )
        for (name, words, pattern), done in zip(cases, answers, strict=True):
            with self.subTest(f"{name} {' '.join(words)}"):
                self.assertEqual(done.returncode, 2, msg=done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertLen(done.stderr.splitlines(), 1, msg=done.stderr)
                self.assertRegex(done.stderr.strip(), f"^error: .*{pattern}")
                self.assertEqual(done.imported, "")
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_flags(self):
        self.assert_refused(CASES)

    def test_configuration_files(self):
        cases = []
        for name, (text, pattern) in CONFIG_FILES.items():
            (self.folder / name).write_text(text)
            cases.append(
                ("train", [f"--config={name}", "--workdir=run"], pattern)
            )
        (self.folder / "closed.py").write_text("")
        (self.folder / "closed.py").chmod(0)
        if not os.access(self.folder / "closed.py", os.R_OK):
            cases.append(
                (
                    "train",
                    ["--config=closed.py", "--workdir=run"],
                    "be readable.*closed.py",
                )
            )
        self.assert_refused(cases)


if __name__ == "__main__":
    absltest.main()
