"""How the commands end, and what of their output is kept back."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.cli import chatter
from limit_tf.cli import running
from limit_tf.divergence import DivergedError

ROOT = pathlib.Path(__file__).parents[2]
# A command of our own: what it does stands in `main`.
_COMMAND = """
import sys
sys.orig_argv = ["python", "-m", "limit_tf.cli.of_a_test"]
from limit_tf.cli import running
import os, signal
from absl import logging
def main(argv):
{body}
running.run(main)
"""


def command(body, *arguments, **environment):
    """Runs a command whose main function is `body`, without TensorFlow."""
    code = _COMMAND.format(body=textwrap.indent(textwrap.dedent(body), "    "))
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            **{k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
            "PYTHONPATH": os.pathsep.join(paths),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


class ChatterTest(parameterized.TestCase):
    @parameterized.parameters(
        (b"I0000 00:00:1795864823.84  6932 port.cc:153] oneDNN is on.", True),
        (b"W0000 00:00:1795864823.84  6932 cudart_stub.cc:31] no", True),
        (b"E0000 00:00:1795864823.84  6932 conv_ops.cc:8] no room", False),
        (b"F0000 00:00:1795864823.84  6932 tensor.cc:8] Check failed", False),
        (b"E0000 00:00:1 9 x.cc:2] failed call to cuInit: UNKNOWN", True),
        (b"E0000 00:00:1 9 x.cc:2] Unable to register cuFFT factory:", True),
        (b"2026-11-28 11:11:11.123456: I tensorflow/core/x.cc:9] y", True),
        (b"2026-11-28 11:11:11.123456: E tensorflow/core/x.cc:9] y", False),
        (
            b"WARNING: All log messages before absl::InitializeLog() is called "
            b"are written to STDERR",
            True,
        ),
        (b"warning: 3 images are missing", False),
        (b"I have seen 0000 errors", False),
        (b"", False),
    )
    def test_information_and_warnings_of_tensorflow(self, line, expected):
        self.assertEqual(chatter.is_chatter(line), expected)

    def test_last_words_of_a_crash_are_not_lost(self):
        done = command(
            r"""
            logging.info("begins")
            os.write(2, b"I0000 00:00:1.8 9 port.cc:1] oneDNN is on.\n")
            os.write(2, b"F0000 00:00:1.8 9 tensor.cc:8] Check failed\n" * 50)
            os.write(2, b"half a line")
            signal.raise_signal(signal.SIGKILL)
            """
        )
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertNotIn("oneDNN", done.stderr)
        self.assertEqual(done.stderr.count("Check failed"), 50)
        self.assertEqual(done.stderr.count("begins\n"), 1)
        self.assertEndsWith(done.stderr, "half a line")

    def test_everything_is_shown_on_demand(self):
        done = command(
            r'os.write(2, b"I0000 00:00:1.8 9 port.cc:1] oneDNN\n")',
            TF_CPP_MIN_LOG_LEVEL="0",
        )
        self.assertEqual((done.returncode, "oneDNN" in done.stderr), (0, True))

    def test_child_processes_are_heard_but_for_chatter(self):
        done = command(
            r"""
            import subprocess
            subprocess.run("printf 'I0000 0:0:1.8 9 a.cc:1] x\nheard\n' >&2",
                           shell=True)
            """
        )
        self.assertEqual(done.stderr, "heard\n")


class EndTest(parameterized.TestCase):
    @parameterized.parameters(
        (DivergedError("diverged"), 3, "diverged"),
        (OSError(28, "No space left on device"), 2, "No space left"),
        (KeyboardInterrupt(), 130, "interrupted. Go on."),
    )
    def test_one_line(self, error, status, message):
        output = io.StringIO()
        with (
            self.handlers_restored(),
            contextlib.redirect_stderr(output),
            self.assertRaises(SystemExit) as end,
            running._one_line_at_the_end("Go on."),
        ):
            raise error
        self.assertEqual(end.exception.code, status)
        self.assertLen(output.getvalue().splitlines(), 1)
        self.assertIn(message, output.getvalue())

    @parameterized.parameters(AssertionError, ZeroDivisionError, ValueError)
    def test_a_mistake_of_the_program_keeps_its_traceback(self, mistake):
        with (
            self.handlers_restored(),
            self.assertRaises(mistake),
            running._one_line_at_the_end("Go on."),
        ):
            raise mistake

    def test_an_interruption_has_its_status_and_says_how_to_go_on(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            done = command(
                f"""
                os.kill(os.getpid(), {int(number)})
                signal.pause()
                """
            )
            self.assertEqual(done.returncode, status)
            self.assertEqual(done.stderr, f"interrupted. {running.GOES_ON}\n")

    def test_log_lines_are_words(self):
        done = command(
            'logging.info("One."); logging.warning("Two."); print("Three.")'
        )
        self.assertEqual(done.stderr, "One.\nwarning: Two.\n")
        self.assertEqual((done.returncode, done.stdout), (0, "Three.\n"))

    def test_another_backend_of_keras_is_refused(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "keras.json").write_text('{"backend": "torch"}')
        for place, environment in (
            ("'jax' in KERAS_BACKEND", {"KERAS_BACKEND": "jax"}),
            (f"'torch' in {folder}/", {"KERAS_HOME": str(folder)}),
        ):
            done = command("print(1)", **environment)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertLen(done.stderr.splitlines(), 1)
            self.assertIn(place, done.stderr)

    @contextlib.contextmanager
    def handlers_restored(self):
        numbers = signal.SIGINT, signal.SIGTERM
        before = [signal.getsignal(number) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


class ImportTest(absltest.TestCase):
    def test_library_refuses_another_backend_before_it_imports_keras(self):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys\n"
                "try:\n    import limit_tf\n"
                "except ImportError as error:\n"
                "    print(error, 'keras' in sys.modules)\n",
            ],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": "jax"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertRegex(
            done.stdout, "KERAS_BACKEND=tensorflow.*'jax'.*False\n$"
        )

    def test_commands_get_the_names_when_they_ask_for_them(self):
        done = command(
            """
            import limit_tf
            assert "tensorflow" not in sys.modules
            assert {"LimitModel", "nets"} <= set(dir(limit_tf))
            from limit_tf import noise
            assert limit_tf.noise is noise
            try:
                limit_tf.nothing
            except AttributeError as error:
                print(error)
            """
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertIn("'limit_tf' has no attribute 'nothing'", done.stdout)

    def test_programs_have_all_names_at_once(self):
        import limit_tf

        self.assertContainsSubset(limit_tf.__all__, vars(limit_tf))


if __name__ == "__main__":
    absltest.main()
