"""What an installation has: version, commands, files, configurations."""

import configparser
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
from unittest import mock

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized
from ml_collections import config_flags

from limit_tf import command_environment
from limit_tf import version
from limit_tf.cli import commands
from limit_tf.cli import entry_points
from limit_tf.cli import flag_words
from limit_tf.cli import packaged_configs

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "limit_tf"
CONFIGS = ROOT / "configs"


def setup_cfg():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    return settings


def command_modules():
    """Names of the modules that `python -m limit_tf.cli.NAME` runs."""
    return sorted(commands.summaries())


class MetadataTest(absltest.TestCase):
    def test_version_stands_in_one_place(self):
        self.assertEqual(
            setup_cfg()["metadata"]["version"],
            "attr: limit_tf.version.__version__",
        )
        declared = re.findall(
            r'^module\([^)]*version = "(.*?)"',
            (ROOT / "MODULE.bazel").read_text(),
            flags=re.MULTILINE,
        )
        self.assertIn(declared, ([], [version.__version__]))
        self.assertIn(
            f"\n## [{version.__version__}]", (ROOT / "CHANGELOG.md").read_text()
        )

    def test_files_that_are_no_modules_are_package_data(self):
        patterns = [
            f"{package.replace('.', '/')}/{pattern.strip()}"
            for package, listed in setup_cfg()["options.package_data"].items()
            for pattern in listed.split(",")
        ]
        for folder, folders, names in os.walk(PACKAGE, followlinks=True):
            folders[:] = [x for x in folders if x[0] not in "._"]  # caches
            for name in names:
                path = pathlib.Path(folder, name).relative_to(ROOT).as_posix()
                is_module = (
                    name.endswith(".py")
                    and pathlib.Path(folder, "__init__.py").exists()
                )
                self.assertTrue(
                    is_module
                    or any(fnmatch.fnmatch(path, one) for one in patterns),
                    msg=f"{path} would not be installed.",
                )


class EntryPointsTest(parameterized.TestCase):
    def test_every_command_has_its_script(self):
        lines = setup_cfg()["options.entry_points"]["console_scripts"]
        self.assertEqual(
            sorted(lines.strip().splitlines()),
            sorted(
                f"limit-{name.replace('_', '-')} = "
                f"limit_tf.cli.entry_points:{name}"
                for name in command_modules()
            ),
        )
        for name in command_modules():
            with mock.patch("runpy.run_module") as run_module:
                getattr(entry_points, name)()
            self.assertEqual(
                run_module.call_args.args, (f"limit_tf.cli.{name}",)
            )

    @parameterized.parameters(
        (["/opt/venv/bin/limit-train"], True),
        (["/opt/venv/bin/limit-find-label-issues", "--workdir=x"], True),
        (["-m", "limit_tf.cli.train"], True),
        ([f"{PACKAGE}/cli/train.py", "--workdir=x"], True),
        (["/elsewhere/cli/train.py"], False),
        (["/opt/venv/bin/limit-nothing"], False),
        (["/opt/venv/bin/train"], False),
        (["my_program.py", "limit-train"], False),
        (["-c"], False),
        ([""], False),
    )
    def test_environment_is_set_for_scripts_alone(self, words, is_command):
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.object(sys, "orig_argv", ["python", *words]),
            mock.patch.object(command_environment, "_start", None),
            mock.patch.dict(os.environ),
        ):
            os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
            command_environment.set_up_for_commands()
            self.assertEqual(
                os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
                "1" if is_command else None,
            )
            self.assertEqual(
                command_environment.take_start() is not None, is_command
            )

    def test_script_is_the_module_with_a_packaged_configuration(self):
        folder = self.create_tempdir()
        script = folder.create_file(
            "limit-train",
            "import os, sys\n"
            "class Watch:\n"
            "    def find_spec(name, path=None, target=None):\n"
            "        if name == 'tensorflow':\n"
            "            print('TensorFlow is imported')\n"
            "sys.meta_path.insert(0, Watch)\n"
            # From here on as pip writes it.
            "from limit_tf.cli.entry_points import train\n"
            "sys.exit(train())\n",
        )
        environment = {k: v for k, v in os.environ.items() if "ONEDNN" not in k}
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [
                sys.executable,
                script.full_path,
                "--config=digits",
                "--config.noise.rate=0.4",
                "--workdir=run",
                "--help",
            ],
            cwd=folder.full_path,
            env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        # Watch has seen nothing: TensorFlow was not imported.
        self.assertStartsWith(
            done.stdout, "Trains one configuration.\n\n    python -m limit"
        )
        self.assertIn("config.noise.rate=0.5", done.stdout)
        self.assertNotIn("Traceback", done.stderr)


class PackagedConfigsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.create_tempdir().full_path)

    def parsed(self, *words):
        """The configuration that a command would see."""
        argv = ["limit-train", *words]
        flag_values = flags.FlagValues()
        holder = config_flags.DEFINE_config_file(
            "config", flag_values=flag_values, sys_argv=argv
        )
        flag = flag_values["config"]
        flag.parser = flag_words.ConfigParser()
        flag_values(argv)
        return holder.value

    def test_all_configurations_are_packaged(self):
        self.assertEqual(
            packaged_configs.names(),
            sorted(path.stem for path in CONFIGS.glob("*.py")),
        )
        self.assertIn("digits", packaged_configs.names())

    @parameterized.parameters(
        "digits", "digits.py", "configs/digits.py", "./configs/digits.py"
    )
    def test_name_finds_the_packaged_one(self, name):
        config = self.parsed(f"--config={name}", "--config.noise.rate=0.25")
        self.assertEqual(config.name, "digits")
        self.assertEqual(config.noise.rate, 0.25)

    def test_words_after_the_path_are_kept(self):
        config = self.parsed("--config", "cifar10:human")
        self.assertEqual(config.data.name, "cifar10_n")

    def test_file_that_exists_comes_first(self):
        os.mkdir("configs")
        pathlib.Path("configs", "digits.py").write_text(
            "import ml_collections\n"
            "def get_config(word='none'):\n"
            "    return ml_collections.ConfigDict(dict(word=word))\n"
        )
        config = self.parsed("--config=configs/digits.py:mine")
        self.assertEqual(config.word, "mine")
        # A folder is no configuration.
        os.mkdir("mnist")
        self.assertEqual(self.parsed("--config=mnist").name, "mnist")

    @parameterized.parameters("dgits", "mine/digits.py", "digits.txt", "", ":x")
    def test_nothing_found_lists_what_there_is(self, name):
        with self.assertRaisesRegex(
            FileNotFoundError, f"cifar10, .*mnist.*Received: --config={name}$"
        ):
            self.parsed(f"--config={name}")


if __name__ == "__main__":
    absltest.main()
