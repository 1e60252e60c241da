"""Runs several commands in processes that share one import of TensorFlow."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
_RUNNER = """
import importlib, json, os, runpy, sys, tempfile, traceback

commands = json.load(sys.stdin)
sys.orig_argv = ["python", "-m", commands[0][0]]
import limit_tf
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)

answers = []
for module, arguments in commands:
    files = [tempfile.TemporaryFile() for _ in range(3)]
    child = os.fork()
    if child == 0:
        for descriptor, file in enumerate(files[:2], 1):
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
        large = {"tensorflow", "keras", "sklearn", "matplotlib"}
        os.write(files[2].fileno(), " ".join(large & {*sys.modules}).encode())
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
    """What a command left, as `subprocess.CompletedProcess` has it.

    And which large packages it, or those before all commands, had imported.
    """

    returncode: int
    stdout: str
    stderr: str
    imported: str


LIGHT = ("limit_tf.cli.running", "ml_collections.config_flags")


def run_each(module, *argument_lists, imported=("limit_tf.experiments",)):
    """Runs `python -m MODULE` once with each list of arguments.

    Each runs in a process of its own, forked before TensorFlow has started
    anything: for commands that end early. They share the import of the modules
    in `imported`; `LIGHT` is for those that end before any large import.
    """
    return run_all(
        [(module, arguments) for arguments in argument_lists], imported
    )


def run_all(commands, imported=LIGHT, cwd=ROOT):
    """Runs each module with its list of arguments, as `run_each` does."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, json.dumps(list(imported))],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    return [Answer(*answer) for answer in json.loads(done.stdout)]
