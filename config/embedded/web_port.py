"""The web server's port: bound before anything starts, so that nobody takes it meanwhile."""

from __future__ import annotations

import errno
import socket

from config.embedded.errors import StackError
from config.embedded.ports import LOOPBACK

DEFAULT_PORT = 8000
_TRIES = 100
_HIGHEST_PORT = 65535


def reserve(wanted: int | None) -> socket.socket:
    """Return a socket bound to the wanted port, or to the first free one from 8000; not listening yet.

    Raises:
        StackError: The wanted port is taken or impossible, or no port is free.
    """
    if wanted is not None:
        return _reserve_exactly(wanted)
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _TRIES):
        if (bound := _bind(port)) is not None:
            return bound
    raise StackError(
        f"No port from {DEFAULT_PORT} to {DEFAULT_PORT + _TRIES - 1} is free: choose one with PORT=<number>."
    )


def _reserve_exactly(port: int) -> socket.socket:
    if not 0 < port <= _HIGHEST_PORT:
        raise StackError(f"{port} is not a port: choose a number from 1 to {_HIGHEST_PORT}.")
    try:
        bound = _bind(port)
    except PermissionError as error:
        raise StackError(f"Port {port} is reserved for root: choose one above 1023.") from error
    if bound is None:
        raise StackError(f"Port {port} is in use: choose another with PORT=<number>, or leave PORT out.")
    return bound


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket()
    # Closed connections of an earlier web server must not hold its port back; a listening one still does.
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((LOOPBACK, port))
    except OSError as error:
        candidate.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return candidate
