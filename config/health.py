"""`/healthz` and `/readyz`: whether the parts answer, told quickly and without details.

`/healthz` is about the whole stack: database, broker and a worker. `/readyz` is about this web
server: a load balancer sends it requests while database and broker answer, workers or not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import redis
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from config import env

_DEADLINE_SECONDS = 0.9
_PING_SECONDS = 0.7


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if every part answers within a second, else 503 naming the parts that do not."""
    return _answer({"database": _database, "broker": _broker, "worker": _worker})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if what pages are made from answers within a second, else 503 naming what does not."""
    return _answer({"database": _database, "broker": _broker})


def _answer(probes: dict[str, Callable[[], bool]]) -> JsonResponse:
    missing = missing_parts(probes)
    if missing:
        return JsonResponse({"status": "unavailable", "missing": missing}, status=503)
    return JsonResponse({"status": "ok"})


def missing_parts(probes: dict[str, Callable[[], bool]]) -> list[str]:
    """Run all probes at once and return the names of those that failed or were too slow."""
    answered: set[str] = set()

    def ask(name: str, probe: Callable[[], bool]) -> None:
        try:
            if probe():
                answered.add(name)
        except Exception:  # noqa: BLE001, S110 - whatever went wrong, the part does not answer; its own log says why
            pass

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in probes.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _DEADLINE_SECONDS
    for thread in threads:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    return [name for name in probes if name not in answered]


def _database() -> bool:
    with psycopg.connect(env.load().app_database_url or "", connect_timeout=2) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def _broker() -> bool:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=_PING_SECONDS, socket_timeout=_PING_SECONDS
    )
    with client:
        return bool(client.ping())


def _worker() -> bool:
    from config.celery import app  # noqa: PLC0415 - this module is imported while that one boots

    return bool(app.control.inspect(timeout=_PING_SECONDS, limit=1).ping())
