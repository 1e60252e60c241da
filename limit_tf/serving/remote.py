"""Models behind a server: when a request is tried again."""

import dataclasses
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from absl import logging

_ADDRESS = re.compile(r"(?P<host>[^\s:/@]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d+)")

T = TypeVar("T")


class ServerError(RuntimeError):
    """A request that failed.

    Args:
        message: What happened.
        is_temporary: Whether the same request may succeed later.
        is_invalid: Whether the server takes no such request.
    """

    def __init__(
        self,
        message: str,
        *,
        is_temporary: bool = False,
        is_invalid: bool = False,
    ):
        super().__init__(message)
        self.is_temporary = is_temporary
        self.is_invalid = is_invalid


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a model is served, and how long an answer is waited for.

    Args:
        address: `host:port`.
        model_name: Name of the model on the server.
        version: Number of the version; by default the one that the server
            calls the latest.
        timeout: Most seconds that one request takes.
        num_retries: How often a request is tried again that met a server
            which is busy, not reachable or late.
        first_delay: Seconds to the second attempt, up to. They double from
            attempt to attempt, and by chance are down to a half of that, so
            that clients which failed together do not come back together.
        max_delay: Most seconds between two attempts.

    Raises:
        ValueError: If an argument is out of range.
    """

    address: str
    model_name: str
    version: int | None = None
    timeout: float = 10.0
    num_retries: int = 3
    first_delay: float = 0.5
    max_delay: float = 30.0

    def __post_init__(self):
        """Checks the arguments."""
        found = _ADDRESS.fullmatch(self.address)
        if not found or not 0 < int(found["port"]) < 65536:
            raise ValueError(
                "`server` must be host:port, without a protocol. "
                f"Received: server={self.address}"
            )
        if not self.model_name or "/" in self.model_name:
            raise ValueError(
                "`model_name` must be the name of a model on the server. "
                f"Received: model_name={self.model_name!r}"
            )
        if not 0.0 < self.timeout < float("inf"):
            raise ValueError(
                "`timeout` must be a positive number of seconds. "
                f"Received: timeout={self.timeout}"
            )
        if self.num_retries < 0:
            raise ValueError(
                "`retries` must be 0 or more. "
                f"Received: retries={self.num_retries}"
            )

    def __str__(self) -> str:
        """Returns the model and its address in words."""
        version = "" if self.version is None else f", version {self.version},"
        return f"model {self.model_name!r}{version} at {self.address}"

    def ask(self, request: Callable[[], T]) -> T:
        """Sends a request, again and again if that may help.

        Args:
            request: Sends it once, and raises ServerError if it fails.

        Returns:
            What the request returns.

        Raises:
            ServerError: If the last attempt failed as well, or the first one
                in a way that will not change.
        """
        for attempt in range(self.num_retries + 1):
            try:
                return request()
            except ServerError as error:
                if not error.is_temporary:
                    raise
                last = error
            if attempt < self.num_retries:
                delay = min(self.max_delay, self.first_delay * 2**attempt)
                delay *= random.uniform(0.5, 1.0)
                logging.warning(
                    "%s: %s. Retry %d of %d in %.1f s.",
                    self,
                    last,
                    attempt + 1,
                    self.num_retries,
                    delay,
                )
                time.sleep(delay)
        attempts = self.num_retries + 1
        raise ServerError(
            f"{self} gave no answer in {attempts} "
            f"attempt{'s' * (attempts > 1)}: {last}"
        ) from last
