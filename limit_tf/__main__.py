"""Lists the commands: `python -m limit_tf`."""

import sys

from limit_tf.cli import commands
from limit_tf.cli import help_text


def main(words: list[str]) -> int:
    """Prints the commands, or the versions.

    Args:
        words: What stands behind `python -m limit_tf`.

    Returns:
        The exit status.
    """
    if words == ["--version"]:
        print(help_text.versions())
    elif not words or words[0] in help_text.HELP:
        print(help_text.of_all())
    else:
        names = ", ".join(commands.summaries())
        print(
            "error: `python -m limit_tf` lists the commands; run one by "
            f"`python -m limit_tf.cli.NAME`, NAME one of {names}. Received: "
            f"{' '.join(words)}",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
