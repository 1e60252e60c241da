"""Ports that only this machine may reach.

TensorFlow's servers listen on all addresses, without an option. On Linux, a
socket that listens may be bound to the device of the loopback afterwards.
"""

import contextlib
import os
import pathlib
import socket
from collections.abc import Iterator

_DESCRIPTORS = pathlib.Path("/proc/self/fd")
_LOOPBACK = b"lo\0"


def listen_on_loopback(port: int) -> None:
    """Lets this process's servers at a port answer this machine alone.

    Args:
        port: Port that a server of this process listens on.

    Raises:
        RuntimeError: If the system does not allow it.
    """
    try:
        num_bound = sum(map(_bind, _listening(port)))
    except (OSError, AttributeError) as error:
        raise RuntimeError(
            f"The server at port {port} cannot be kept to this machine here "
            f"({error})"
        ) from error
    if not num_bound:
        raise RuntimeError(f"Nothing of this process listens on port {port}")


def _bind(listening):
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _LOOPBACK)
    return True


def _listening(port) -> Iterator[socket.socket]:
    """Yields the sockets of this process that listen on a port."""
    for name in os.listdir(_DESCRIPTORS):
        with contextlib.ExitStack() as stack:
            try:
                own = socket.socket(fileno=os.dup(int(name)))
            except OSError:  # no socket, or closed meanwhile
                continue
            stack.enter_context(own)
            if own.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            if own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and (
                own.getsockname()[1] == port
            ):
                yield own
