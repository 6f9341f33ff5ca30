"""Jobs forked from a warm process, over real jobs."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from etl.ports.job_runner import JobId, JobSpec, JobState, JobStatus
from lakehouse_admin.adapters.embedded.job_runner import ChildProcessRunner
from lakehouse_admin.adapters.embedded.warm_start import WarmStart

_DEADLINE_SECONDS = 30.0
_PASSWORD = "c4n4ry-p4ssw0rd"
_ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC"}


@pytest.fixture
def warm() -> Iterator[WarmStart]:
    start = WarmStart(_ENVIRONMENT)
    yield start
    start.close()


@pytest.fixture
def runner(warm: WarmStart, tmp_path: Path) -> ChildProcessRunner:
    warm.wait_until_ready()
    return ChildProcessRunner(
        folder=tmp_path / "jobs",
        defaults={"lake_uri": str(tmp_path / "lake"), "memory_limit_bytes": 256 * 1024**2, "threads": 1},
        secrets={
            "source_url": f"postgresql://reader:{_PASSWORD}@127.0.0.1:1/lakeside",
            "catalog_url": f"postgresql://catalog:{_PASSWORD}@127.0.0.1:1/lakeside",
        },
        environment=_ENVIRONMENT,
        memory_limit_bytes=1024**3,
        command=("/nonexistent/so-a-cold-start-fails",),
        warm=warm,
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def ended(runner: ChildProcessRunner, job: JobId) -> JobStatus:
    until(lambda: runner.status(job).state is not JobState.RUNNING)
    return runner.status(job)


def unreachable(key: str) -> JobSpec:
    """Return a job that fails by itself, after trying the source for a moment."""
    return JobSpec(name="full_load", key=key, arguments={"tables": ["public.tenants"], "request_id": key})


def test_a_forked_job_leaves_its_result_and_exit_status(runner: ChildProcessRunner, tmp_path: Path) -> None:
    status = ended(runner, runner.submit(unreachable("one")))
    assert status.state is JobState.FAILED
    assert status.error_class == "etl.ports.replicator.SourceUnavailableError"
    until((tmp_path / "jobs" / "one" / "exit.json").exists)
    assert (tmp_path / "jobs" / "one" / "exit.json").read_text() == '{"status": 1}'


def test_jobs_do_not_share_what_they_were_given(runner: ChildProcessRunner, tmp_path: Path) -> None:
    for key in ("one", "two", "three"):
        assert ended(runner, runner.submit(unreachable(key))).state is JobState.FAILED
    written = b"".join(path.read_bytes() for path in (tmp_path / "jobs").rglob("*") if path.is_file())
    assert _PASSWORD.encode() not in written


def test_a_killed_job_is_lost_with_its_signal(runner: ChildProcessRunner, tmp_path: Path, warm: WarmStart) -> None:
    folder = tmp_path / "jobs" / "held"
    folder.mkdir(parents=True)
    job = warm.fork("full_load", folder)
    assert job is not None
    os.kill(job.pid, signal.SIGKILL)
    job.give("{}")
    until((folder / "exit.json").exists)
    assert (folder / "exit.json").read_text() == '{"status": -9}'


def test_a_dropped_job_does_nothing(tmp_path: Path, warm: WarmStart) -> None:
    warm.wait_until_ready()
    job = warm.fork("full_load", tmp_path)
    assert job is not None
    job.give(None)
    until((tmp_path / "exit.json").exists)
    assert (tmp_path / "exit.json").read_text() == '{"status": 2}'


def test_jobs_outlive_the_process_that_forked_them(tmp_path: Path) -> None:
    start = WarmStart(_ENVIRONMENT)
    start.wait_until_ready()
    job = start.fork("full_load", tmp_path)
    assert job is not None
    process = psutil.Process(job.pid)
    start._server.kill()
    start._server.wait()
    assert process.is_running()
    job.give(None)  # Closes the pipe or finds it closed: either way the job ends without a document.
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    start.close()


def test_a_dead_process_is_replaced(warm: WarmStart, tmp_path: Path) -> None:
    warm.wait_until_ready()
    warm._server.kill()
    warm._server.wait()
    assert warm.fork("full_load", tmp_path) is None
    warm.wait_until_ready()
    job = warm.fork("full_load", tmp_path)
    assert job is not None
    job.give(None)


def test_until_it_is_ready_jobs_start_cold(tmp_path: Path, warm: WarmStart) -> None:
    assert warm.fork("full_load", tmp_path) is None
