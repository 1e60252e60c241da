"""Runs several commands in processes that share one import of TensorFlow."""

import dataclasses
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
_RUNNER = """
import json, os, runpy, sys, tempfile, traceback

commands = json.load(sys.stdin)
sys.orig_argv = ["python", "-m", commands[0][0]]
import limit_tf.experiments
import limit_tf.serving.export

answers = []
for module, arguments in commands:
    files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
    child = os.fork()
    if child == 0:
        for descriptor, file in enumerate(files, 1):
            os.dup2(file.fileno(), descriptor)
        sys.argv = [module, *arguments]
        sys.orig_argv = ["python", "-m", module, *arguments]
        status = 0
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else bool(end.code)
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))
    _, status = os.waitpid(child, 0)
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
    answers.append([os.waitstatus_to_exitcode(status), *texts])
json.dump(answers, sys.stdout)
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command left, as `subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


def run_each(module, *argument_lists):
    """Runs `python -m MODULE` once with each list of arguments.

    Each runs in a process of its own, forked before TensorFlow has started
    anything: for commands that end early.
    """
    return run_all([(module, arguments) for arguments in argument_lists])


def run_all(commands):
    """Runs `python -m MODULE ARGUMENTS` for each `(module, arguments)`."""
    commands = [[module, list(arguments)] for module, arguments in commands]
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER],
        cwd=ROOT,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    return [Answer(*answer) for answer in json.loads(done.stdout)]
