"""Configurations that come with the package are found by their names."""

import os
import pathlib

# A link to configs/ in the repository, a copy of it in a wheel.
FOLDER = pathlib.Path(__file__).parents[1] / "configs"


def names() -> list[str]:
    """Returns the names of the packaged configurations."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def locate(argument: str) -> str:
    """Returns the path of a configuration that may be a packaged one.

    Args:
        argument: `PATH` or `PATH:WORD`, as the flag takes it. Where no file
            has the path, `digits`, `digits.py` and `configs/digits.py` are the
            packaged configuration.

    Returns:
        The path of a file, with the word.

    Raises:
        FileNotFoundError: If there is no such configuration.
    """
    path, colon, word = argument.partition(":")
    if os.path.exists(path) and not os.path.isdir(path):
        return argument
    wanted = pathlib.Path(path)
    name = wanted.name.removesuffix(".py")
    if str(wanted.parent) in (".", "configs") and name in names():
        return f"{FOLDER / name}.py{colon}{word}"
    raise FileNotFoundError(
        "`--config` must be a file, or one of the packaged configurations "
        f"{', '.join(names())}. Received: --config={argument}"
    )
