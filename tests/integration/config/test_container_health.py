"""The containers' health checks, against a real stack and against nothing."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from config import container_health, env
from tests.servers import Servers
from tests.stack import Stack

pytestmark = pytest.mark.integration

_FIRST_RECORD_SECONDS = 60.0


@pytest.fixture
def of_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Let the checks see the environment that the stack's own processes have."""
    lines = stack.folder.environment_file.read_text(encoding="utf-8").splitlines()
    values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    monkeypatch.setattr(env, "load", lambda: env.read({**values, "LAKEHOUSE_SUPERVISED": "true"}))
    monkeypatch.setattr(container_health, "WEB_PORT", stack.record.port)
    return stack


@pytest.mark.parametrize("service", ["web", "worker"])
def test_a_running_stack_is_healthy(of_stack: Stack, service: str):
    assert container_health.main([service]) is None


def test_beat_is_healthy_once_it_has_recorded_a_tick(of_stack: Stack):
    deadline = time.monotonic() + _FIRST_RECORD_SECONDS
    while (complaint := container_health.main(["beat"])) is not None and time.monotonic() < deadline:
        time.sleep(0.5)
    assert complaint is None


def test_nothing_is_not(servers: Servers, monkeypatch: pytest.MonkeyPatch):
    empty = urlsplit(servers.postgres.url)._replace(path="/postgres").geturl()
    values = {"REDIS_URL": servers.valkey.url, "APP_DATABASE_URL": empty, "LAKEHOUSE_SUPERVISED": "true"}
    monkeypatch.setattr(env, "load", lambda: env.read(values))
    monkeypatch.setattr(container_health, "_PATIENCE_SECONDS", 0.2)
    assert "does not answer" in str(container_health.main(["worker"]))
    assert "django_celery_beat_periodictask" in str(container_health.main(["beat"]))
    with answering(503, b'{"missing": ["worker"]}') as port:
        monkeypatch.setattr(container_health, "WEB_PORT", port)
        assert container_health.main(["web"]) == '{"missing": ["worker"]}'
    assert "does not answer" in str(container_health.main(["web"]))


def test_an_unknown_service_is_refused():
    assert container_health.main(["database"]) == "Name one of web, worker, beat, replicator."


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """Answer every request on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
