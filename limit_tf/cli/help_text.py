"""What `--help` and `--version` print, before TensorFlow is imported."""

import importlib.metadata
import itertools
import sys
import textwrap

from absl import flags

from limit_tf.cli import commands
from limit_tf.cli import config_keys
from limit_tf.version import __version__

HELP = (
    "--help",
    "-help",
    "-h",
    "-?",
    "--helpshort",
    "--helpfull",
    "--helpxml",
    "help",
)
EXIT_STATUS = {
    0: "done",
    1: "an error inside limit_tf, with its traceback",
    2: "wrong input, or a file or folder that cannot be read or written",
    3: "the training diverged",
    4: "done, but part of the input could not be used",
    130: "interrupted by Ctrl-C; 143: by SIGTERM",
}
_WIDTH = 79


def answer(words: list[str]) -> str | None:
    """Returns what the command line asks to be told, instead of any work.

    Args:
        words: The command line without the command itself.

    Returns:
        A text for standard output; None where nothing is asked.
    """
    own = words[: words.index("--")] if "--" in words else words
    if any(word in ("--version", "-version") for word in own):
        return versions()
    if any(word in HELP[:-1] for word in own) or own == [HELP[-1]]:
        return of_command(own)
    return None


def versions() -> str:
    """Returns the versions in one line."""
    parts = [f"limit_tf {__version__}"]
    for package, name in (("tensorflow", "TensorFlow"), ("keras", "Keras")):
        try:
            parts.append(f"{name} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            parts.append(f"{name} of unknown version")
    return ", ".join(parts)


def of_all() -> str:
    """Returns the list of the commands."""
    summaries = commands.summaries()
    width = max(map(len, map(commands.script, summaries)))
    lines = [
        f"  {commands.script(name):{width}}  {text}"
        for name, text in summaries.items()
    ]
    return "\n".join(
        [
            "Commands, each also as `python -m limit_tf.cli.NAME` with _ for "
            "-; --help\nsays more:",
            "",
            *lines,
            "",
            *_exit_status(),
        ]
    )


def of_command(words: list[str]) -> str:
    """Returns the help of the command that is running.

    Args:
        words: Its command line; `--config` names the configuration whose keys
            are listed.
    """
    parts = [sys.modules["__main__"].__doc__.strip(), _flags()]
    if "config" in flags.FLAGS:
        parts.append(config_keys.table(_config_of(words)))
    parts.append("\n".join(_exit_status()))
    return "\n\n".join(parts)


def own_flags() -> list[flags.Flag]:
    """Returns the flags of the running command, without those of absl."""
    return [
        flag
        for module, defined in flags.FLAGS.flags_by_module_dict().items()
        if module == sys.argv[0] or module.startswith("limit_tf.")
        for flag in defined
        # What `--config.KEY=VALUE` brings is no flag of the command.
        if "." not in flag.name
    ]


def _flags():
    lines = ["Flags:"]
    for flag in own_flags():
        lines.append(f"  --{flag.name}{_value(flag)}")
        text = flag.help.partition(">: ")[2] or flag.help  # of an enum
        if flag.default not in (None, "", False, []):
            text += f" Default: {flag.default_as_str.strip(chr(39))}."
        lines += textwrap.wrap(
            text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    lines += ["  --help, --version", "      Print this, or the versions."]
    return "\n".join(lines)


def _value(flag):
    """What stands behind a flag's name."""
    values = getattr(flag.parser, "enum_values", None)
    if flag.boolean:
        return ""
    if values:
        return f"={'|'.join(values)}"
    return {"int": "=N", "float": "=X", "config object": "=FILE"}.get(
        flag.flag_type(), "=TEXT"
    )


def _exit_status():
    yield "Exit status:"
    for status, text in EXIT_STATUS.items():
        yield f"  {status:<3}  {text}"


def _config_of(words):
    """The word of `--config`, as it stands on the command line."""
    for name, following in itertools.zip_longest(
        words, words[1:], fillvalue=""
    ):
        flag, equals, value = name.lstrip("-").partition("=")
        if name.startswith("-") and flag == "config":
            return value if equals else following
    return "digits"
