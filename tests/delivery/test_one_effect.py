"""Duplicates, lost brokers, paused and killed workers: each run has its effects once, or says honestly why not."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.celery import app
from lakehouse_admin.actions.trigger_run import RunActiveError, trigger_run
from lakehouse_admin.enqueue import ADVANCE_RUN
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.states import DATA_STAGES, RunState, Stage, StageState, Trigger
from tests.delivery import LEASE_SECONDS
from tests.delivery.conftest import Worker, wait_for_end, wait_until

pytestmark = pytest.mark.integration

_THOROUGH = os.environ.get("LAKESIDE_DELIVERY") == "thorough"  # noqa: TID251 - a switch of the suite, not of the product
DELIVERIES = 1_000 if _THOROUGH else 200
KILLS = 20
_slow = pytest.mark.skipif(not _THOROUGH, reason="takes minutes: run by `make delivery`")


def new_run() -> PipelineRun:
    return trigger_run(pipeline=Pipeline.objects.default(), trigger=Trigger.COMMAND, now=timezone.now())


def jobs_of(home: Path, run: PipelineRun) -> list[str]:
    return sorted(folder.name for folder in (home / "jobs").glob(f"run-{run.pk}-*"))


def assert_done_once(run: PipelineRun, home: Path) -> None:
    """Each stage was attempted once and did its work once, and readers got one publication."""
    assert run.state == RunState.SUCCEEDED, run.error_message
    assert sorted(run.stage_runs.values_list("stage", "attempt", "state")) == sorted(
        (stage.value, 1, StageState.SUCCEEDED) for stage in DATA_STAGES
    )
    assert jobs_of(home, run) == sorted(
        f"run-{run.pk}-{stage.value}-1" for stage in DATA_STAGES if stage is not Stage.PUBLISH
    )
    assert PublicationRecord.objects.filter(run=run).count() == 1
    assert run.events.filter(name="gold_published").count() == 1
    assert run.events.filter(name="stage_started").count() == len(DATA_STAGES)


@pytest.mark.usefixtures("lake_home")
def test_of_many_concurrent_triggers_one_makes_a_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lakehouse_admin.enqueue._send", lambda **_message: None)
    Pipeline.objects.default()
    together = threading.Barrier(20)

    def trigger(_number: int) -> object:
        together.wait()
        try:
            return new_run()
        except RunActiveError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(trigger, range(DELIVERIES)))

    assert len([each for each in outcomes if isinstance(each, PipelineRun)]) == 1
    assert len([each for each in outcomes if isinstance(each, RunActiveError)]) == DELIVERIES - 1
    assert PipelineRun.objects.count() == 1
    assert PipelineRun.objects.get().stage_runs.count() == len(DATA_STAGES)


@pytest.mark.usefixtures("ticking")
def test_of_many_deliveries_to_two_workers_each_step_happens_once(lake_home: Path, start_worker: Callable[[], Worker]):
    start_worker()
    start_worker()
    run = new_run()
    chance = random.Random(7)
    for _ in range(DELIVERIES):
        token = chance.choice([None, 0, 0, chance.randrange(20)])
        app.send_task(ADVANCE_RUN, kwargs={"run_id": run.pk, "token": token}, ignore_result=True)

    wait_for_end(run)
    wait_until(lambda: _messages() == 0, seconds=60, why="messages are left")

    assert_done_once(run, lake_home)


@pytest.mark.usefixtures("ticking")
def test_losing_every_message_loses_no_run(lake_home: Path, start_worker: Callable[[], Worker]):
    run = new_run()
    redis.Redis.from_url(settings.REDIS_URL).flushall()  # Before any worker saw the message.
    start_worker()
    wait_until(lambda: _state(run) == RunState.RUNNING, seconds=60, why="the run was lost")
    redis.Redis.from_url(settings.REDIS_URL).flushall()  # In the middle of it.

    assert_done_once(wait_for_end(run), lake_home)


@_slow
@pytest.mark.usefixtures("ticking")
def test_a_worker_that_wakes_after_its_lease_changes_nothing(lake_home: Path, start_worker: Callable[[], Worker]):
    paused = start_worker()
    run = new_run()
    wait_until(lambda: _state(run) == RunState.RUNNING, seconds=60, why="no worker took the run")
    paused.send(signal.SIGSTOP)
    start_worker()

    wait_for_end(run)
    events = run.events.count()
    paused.send(signal.SIGCONT)
    time.sleep(LEASE_SECONDS)

    assert run.events.count() == events
    assert_done_once(run, lake_home)


@_slow
@pytest.mark.usefixtures("ticking")
def test_killed_at_any_point_a_run_goes_on_or_fails_honestly_within_a_minute(
    lake_home: Path, start_worker: Callable[[], Worker], capsys: pytest.CaptureFixture[str]
):
    chance = random.Random(11)
    outcomes = []
    for _ in range(KILLS):
        worker = start_worker()
        run = new_run()
        wait_until(lambda: _state(run) == RunState.RUNNING, seconds=60, why="no worker took the run")  # noqa: B023
        delay_seconds = chance.uniform(0, 2)
        time.sleep(delay_seconds)
        worker.kill()
        killed_at = time.monotonic()
        heir = start_worker()

        wait_for_end(run, seconds=60)
        outcomes.append((run.state, time.monotonic() - killed_at))

        assert run.state in {RunState.SUCCEEDED, RunState.FAILED}
        assert run.state == RunState.SUCCEEDED or run.guidance
        assert PublicationRecord.objects.filter(run=run).count() == (run.state == RunState.SUCCEEDED)
        assert run.events.filter(name="gold_published").count() == (run.state == RunState.SUCCEEDED)
        heir.kill()
        wait_until(lambda: not _living_jobs(lake_home), seconds=30, why="a job outlived its run")
    with capsys.disabled():
        states = ", ".join(f"{[state for state, _ in outcomes].count(each)} {each}" for each in ("succeeded", "failed"))
        slowest = max(seconds for _, seconds in outcomes)
        sys.stdout.write(f"\n{KILLS} kills: {states}; slowest end {slowest:.1f} s after the kill\n")


def _state(run: PipelineRun) -> str:
    run.refresh_from_db()
    return run.state


def _messages() -> int:
    return int(redis.Redis.from_url(settings.REDIS_URL).llen("control"))


def _living_jobs(home: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("LAKEHOUSE_HOME") == str(home)
        and "etl.jobs" in (process.info["cmdline"] or [])
    ]
