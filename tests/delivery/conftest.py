"""Workers that can be killed and paused, and the clock that sends ticks as beat does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis
from django.conf import settings
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from config import env
from config.celery import app
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import ACTIVE_RUN_STATES, RunState
from tests.integration.lakehouse_admin.conftest import empty_control_plane

_POLL_SECONDS = 0.05


class Worker:
    """A Celery worker with two processes, in a session of its own."""

    def __init__(self, home: Path) -> None:
        self.log = home / f"worker-{time.monotonic_ns()}.log"
        values = {**env.gathered(), "LAKEHOUSE_HOME": str(home), "LAKEHOUSE_SUPERVISED": "true"}
        values.pop("DATABASE_URL", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "--app=tests.delivery.worker", "worker"),
                    *("--concurrency=2", "--without-gossip", "--without-mingle", "--loglevel=INFO"),
                ],
                env={**env.child_environment(values), "DJANGO_SETTINGS_MODULE": "config.settings.test"},
                cwd=env.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """The worker and its pool, but not the jobs it started: they are sessions of their own."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            ours = [each for each in parent.children(recursive=True) if os.getsid(each.pid) == self.process.pid]
            return [parent, *ours]
        return []

    def send(self, number: signal.Signals) -> None:
        """Send every process of it a signal."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        self.process.wait(timeout=20)


@pytest.fixture
def lake_home(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """An empty lake and control plane; whatever is left is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="lakeside-delivery-"))
    app.control.purge()
    with django_db_blocker.unblock():
        yield home
        empty_control_plane()
        with connections["owner"].cursor() as cursor:
            cursor.execute("select to_regclass('lake.iceberg_tables')")
            if cursor.fetchone() != (None,):
                cursor.execute("delete from lake.iceberg_tables")
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def start_worker(lake_home: Path) -> Iterator[Callable[[], Worker]]:
    """Start a worker; all are ended afterwards, with the jobs they left."""
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(lake_home))
        return workers[-1]

    yield start
    for worker in workers:
        worker.send(signal.SIGCONT)
        worker.kill()
    for process in psutil.process_iter(["cmdline", "environ"]):
        with suppress(psutil.Error):
            if (process.info["environ"] or {}).get("LAKEHOUSE_HOME") == str(lake_home):
                process.kill()


@pytest.fixture
def ticking(lake_home: Path) -> Iterator[None]:
    """Send a tick a second, as beat does."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(1.0):
            with suppress(Exception):
                app.send_task("lakehouse_admin.tick", expires=3, retry=False, ignore_result=True)
        connection.close()

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    ended.set()
    thread.join()


def wait_until(is_true: Callable[[], bool], *, seconds: float, why: str) -> float:
    """Wait; return how long it took."""
    began = time.monotonic()
    while not is_true():
        assert time.monotonic() - began < seconds, why
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - began


def wait_for_end(run: PipelineRun, *, seconds: float = 90) -> PipelineRun:
    """Wait until nothing moves the run any more."""

    def has_ended() -> bool:
        run.refresh_from_db()
        return run.state not in ACTIVE_RUN_STATES or run.state == RunState.WAITING

    wait_until(has_ended, seconds=seconds, why=f"{run} does not end")
    return run
