"""Health checks of the containers: ``python -m config.container_health web|worker|beat|replicator|follower``.

Exits 0 if that service does its work, else 1 with one sentence. Django is not loaded, so a check is cheap.
"""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from celery import Celery

from config import env
from etl.replicate.status import STATUS_NAME, Standing, StatusFile

WEB_PORT = 8000
_PATIENCE_SECONDS = 5
# Beat sends a tick every three seconds and records every tenth: CELERY_BEAT_SYNC_EVERY.
_BEAT_IS_LATE_SQL = """
    SELECT coalesce(max(last_run_at) < now() - interval '2 minutes', true)
    FROM django_celery_beat_periodictask WHERE name = 'tick'
"""
# The follower says something every five seconds, but for those that one cycle takes.
_FOLLOWER_IS_SILENT_SQL = """
    SELECT coalesce(max(written_at) < now() - interval '2 minutes', true) FROM lakehouse_follower
"""


def web() -> str | None:
    """Ask /healthz as a browser would; return what is wrong, if anything."""
    host = (env.load().allowed_hosts or ("localhost",))[0].lstrip(".")
    connection = http.client.HTTPConnection("127.0.0.1", WEB_PORT, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        answer = connection.getresponse()
        return None if answer.status == http.HTTPStatus.OK else answer.read().decode(errors="replace")
    except OSError as error:
        return f"Port {WEB_PORT} does not answer: {error}"
    finally:
        connection.close()


def worker() -> str | None:
    """Ping this machine's worker through the broker; return what is wrong, if anything."""
    name = f"celery@{socket.gethostname()}"
    application = Celery(broker=env.load().redis_url, set_as_current=False)
    answered = application.control.inspect(timeout=_PATIENCE_SECONDS, destination=[name]).ping()
    return None if answered else f"{name} does not answer."


def beat() -> str | None:
    """Look when beat last sent the control plane's tick; return what is wrong, if anything."""
    with psycopg.connect(env.load().app_database_url or "", connect_timeout=_PATIENCE_SECONDS) as connection:
        late = connection.execute(_BEAT_IS_LATE_SQL).fetchone()
    return "Beat has not recorded a tick for two minutes." if late == (True,) else None


def replicator() -> str | None:
    """Judge what the replicator last said of itself; return what is wrong, if anything."""
    status = StatusFile(Path(env.load().lakehouse.lake_uri) / "bronze" / STATUS_NAME).read()
    if status is None:
        return "The replicator has not said anything yet."
    standing = status.standing(datetime.now(UTC))
    if standing in {Standing.WELL, Standing.WAITING}:
        return None
    return f"The replicator is {standing}. {status.error_message or ''}".strip()


def follower() -> str | None:
    """Look when the follower last said something; return what is wrong, if anything."""
    with psycopg.connect(env.load().app_database_url or "", connect_timeout=_PATIENCE_SECONDS) as connection:
        silent = connection.execute(_FOLLOWER_IS_SILENT_SQL).fetchone()
    return "The follower has said nothing for two minutes." if silent == (True,) else None


CHECKS: Mapping[str, Callable[[], str | None]] = {
    "web": web,
    "worker": worker,
    "beat": beat,
    "replicator": replicator,
    "follower": follower,
}


def main(arguments: list[str]) -> str | None:
    """Run the check that is asked for; return its complaint, which becomes the exit status."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        return f"Name one of {', '.join(CHECKS)}."
    try:
        return CHECKS[arguments[0]]()
    except (env.SettingsError, psycopg.Error, OSError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
