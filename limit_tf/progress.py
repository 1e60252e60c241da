"""Progress: a bar on a terminal, lines of the log anywhere else."""

import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator

import tqdm
from absl import logging

# Most often, a line is written for what is not counted in epochs or trials.
_SECONDS_BETWEEN_LINES = 30.0


class Lines:
    """Says in lines of the log what a bar would show.

    Args:
        total: What there is to do; None where nobody knows.
        initial: What is done already.
        description: What is done.
        unit: What is counted.
        every_one: Whether each step has its line, or the time decides.
    """

    def __init__(self, total, initial, description, unit, every_one):
        self._total = total
        self._done = initial
        self._description = description
        self._unit = unit
        self._every_one = every_one
        self._last = time.monotonic()
        self._words = ""

    def update(self, n: int = 1) -> None:
        """Counts what was done, and says so unless it is too soon."""
        self._done += n
        now = time.monotonic()
        is_due = self._every_one or now - self._last >= _SECONDS_BETWEEN_LINES
        if is_due:
            self._last = now
            of = "" if self._total is None else f" of {self._total:,}"
            logging.info(
                "%s: %s %s%s%s",
                self._description,
                self._unit,
                f"{self._done:,}",
                of,
                self._words,
            )

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Keeps words for the next lines."""
        del refresh
        self._words = f", {text}" if text else ""

    def close(self) -> None:
        """Ends, without a line."""

    def __enter__(self):
        """Has nothing to begin."""
        return self

    def __exit__(self, *exception):
        """Ends, without a line."""
        self.close()


def bar(
    total: int | None,
    description: str,
    *,
    unit: str,
    initial: int = 0,
    every_one: bool = False,
    **options,
) -> tqdm.tqdm | Lines:
    """Returns a bar on standard error, or what writes lines in its place.

    Args:
        total: What there is to do; None where nobody knows.
        description: What is done.
        unit: What is counted.
        initial: What is done already.
        every_one: Whether each step has its line where there is no terminal.
            Otherwise there is one now and then.
        **options: Further arguments of `tqdm.tqdm`.

    Returns:
        An object with tqdm's `update`, `set_postfix_str` and `close`.
    """
    if options.get("disable") or is_terminal():
        return tqdm.tqdm(
            total=total,
            desc=description,
            unit=unit,
            initial=initial,
            **options,
        )
    return Lines(total, initial, description, unit, every_one)


def over(
    items: Iterable, total: int | None, description: str, **options
) -> Iterator:
    """Yields the items and shows how many of them were taken.

    Args:
        items: What is iterated over.
        total: How many they are.
        description: What is done.
        **options: Further arguments of `bar`.
    """
    with bar(total, description, **options) as shown:
        for item in items:
            yield item
            shown.update()


def is_terminal() -> bool:
    """Whether standard error is a terminal, where a bar can be redrawn."""
    return sys.stderr is not None and sys.stderr.isatty()
