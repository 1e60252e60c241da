"""Reads the words of a command line, and says what is wrong with one."""

import difflib
import itertools
import re

import ml_collections
from absl import flags

from limit_tf.cli import config_files
from limit_tf.cli import config_keys

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)(=?)")
_ILLEGAL = re.compile(r"flag --([^=]+)=(.*?): (.*)", re.DOTALL)
_REQUIRED = "must have a value other than None"


class FlagError(Exception):
    """A flag is unknown, missing or has no such value."""


class ConfigParser(flags.ArgumentParser):
    """Parser of a configuration flag that finds the packaged ones, too."""

    def parse(self, argument):
        """Returns the configuration of a path or a packaged name."""
        return config_files.load(argument)

    def flag_type(self):
        """Returns the type in the words of ml_collections."""
        return "config object"


def parse(argv: list[str]) -> list[str]:
    """Parses the flags of a command line.

    Args:
        argv: The command and its words.

    Returns:
        The command alone.

    Raises:
        FlagError: If a flag is unknown, missing, empty or has a wrong value,
            or a word belongs to no flag.
        ConfigFileError, FileNotFoundError: If the configuration cannot be
            used.
    """
    try:
        if "config" in flags.FLAGS:
            flags.FLAGS["config"].parser = ConfigParser()
            _check_overrides(flags.FLAGS.read_flags_from_files(argv, False))
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        raise FlagError(_unknown(error.flagname)) from error
    except flags.Error as error:
        raise FlagError(_in_words(str(error))) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FlagError(_of_override(error)) from error
    if rest[1:]:
        raise FlagError(
            "Every word must belong to a flag, `--FLAG=VALUE`; --help lists "
            f"the flags. Received: {' '.join(rest[1:])}"
        )
    _check_not_empty()
    return rest


def closest(word: str, known) -> str:
    """Returns the end of a sentence, which asks for what was meant."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {near[0]}?" if near else "."


def _check_overrides(argv):
    """Checks that the configuration has the keys that are set."""
    flag = flags.FLAGS["config"]
    words = argv[1:]
    given = [
        (word.partition("=")[2] if "=" in word else following)
        for word, following in itertools.zip_longest(
            words, words[1:], fillvalue=""
        )
        if re.match(r"--?config(=|$)", word)
    ]
    keys = [m[1] for m in map(_OVERRIDE.match, words) if m]
    if not keys:
        return
    if not given and flag.value is None:
        raise FlagError(
            "`--config` must be given before its values are set. Received: "
            f"--config.{keys[0]} alone"
        )
    if given:
        _check_order(words)
        config = config_files.load(given[-1])
        for key in keys:
            _check_key(config, key)


def _check_order(words):
    for word in words:
        if re.match(r"--?config(=|$)", word):
            return
        if _OVERRIDE.match(word):
            raise FlagError(
                "`--config` must stand before the values that are set in it. "
                f"Received: {word} before it"
            )


def _check_key(config, key):
    if "[" in key:  # an item of a list, which ml_collections looks up
        return
    if _holds(config, key):
        _check_is_a_value(config, key)
        return
    known = [f"config.{name}" for name in config_keys.values(config)]
    raise FlagError(
        f"`--config.{key}` must be a key of the configuration"
        f"{closest(f'config.{key}', known)} Received: --config.{key}"
    )


def _check_is_a_value(config, key):
    """Sections, and dictionaries that only a file can hold, are no values."""
    section = config
    *parents, name = key.split(".")
    for parent in parents:
        section = section[parent]
    if not isinstance(section, ml_collections.ConfigDict):
        return
    is_section = isinstance(section[name], ml_collections.ConfigDict)
    if is_section or section.get_type(name) is dict:
        raise FlagError(
            f"`--config.{key}` must be set in a configuration file"
            + (", or key by key." if is_section else ", which holds a dict.")
            + f" Received: --config.{key}"
        )


def _holds(section, key):
    for part in key.split("."):
        try:
            if part not in section:
                return False
            section = section[part]
        except (TypeError, KeyError):
            return False
    return True


def _unknown(name):
    known = [n for n in flags.FLAGS if len(n) > 1 and "." not in n]
    return (
        "Every flag must be one of this command's; --help lists them"
        f"{closest(f'--{name}', [f'--{n}' for n in known])} Received: --{name}"
    )


def _in_words(text):
    """The sentence of one of absl's errors."""
    missing = [f"`--{m}`" for m in re.findall(rf"--(\w+) {_REQUIRED}", text)]
    if missing:
        return f"{' and '.join(missing)} must be given; --help says more."
    no_value = re.match(r"Missing value for flag -*(\S+)", text)
    if no_value:
        return f"`--{no_value[1]}` must have a value. Received: none"
    wrong = _ILLEGAL.match(text)
    if not wrong:
        return text
    name, value, why = wrong.groups()
    rule = _rule(name) or why
    return f"`--{name}` must be {rule}. Received: {value}"


def _rule(name):
    if name not in flags.FLAGS:
        return ""
    flag = flags.FLAGS[name]
    values = getattr(flag.parser, "enum_values", None)
    if values:
        return f"one of {', '.join(values)}"
    if flag.flag_type() == "bool":
        return "true or false"
    help_words = getattr(flag.parser, "syntactic_help", "")
    return f"a {help_words}" if help_words[:7] == "number " else help_words


def _of_override(error):
    # str() of the KeyErrors and AttributeErrors of ml_collections is a quoted
    # string with its line ends escaped.
    text = str(error).replace("\\n", " ").replace("\\'", "'")
    while len(text) > 1 and text[0] in "'\"" and text.endswith(text[0]):
        text = text[1:-1]
    if isinstance(error, KeyError) and " " not in text:
        text = f"The configuration has no value {text!r}."
    return text


def _check_not_empty():
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        if not flag.present or flag.boolean or "." in name:
            continue
        if flag.value in ("", [], [""]):
            raise FlagError(
                f"`--{name}` must not be empty. Received: --{name}="
            )
