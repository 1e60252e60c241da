"""Checks of paths that need no TensorFlow."""

import pathlib


def check_file(flag: str, path: str | None) -> None:
    """Checks that a file is there.

    Args:
        flag: Name of the flag.
        path: The file; None is not checked.

    Raises:
        ValueError: If it is not.
    """
    if path is not None and not pathlib.Path(path).is_file():
        raise ValueError(
            f"`--{flag}` must be a file that is there. "
            f"Received: --{flag}={path}"
        )


def check_finished_run(workdir: str) -> None:
    """Checks that a folder may be that of a finished run.

    Args:
        workdir: The folder.

    Raises:
        ValueError: If it is not.
    """
    for name in (".", "config.json", "results.json"):
        if not pathlib.Path(workdir, name).exists():
            what = "is not there" if name == "." else f"holds no {name}"
            raise ValueError(
                "`--workdir` must be the folder of a finished run. Received: "
                f"--workdir={workdir}, which {what}"
            )


def check_folder_to_write(flag: str, path: str) -> None:
    """Checks that a folder is there or can be made.

    Args:
        flag: Name of the flag.
        path: The folder.

    Raises:
        ValueError: If a file stands in the way.
    """
    path = pathlib.Path(path)
    existing = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise ValueError(
            f"`--{flag}` must be a folder, or a path where one can be made. "
            f"Received: --{flag}={path}, where {existing} is a file"
        )
