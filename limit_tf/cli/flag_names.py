"""Errors of a command name the flags that its user typed."""

from absl import flags

from limit_tf.argument_names import given_as


def named_as_flags(aliases: dict[str, str] | None = None):
    """Lets errors of the body name flags instead of library arguments.

    An argument of a flag's name becomes `--name`.

    Args:
        aliases: Flags of arguments that have other names, without dashes.

    Returns:
        A context manager.
    """
    names = {
        name: f"--{name}"
        for name in flags.FLAGS
        if _is_ours(flags.FLAGS.find_module_defining_flag(name))
    }
    for argument, flag in (aliases or {}).items():
        names[argument] = f"--{flag}"
    return given_as(names)


def _is_ours(module):
    return not (module or "").startswith(("absl", "tensorflow"))
