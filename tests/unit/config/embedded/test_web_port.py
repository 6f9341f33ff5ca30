"""The web server's port: taken before anything starts, or refused with a sentence."""

from __future__ import annotations

import socket

import pytest

from config.embedded import web_port
from config.embedded.errors import StackError


def test_a_busy_port_is_refused_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StackError) as caught:
            web_port.reserve(port)
    assert str(caught.value) == f"Port {port} is in use: choose another with PORT=<number>, or leave PORT out."


def test_without_a_wish_the_next_free_port_is_taken(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        monkeypatch.setattr(web_port, "DEFAULT_PORT", busy)
        with web_port.reserve(None) as bound:
            assert busy < bound.getsockname()[1] < busy + 100


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_impossible_port_is_refused(port: int):
    with pytest.raises(StackError, match="is not a port"):
        web_port.reserve(port)


def test_a_port_is_free_again_once_released():
    with web_port.reserve(None) as bound:
        port = bound.getsockname()[1]
    with web_port.reserve(port) as again:
        assert again.getsockname()[1] == port
