"""Reads configuration files, and says in one line what is wrong with one."""

import copy
import functools
import inspect
import pathlib
import traceback
import types

import ml_collections

from limit_tf.cli import packaged_configs


class ConfigFileError(Exception):
    """A configuration file cannot be used: the message says where and why."""


def load(argument: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a file or a packaged name, locked.

    Args:
        argument: `PATH` or `PATH:WORD`, see `packaged_configs.locate`.

    Raises:
        ConfigFileError: If the file does not give a configuration.
        FileNotFoundError: If there is none.
    """
    return copy.deepcopy(_loaded(packaged_configs.locate(argument)))


@functools.cache
def _loaded(argument):
    path, colon, word = argument.partition(":")
    get_config = getattr(_module(path), "get_config", None)
    if not callable(get_config):
        raise _error("define the function `get_config`", path)
    words = [word] if colon else []
    _check_words(get_config, words, path)
    config = _called(get_config, path, *words)
    if not isinstance(config, ml_collections.ConfigDict):
        raise _error(
            "return an `ml_collections.ConfigDict` from get_config",
            path,
            f", which returns {type(config).__name__}",
        )
    return config.lock()


def _module(path):
    try:
        code = compile(pathlib.Path(path).read_bytes(), path, "exec")
    except OSError as error:
        raise _error("be readable", path, f" ({error.strerror})") from None
    except SyntaxError as error:
        where = "" if error.lineno is None else f", line {error.lineno}"
        raise _error("be Python", path, f"{where}: {error.msg}") from None
    except ValueError as error:  # a null byte, on older Pythons
        raise _error("be Python", path, f": {error}") from None
    module = types.ModuleType("config_config")
    module.__file__ = path
    _called(exec, path, code, module.__dict__)
    return module


def _called(function, path, *arguments):
    """Calls what the file defines; an error names its place in the file."""
    try:
        return function(*arguments)
    except Exception as error:
        own = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == path
        ]
        where = f", line {own[-1]}" if own else ""
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise _error("run", path, f"{where}: {why}") from None


def _check_words(get_config, words, path):
    try:
        inspect.signature(get_config).bind(*words)
    except TypeError:
        rule = "take no word" if words else "be given a word"
        given = "".join(f":{word}" for word in words)
        raise _error(f"{rule} after a colon", path, given) from None


def _error(rule, path, details=""):
    return ConfigFileError(
        f"`--config` must name a file that can be used: it must {rule}. "
        f"Received: {path}{details}"
    )
