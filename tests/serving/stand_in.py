"""Starts the stand-in for a server in a process of its own."""

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

_SCRIPT = pathlib.Path(__file__).with_name("stand_in_server.py")
_PACKAGES = ("grpc", "tensorflow_serving")

# Why it cannot be started; empty if it can.
missing = ", ".join(
    f"{name} is not installed"
    for name in _PACKAGES
    if importlib.util.find_spec(name) is None
)


@dataclasses.dataclass(frozen=True)
class StandIn:
    """A stand-in that runs; see `stand_in_server.py`."""

    grpc: str
    rest: str
    has_python: bool

    def address(self, protocol):
        return {"grpc": self.grpc, "rest": self.rest}[protocol]

    def num_requests(self, model_name):
        url = f"http://{self.rest}/requests/{model_name}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            return json.load(reply)["count"]


@contextlib.contextmanager
def running(folder):
    """Yields a stand-in that serves one version of a model."""
    process = subprocess.Popen(
        [sys.executable, str(_SCRIPT), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        text=True,
    )
    with process:
        try:
            started = json.loads(process.stdout.readline())
            yield StandIn(
                grpc=f"127.0.0.1:{started['grpc']}",
                rest=f"127.0.0.1:{started['rest']}",
                has_python=started["has_python"],
            )
        finally:
            process.kill()
