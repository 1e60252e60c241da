"""The commands and what each is for, without importing any of them."""

import ast
import pathlib

_FOLDER = pathlib.Path(__file__).parent
# The line by which a module of this room is a command.
_RUNS = "\n    running.run(main"


def summaries() -> dict[str, str]:
    """Returns the first line of each command's help, by its module's name."""
    texts = {path.stem: path for path in sorted(_FOLDER.glob("*.py"))}
    return {
        name: _first_line(path.read_text(encoding="utf-8"))
        for name, path in texts.items()
        if _RUNS in path.read_text(encoding="utf-8")
    }


def script(name: str) -> str:
    """Returns the name of the console script of a command's module."""
    return f"limit-{name.replace('_', '-')}"


def _first_line(source):
    return ast.get_docstring(ast.parse(source)).splitlines()[0]
