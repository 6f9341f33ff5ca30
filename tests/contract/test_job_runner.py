"""What every `JobRunner` keeps: over the fake, child processes, and Glue as its fake answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from etl.ports.job_runner import JobId, JobRefusedError, JobRunner, JobSpec, JobState, JobStatus
from lakehouse_admin.adapters.aws.job_runner import GlueJobRunner
from lakehouse_admin.adapters.embedded.job_runner import ChildProcessRunner
from tests.aws.glue import JOB, FakeGlue
from tests.fakes import LOST, RUNNING, FakeJobs, FakeStore, failed, succeeded

_JOB = Path(__file__).with_name("job_for_tests.py")
_PASSWORD = "c4n4ry-p4ssw0rd"
_DEADLINE_SECONDS = 20.0


def child_process_runner(folder: Path, *, memory_limit_bytes: int = 256 * 1024**2) -> ChildProcessRunner:
    return ChildProcessRunner(
        folder=folder / "jobs",
        defaults={"lake_uri": "/lake"},
        secrets={"source_url": f"postgresql://reader:{_PASSWORD}@127.0.0.1/lakeside"},
        environment={"LANG": "C.UTF-8", "TZ": "UTC"},
        memory_limit_bytes=memory_limit_bytes,
        command=(sys.executable, str(_JOB)),
    )


def fake_runner(_folder: Path) -> FakeJobs:
    from etl.ports.object_store import StoreFullError

    return FakeJobs(
        script={
            "succeeds": lambda spec: succeeded({"given": {"lake_uri": "/lake", **spec.arguments}}),
            "fails": lambda _spec: failed(StoreFullError, "no room"),
            "dies": lambda _spec: LOST,
            "hangs": lambda _spec: replace(RUNNING, progress={"rows": 3}),
        }
    )


def end_all(runner: ChildProcessRunner) -> None:
    """End every job and collect every child of the runner."""
    for job in runner.running():
        runner.cancel(job)
    for child in list(runner._children.values()):
        child.wait(timeout=_DEADLINE_SECONDS)


def glue_runner(_folder: Path) -> GlueJobRunner:
    """A Glue whose script ends, or hangs, as the job's name says; told to stop, it has stopped."""
    glue, store = FakeGlue(), FakeStore()
    glue.stops_at_once = True

    def work(run: dict[str, Any]) -> None:
        key = run["Arguments"]["--lakeside_key"]
        asked = json.loads(store.get(f"{key}/spec.json"))
        store.put(f"{key}/progress.json", b'{"heartbeat_at": "2026-11-23T08:00:00+00:00", "progress": {"rows": 3}}')
        results: dict[str, dict[str, object]] = {
            "succeeds": {"state": "succeeded", "result": {"given": asked["arguments"]}},
            "fails": {
                "state": "failed",
                "error_class": "etl.ports.object_store.StoreFullError",
                "error_message": "no room",
            },
        }
        if asked["name"] in results:
            store.put(f"{key}/result.json", json.dumps(results[asked["name"]]).encode())
        states = {"succeeds": "SUCCEEDED", "fails": "FAILED", "dies": "FAILED"}
        run["JobRunState"] = states.get(asked["name"], "RUNNING")

    glue.on_start = work
    return GlueJobRunner(glue.client(), store=store, job_name=JOB, defaults={"lake_uri": "/lake"}, now=glue.clock.now)


@pytest.fixture(params=[fake_runner, child_process_runner, glue_runner], ids=["fake", "embedded", "glue"])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobRunner]:
    made: JobRunner = request.param(tmp_path)
    yield made
    if isinstance(made, ChildProcessRunner):
        end_all(made)


def wait(runner: JobRunner, job: JobId, until: Callable[[JobStatus], bool]) -> JobStatus:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not until(status := runner.status(job)):
        assert time.monotonic() < deadline, status
        time.sleep(0.01)
    return status


def ended(status: JobStatus) -> bool:
    return status.state is not JobState.RUNNING


def spec(name: str, key: str = "run-1-silver-1", **arguments: object) -> JobSpec:
    return JobSpec(name=name, key=key, arguments=arguments)


def test_a_job_returns_its_result(runner: JobRunner) -> None:
    job = runner.submit(spec("succeeds", load_id="00AB"))

    status = wait(runner, job, ended)

    assert status.state is JobState.SUCCEEDED
    assert status.result == {"given": {"lake_uri": "/lake", "load_id": "00AB"}}


def test_a_job_fails_with_its_error(runner: JobRunner) -> None:
    status = wait(runner, runner.submit(spec("fails")), ended)

    assert status.state is JobState.FAILED
    assert status.error_class == "etl.ports.object_store.StoreFullError"
    assert status.error_message == "no room"


def test_a_job_without_a_result_is_lost(runner: JobRunner) -> None:
    status = wait(runner, runner.submit(spec("dies")), ended)

    assert status.state is JobState.LOST
    assert status.exit_reason


def test_a_running_job_reports_progress(runner: JobRunner) -> None:
    job = runner.submit(spec("hangs"))

    status = wait(runner, job, lambda status: status.progress is not None)

    assert (status.state, status.progress) == (JobState.RUNNING, {"rows": 3})


def test_a_key_starts_one_job(runner: JobRunner) -> None:
    job = runner.submit(spec("hangs"))

    assert runner.submit(spec("succeeds")) == job
    assert runner.status(job).state is JobState.RUNNING


def test_cancel_ends_a_job_for_good(runner: JobRunner) -> None:
    job = runner.submit(spec("hangs"))

    runner.cancel(job)
    runner.cancel(job)

    assert runner.status(job).state is JobState.CANCELLED
    assert runner.submit(spec("succeeds")) == job
    assert runner.status(job).state is JobState.CANCELLED


def test_cancel_leaves_a_result_alone(runner: JobRunner) -> None:
    job = runner.submit(spec("succeeds"))
    wait(runner, job, ended)

    runner.cancel(job)

    assert runner.status(job).state is JobState.SUCCEEDED


def test_running_jobs_are_listed(runner: JobRunner) -> None:
    wait(runner, runner.submit(spec("succeeds", key="run-1-gold-1")), lambda _status: not runner.running())

    job = runner.submit(spec("hangs"))

    assert list(runner.running()) == [job]
    runner.cancel(job)
    assert list(runner.running()) == []


def test_a_job_nobody_submitted_is_lost(runner: JobRunner) -> None:
    runner.cancel(JobId("run-9-gold-1"))

    assert runner.status(JobId("run-9-gold-1")).state is JobState.LOST


@pytest.mark.parametrize("key", ["", "../../etc", "a/b", "-rf"])
def test_a_key_that_is_no_name_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(JobRefusedError):
        child_process_runner(tmp_path).submit(spec("succeeds", key=key))

    assert not (tmp_path / "etc").exists()


class TestChildProcesses:
    @pytest.fixture
    def runner(self, tmp_path: Path) -> Iterator[ChildProcessRunner]:
        runner = child_process_runner(tmp_path)
        yield runner
        end_all(runner)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "jobs" / "run-1-silver-1"

    def test_another_worker_answers_for_a_job(self, runner: ChildProcessRunner, tmp_path: Path) -> None:
        job = runner.submit(spec("hangs"))
        other = child_process_runner(tmp_path)

        assert other.status(job).state is JobState.RUNNING
        assert other.running() == (job,)
        other.cancel(job)
        assert other.status(job).state is JobState.CANCELLED
        assert runner.status(job).state is JobState.CANCELLED

    def test_another_worker_sees_how_a_job_died(self, runner: ChildProcessRunner, tmp_path: Path) -> None:
        job = runner.submit(spec("hangs"))
        other = child_process_runner(tmp_path)
        wait(other, job, lambda status: status.progress is not None)

        os.kill(json.loads((tmp_path / "jobs" / job / "process.json").read_text())["pid"], signal.SIGKILL)

        status = wait(other, job, ended)
        assert status.state is JobState.LOST
        assert status.exit_reason == "killed by SIGKILL, perhaps for memory"
        assert runner.status(job).exit_reason == status.exit_reason
        assert other.status(job).exit_reason == status.exit_reason

    def test_cancel_ends_the_whole_group(self, runner: ChildProcessRunner, folder: Path) -> None:
        job = runner.submit(spec("hangs_with_a_child"))
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not (folder / "child.pid").exists() or not (folder / "child.pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        grandchild = psutil.Process(int((folder / "child.pid").read_text()))

        runner.cancel(job)

        assert not grandchild.is_running() or grandchild.wait(timeout=5) is None

    def test_submitting_is_quick(self, runner: ChildProcessRunner) -> None:
        started = time.monotonic()
        runner.submit(spec("hangs"))

        assert time.monotonic() - started < 0.2

    def test_many_submissions_of_a_key_start_one_process(self, tmp_path: Path) -> None:
        runners = [child_process_runner(tmp_path) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            jobs = set(pool.map(lambda each: each.submit(spec("hangs")), runners * 5))

        assert len(jobs) == 1
        started = [each for each in runners if each._children]
        assert len(started) == 1
        end_all(started[0])

    def test_a_greedy_job_fails_alone(self, runner: ChildProcessRunner) -> None:
        status = wait(runner, runner.submit(spec("eats")), ended)

        assert status.state is JobState.LOST
        assert "MemoryError" in status.log_tail

    def test_a_worker_that_died_while_submitting_leaves_a_lost_job(
        self, runner: ChildProcessRunner, folder: Path
    ) -> None:
        folder.mkdir(parents=True)
        assert runner.status(JobId(folder.name)).state is JobState.RUNNING

        long_ago = time.time() - 60
        os.utime(folder, (long_ago, long_ago))

        assert runner.status(JobId(folder.name)).state is JobState.LOST

    def test_a_worker_that_wakes_up_late_gives_its_child_nothing_to_do(
        self, runner: ChildProcessRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        popen = subprocess.Popen

        def sleepy(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
            long_ago = time.time() - 60
            os.utime(folder / "spec.json", (long_ago, long_ago))
            assert child_process_runner(folder.parent.parent).status(JobId(folder.name)).state is JobState.LOST
            return popen(*arguments, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(subprocess, "Popen", sleepy)
        job = runner.submit(spec("succeeds"))
        child = runner._children[job]

        assert child.wait(timeout=_DEADLINE_SECONDS) == 1
        assert runner.status(job).state is JobState.LOST
        assert not (folder / "result.json").exists()

    def test_a_stranger_with_the_same_process_id_is_not_the_job(self, runner: ChildProcessRunner, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "process.json").write_text(json.dumps({"pid": os.getpid(), "created_at": 1.0}))

        assert runner.status(JobId(folder.name)).state is JobState.LOST
        runner.cancel(JobId(folder.name))

    def test_secrets_reach_the_job_and_nothing_else(self, runner: ChildProcessRunner, folder: Path) -> None:
        job = runner.submit(spec("reads_its_secret"))
        result = wait(runner, job, ended).result
        hanging = runner.submit(spec("hangs", key="other"))
        process = psutil.Process(json.loads((folder.parent / "other" / "process.json").read_text())["pid"])

        assert result is not None
        assert result["length"]
        seen = [str(process.cmdline()), str(process.environ())]
        seen += [path.read_text() for path in folder.parent.rglob("*") if path.is_file()]
        assert not [text for text in seen if _PASSWORD in text]
        assert "DATABASE_URL" not in str(process.environ())
        runner.cancel(hanging)

    def test_folders_are_private(self, runner: ChildProcessRunner, folder: Path) -> None:
        runner.submit(spec("hangs"))

        assert folder.stat().st_mode & 0o077 == 0

    def test_only_the_newest_folders_are_kept(
        self, runner: ChildProcessRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lakehouse_admin.adapters.embedded.job_runner._KEEP_JOBS", 2)
        hanging = runner.submit(spec("hangs", key="job-0"))
        for number in range(1, 5):
            wait(runner, runner.submit(spec("succeeds", key=f"job-{number}")), lambda _: runner.running() == (hanging,))

        runner.submit(spec("succeeds", key="job-5"))

        assert {each.name for each in folder.parent.iterdir()} == {hanging, "job-3", "job-4", "job-5"}

    def test_old_folders_are_removed(self, runner: ChildProcessRunner, folder: Path) -> None:
        wait(runner, runner.submit(spec("succeeds")), lambda _status: not runner.running())
        long_ago = time.time() - 30 * 24 * 3600
        os.utime(folder / "spec.json", (long_ago, long_ago))

        runner.submit(spec("hangs", key="other"))

        assert not folder.exists()
