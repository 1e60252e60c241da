"""Compares the deps that BUILD declares with what the files import.

    python tools/check_build_deps.py [FOLDER]

Prints one line per difference and ends with status 1 if there is one:

- deps of a target that its files do not import, and the other way round;
- a file of the package, the tools or the tests' helpers that no library has;
- a command without a py_binary, a test file without a py_test;
- libraries that import one another in a circle.

Imports inside functions count, and in tests, which start processes, also a
string that names a module (`[sys.executable, "-m", "limit_tf.cli.train"]`) or
is a program (`"import limit_tf; ..."`). A command imports the package itself:
Python does so before its first line, and the package sets the environment of
commands. Otherwise `from limit_tf import models` needs the room alone, since
Bazel puts an empty `__init__.py` where a target has none.
"""

import ast
import collections
import pathlib
import re
import sys
from collections.abc import Iterator

_RULES = ("py_binary", "py_library", "py_test")
_PACKAGE = "limit_tf"
_TESTS = "tests"
_TOPS = (_PACKAGE, _TESTS, "tools")
_COMMANDS = f"{_PACKAGE}/cli"
_NOT_BUILT = {f"{_TESTS}/conftest.py"}  # it is pytest's
_MODULE_NAME = re.compile(rf"({_PACKAGE}|{_TESTS})(\.\w+)+\.?(:\w+)?")


def targets(folder: pathlib.Path) -> dict[str, dict]:
    """Returns the Python targets of BUILD.

    BUILD is run as Python, which its part of Starlark is.

    Args:
        folder: The one with BUILD.

    Returns:
        The arguments of each target, with its `rule`, by its label.
    """
    found = {}

    def rule_named(rule):
        def declare(name, **arguments):
            found[f":{name}"] = {"rule": rule, **arguments}

        return declare

    def glob(include, exclude=(), allow_empty=True):
        del allow_empty
        excluded = {path for pattern in exclude for path in match(pattern)}
        paths = {path for pattern in include for path in match(pattern)}
        return sorted(paths - excluded)

    def match(pattern):
        return [
            path.relative_to(folder).as_posix()
            for path in folder.glob(pattern)
            if path.is_file()
        ]

    names = {rule: rule_named(rule) for rule in _RULES}
    for ignored in ("exports_files", "filegroup", "load", "package"):
        names[ignored] = lambda *args, **kwargs: None
    build = folder / "BUILD"
    exec(
        compile(build.read_text(), str(build), "exec"), {**names, "glob": glob}
    )
    return found


def differences(folder: pathlib.Path) -> list[str]:
    """Returns a line for each difference between BUILD and the files.

    Args:
        folder: The one with BUILD.
    """
    declared = targets(folder)
    files = python_files(folder)
    imports = {path: imported_files(folder, path) for path in files}
    owners = collections.defaultdict(list)
    for label, target in declared.items():
        for path in target.get("srcs", ()):
            owners[target["rule"], path].append(label)
    lines = []
    for path in files:
        lines += _ownership(path, owners, is_command(folder, path))
    graph = {}
    for label, target in declared.items():
        needed = {}
        for path in target.get("srcs", ()):
            for other in imports.get(path, ()):
                for owner in owners["py_library", other]:
                    needed.setdefault(owner, (path, module_name(other)))
        needed.pop(label, None)
        deps = target.get("deps", ())
        for dep in sorted(set(needed) - set(deps)):
            path, module = needed[dep]
            lines.append(
                f"//{label}: deps lacks {dep} ({path} imports {module})"
            )
        for dep in sorted(set(deps) - set(needed)):
            lines.append(f"//{label}: deps has {dep}, which nothing imports")
        if target["rule"] == "py_library":
            graph[label] = sorted(needed)
    return lines + [
        f"//{circle[0]}: imports in a circle: {' -> '.join(circle)}"
        for circle in circles(graph)
    ]


def _ownership(path, owners, a_command):
    def found(rule):
        return owners.get((rule, path), [])

    if path.endswith("_test.py"):
        if not found("py_test"):
            yield f"{path}: no py_test has it"
        return
    if len(found("py_library")) != 1:
        labels = ", ".join(found("py_library")) or "none"
        yield f"{path}: one py_library must have it, and {labels} has"
    if a_command and not found("py_binary"):
        yield f"{path}: no py_binary has it"


def python_files(folder: pathlib.Path) -> list[str]:
    """Returns the paths of the files that BUILD must have."""
    paths = [
        path.relative_to(folder).as_posix()
        for top in _TOPS
        for pattern in ("*.py", "*/*.py")
        for path in folder.glob(f"{top}/{pattern}")
        if not path.parent.is_symlink()
    ]
    return sorted(set(paths) - _NOT_BUILT)


def is_command(folder: pathlib.Path, path: str) -> bool:
    """Whether this is the file of a command."""
    return (
        str(pathlib.PurePosixPath(path).parent) == _COMMANDS
        and '__name__ == "__main__"' in (folder / path).read_text()
    )


def imported_files(folder: pathlib.Path, path: str) -> set[str]:
    """Returns the files of this repository that a file imports.

    Args:
        folder: The one with BUILD.
        path: Of a Python file in it.
    """
    package = path.split("/")[:-1]
    text = (folder / path).read_text()
    names = set(_imported(ast.parse(text, path), package))
    if is_command(folder, path):
        names.add((_PACKAGE,))
    found = {_file_of(folder, name) for name in names}
    return found - {None, path}


def _imported(tree, package) -> Iterator[tuple[str, ...]]:
    """Yields the names that are imported, as tuples of words."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            words = node.module.split(".") if node.module else []
            if node.level:
                words = package[: len(package) + 1 - node.level] + words
            for alias in node.names:
                yield (*words, alias.name)
        elif isinstance(node, ast.Expr):
            skipped.add(node.value)  # a docstring
        elif isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
        elif isinstance(node, ast.Call):
            if re.match("assert|replace", getattr(node.func, "attr", "")):
                skipped.update(node.args)  # what is expected somewhere
        if node not in skipped and package[0] == _TESTS:
            yield from _imported_by_string(_text(node), package)


def _text(node):
    if isinstance(node, ast.JoinedStr):
        parts = (getattr(part, "value", None) for part in node.values)
        return "".join(p if isinstance(p, str) else "_" for p in parts)
    value = getattr(node, "value", None)
    is_text = isinstance(node, ast.Constant) and isinstance(value, str)
    return value if is_text else ""


def _imported_by_string(text, package):
    if _MODULE_NAME.fullmatch(text):
        yield tuple(text.partition(":")[0].strip(".").split("."))
    elif "import" in text and _PACKAGE in text:
        try:
            yield from _imported(ast.parse(text), package)
        except SyntaxError:
            return  # a sentence


def _file_of(folder, words):
    """Returns the file of a module, or of the one that an attribute is in."""
    if words[0] not in _TOPS:
        return None
    for end in range(len(words), 0, -1):
        stem = folder.joinpath(*words[:end])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path.relative_to(folder).as_posix()
    return None


def module_name(path: str) -> str:
    """Returns the dotted name of a file's module."""
    words = path.removesuffix(".py").split("/")
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def circles(graph: dict[str, list[str]]) -> list[list[str]]:
    """Returns circles in a graph, each with its first node at both ends.

    Args:
        graph: The successors of each node.
    """
    found, done = [], set()

    def visit(node, trail):
        if node in trail:
            found.append([*trail[trail.index(node) :], node])
        elif node not in done:
            for successor in graph.get(node, ()):
                visit(successor, [*trail, node])
            done.add(node)

    for node in graph:
        visit(node, [])
    return found


def main() -> None:
    """Prints the differences."""
    default = pathlib.Path(__file__).parents[1]
    lines = differences(pathlib.Path(*sys.argv[1:2] or [default]))
    print("\n".join(lines) or "BUILD declares what the files import.")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
