"""What the commands say of themselves, without importing TensorFlow."""

import re

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.benchmark import CASES
from limit_tf.benchmark.detection import NOISE_LEVELS
from limit_tf.benchmark.streaming import SHAPES
from limit_tf.cli import commands
from limit_tf.cli import config_checks
from limit_tf.cli import config_files
from limit_tf.cli import config_keys
from limit_tf.cli import help_text
from limit_tf.cli import packaged_configs
from limit_tf.experiments.methods import METHODS
from limit_tf.label_issues import relabel
from limit_tf.serving.versions import MODEL_FILES
from limit_tf.tuning import ORACLES
from tests import forked_commands


class HelpTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = list(commands.summaries())
        asked = [(name, ["--helpfull"]) for name in names] + [
            ("train", ["--config=cifar10", "-h"]),
            ("train", ["help"]),
            ("train", ["--version"]),
        ]
        done = forked_commands.run_all(
            [(f"limit_tf.cli.{name}", words) for name, words in asked]
            + [("limit_tf", []), ("limit_tf", ["train"])]
        )
        cls.helps = dict(zip(names, done, strict=False))
        cls.cifar10, cls.word, cls.version, cls.all, cls.wrong = done[-5:]

    def test_every_command_explains_its_own_flags(self):
        for name, done in self.helps.items():
            with self.subTest(name):
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.imported, "")
                self.assertStartsWith(
                    done.stdout, commands.summaries()[name] + "\n"
                )
                flags, _, status = done.stdout.partition("Flags:\n")[
                    2
                ].partition("Exit status:\n")
                # Each flag has a line of its own and words below it.
                self.assertRegex(flags, r"(?m)^  --\w+.*\n      \w")
                self.assertNotIn("verbosity", flags)
                self.assertIn("3    the training diverged", status)

    def test_usage_lines_keep_their_backslashes(self):
        self.assertIn(
            "--config=configs/digits.py \\\n        --workdir",
            self.helps["train"].stdout,
        )
        for name in ("compare", "predict", "export", "relabel"):
            self.assertIn(" \\\n        ", self.helps[name].stdout, msg=name)

    def test_keys_have_the_values_of_the_configuration(self):
        self.assertRegex(
            self.helps["train"].stdout,
            r"\n  config.noise.rate=0.5 +probability that a label is made",
        )
        self.assertRegex(
            self.cifar10.stdout, r"\n  config.net.name=resnet34_cifar\s"
        )
        self.assertIn("--config.rows.NAME", self.cifar10.stdout)
        self.assertNotIn("config.rows.mae", self.cifar10.stdout)

    def test_flags_have_defaults_and_choices(self):
        self.assertIn(
            "  --action=replace|drop|down_weight\n"
            "      What happens to accepted issues. Default: replace.\n",
            self.helps["relabel"].stdout,
        )

    def test_names_known_before_tensorflow_are_the_real_ones(self):
        def choices(flag, values):
            return f"  --{flag}={'|'.join(values)}\n"

        self.assertEqual(config_checks.METHODS, tuple(METHODS))
        one_line = " ".join(self.helps["benchmark"].stdout.split())
        self.assertIn(f"Cases to time, of {', '.join(CASES)}. By", one_line)
        noises = ",".join(
            f"{noise.kind}:{noise.rate}" for noise in NOISE_LEVELS
        )
        self.assertIn(f"Default: {noises}.", one_line)
        for command, flag, values in (
            ("benchmark_stream", "image_format", sorted(SHAPES)),
            ("relabel", "action", relabel.ACTIONS),
            ("relabel", "undecided", relabel.UNDECIDED),
            ("tune", "tuner", list(ORACLES)[::-1]),
            ("export", "format", MODEL_FILES),
        ):
            self.assertIn(choices(flag, values), self.helps[command].stdout)

    def test_help_is_a_word_too(self):
        self.assertEqual(self.word.stdout, self.helps["train"].stdout)

    def test_versions_are_those_that_are_installed(self):
        import keras
        import tensorflow as tf

        import limit_tf

        self.assertEqual(
            self.version.stdout,
            f"limit_tf {limit_tf.__version__}, TensorFlow {tf.__version__}, "
            f"Keras {keras.__version__}\n",
        )
        self.assertEqual(self.version.imported, "")

    def test_package_lists_the_commands(self):
        self.assertEqual((self.all.returncode, self.all.imported), (0, ""))
        for name, text in commands.summaries().items():
            self.assertRegex(
                self.all.stdout,
                rf"(?m)^  {commands.script(name)} +{re.escape(text)}$",
            )
        self.assertEqual(self.wrong.returncode, 2)
        self.assertRegex(self.wrong.stderr, "^error: .*Received: train\n$")


class TablesTest(absltest.TestCase):
    def test_every_key_of_every_configuration_has_a_meaning(self):
        keys = set()
        for name in packaged_configs.names():
            keys |= set(config_keys.values(config_files.load(name)))
        self.assertSameElements(keys, config_keys.MEANINGS)

    def test_statuses_are_those_of_the_commands(self):
        from limit_tf.cli import running

        self.assertContainsSubset(
            {0, 1, running.WRONG_INPUT, running.DIVERGED, running.PARTLY_DONE},
            help_text.EXIT_STATUS,
        )


if __name__ == "__main__":
    absltest.main()
