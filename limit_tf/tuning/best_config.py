"""A configuration as a file of Python."""

import json

import ml_collections

_HEAD = '''"""{title}

    python -m limit_tf.cli.train --config={path} \\
        --workdir=FOLDER [--config.KEY=VALUE ...]
"""

import ml_collections
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
'''
_UNUSED = "from ml_collections.config_dict import placeholder\n"


def source(config: ml_collections.ConfigDict, *, title: str, path: str) -> str:
    """Writes a configuration as the source of a module with `get_config`.

    The module imports nothing but `ml_collections`. A value that may be left
    out and is stays a placeholder of its type, so that it can be given on the
    command line.

    Args:
        config: Configuration.
        title: First paragraph of the module's docstring.
        path: Path of the file, for the command that its docstring shows.

    Returns:
        Source text.

    Raises:
        TypeError: If a value cannot be written down.
    """
    lines = [
        f"    config.{key} = {_literal(config, key, 1)}\n" for key in config
    ]
    body = "".join(lines)
    head = _HEAD.format(title=title.replace('"""', "'''"), path=path)
    if "placeholder(" not in body:
        head = head.replace(_UNUSED, "")
    return f"{head}{body}    return config\n"


def _literal(section, key, depth):
    value = section[key]
    if isinstance(value, ml_collections.ConfigDict):
        return _section(value, depth)
    if value is None:
        return _missing(section.get_type(key))
    return _plain(value, section.get_type(key), key)


def _section(section, depth):
    if not len(section):
        return "{}"
    indent = "    " * (depth + 1)
    entries = "".join(
        f"{indent}{_quoted(key)}: {_literal(section, key, depth + 1)},\n"
        for key in section
    )
    return f"{{\n{entries}{'    ' * depth}}}"


def _missing(kind):
    """A value that is left out; of one of Python's own types it may come."""
    if kind is type(None):
        return "None"
    return f"placeholder({kind.__name__})"


def _plain(value, kind, key):
    if kind is float:
        value = float(value)
    if not isinstance(value, (bool, int, float, str, tuple, list, dict)):
        raise TypeError(
            f"`config` must hold plain values. Received: {key}={value!r}"
        )
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text):
    return json.dumps(text, ensure_ascii=False)
