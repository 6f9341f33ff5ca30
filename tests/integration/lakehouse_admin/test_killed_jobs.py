"""A stage's process is killed: the step is tried again, and nothing of the old process remains."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from etl.ports import Lakehouse
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.adapters.embedded.job_runner import ChildProcessRunner
from lakehouse_admin.flow import advance
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import RunState, Stage, StageState
from tests.contract.test_job_runner import child_process_runner, end_all
from tests.fakes import FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration

_DEADLINE_SECONDS = 20.0


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[ChildProcessRunner]:
    runner = child_process_runner(tmp_path)
    yield runner
    end_all(runner)


@pytest.fixture
def ports(runner: ChildProcessRunner, lakehouse: FakeLakehouse) -> Lakehouse:
    """The fakes, but jobs are processes; one called bronze_to_silver runs until it is ended."""
    return replace(lakehouse.ports, jobs=runner)


def process_of(tmp_path: Path, attempt: int, run: PipelineRun) -> psutil.Process:
    file = tmp_path / "jobs" / f"run-{run.pk}-silver-{attempt}" / "process.json"
    return psutil.Process(json.loads(file.read_text())["pid"])


def wait_for_end(process: psutil.Process) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_job_is_submitted_again_as_another_attempt(run: PipelineRun, ports: Lakehouse, tmp_path: Path):
    advance(run.pk, lakehouse=ports, now=NOW)
    first = process_of(tmp_path, 1, run)
    os.kill(first.pid, signal.SIGKILL)
    wait_for_end(first)

    following = advance(run.pk, lakehouse=ports, now=NOW + timedelta(seconds=1))
    assert following is not None
    advance(run.pk, lakehouse=ports, now=NOW + timedelta(seconds=1 + following.delay_seconds))

    attempts = run.stage_runs.filter(stage=Stage.SILVER).order_by("attempt")
    assert [attempt.state for attempt in attempts] == [StageState.FAILED, StageState.RUNNING]
    assert attempts[0].exit_reason == "killed by SIGKILL, perhaps for memory"
    assert process_of(tmp_path, 2, run).is_running()


def test_cancelling_a_run_ends_its_process(run: PipelineRun, ports: Lakehouse, tmp_path: Path):
    advance(run.pk, lakehouse=ports, now=NOW)
    process = process_of(tmp_path, 1, run)
    cancel_run(run_id=run.pk, now=NOW)

    advance(run.pk, lakehouse=ports, now=NOW)

    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    wait_for_end(process)
