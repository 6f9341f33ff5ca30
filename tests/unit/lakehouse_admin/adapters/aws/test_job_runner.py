"""Jobs on Glue: every state of a run, every way to lose an answer, and what AWS refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl.ports.job_runner import JobId, JobRefusedError, JobRunnerUnavailableError, JobSpec, JobState
from lakehouse_admin.adapters.aws.errors import CredentialsError, PermissionDeniedError, QuotaExceededError
from lakehouse_admin.adapters.aws.job_runner import GlueJobRunner, JobTimedOutError, RunnerBusyError
from tests.aws.glue import JOB, FakeGlue
from tests.aws.service import Fault
from tests.fakes import FakeStore

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:lakeside-dev-source"
SPEC = JobSpec(name="bronze_to_silver", key="run-1-silver-1", arguments={"load_id": "00AB"})


class Case:
    """A runner, its Glue and its folders."""

    def __init__(self) -> None:
        self.glue = FakeGlue()
        self.store = FakeStore()
        self.runner = self.another_worker()

    def another_worker(self, **options: Any) -> GlueJobRunner:
        return GlueJobRunner(
            self.glue.client(**options),
            store=self.store,
            job_name=JOB,
            defaults={"lake_uri": "s3://bucket/lake"},
            source_secret=SECRET,
            now=self.glue.clock.now,
        )

    def succeed(self) -> None:
        self.store.put(f"{SPEC.key}/result.json", b'{"state": "succeeded", "result": {"rows": 5}}')
        self.glue.move("SUCCEEDED", seconds=30)


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_run_is_told_where_its_document_is_and_no_secret(case: Case) -> None:
    case.runner.submit(SPEC)
    (run,) = case.glue.runs
    assert run["Arguments"] == {
        "--lakeside_key": SPEC.key,
        "--lakeside_spec": f"memory://{SPEC.key}/spec.json",
        "--lakeside_source_secret": SECRET,
    }
    assert json.loads(case.store.get(f"{SPEC.key}/spec.json"))["arguments"] == {
        "lake_uri": "s3://bucket/lake",
        "load_id": "00AB",
    }


@pytest.mark.parametrize(
    ("state", "message", "expected", "error"),
    [
        ("STARTING", None, JobState.RUNNING, None),
        ("WAITING", None, JobState.RUNNING, None),
        ("RUNNING", None, JobState.RUNNING, None),
        ("STOPPING", None, JobState.RUNNING, None),
        ("STOPPED", None, JobState.LOST, None),
        ("SUCCEEDED", None, JobState.LOST, None),
        ("FAILED", "Command failed with exit code 10", JobState.LOST, None),
        ("ERROR", "Internal service error", JobState.LOST, None),
        ("EXPIRED", None, JobState.LOST, None),
        ("TIMEOUT", None, JobState.FAILED, JobTimedOutError),
        ("FAILED", "S3 Access Denied for s3://bucket/scripts/glue_main.py", JobState.FAILED, PermissionDeniedError),
        ("FAILED", "Max DPU quota reached for the account", JobState.FAILED, QuotaExceededError),
    ],
)
def test_every_state_of_a_run_without_a_result(
    case: Case, state: str, message: str | None, expected: JobState, error: type[Exception] | None
) -> None:
    job = case.runner.submit(SPEC)
    case.glue.move(state, message=message, seconds=30)
    status = case.runner.status(job)
    assert status.state is expected
    assert (status.error_class or "").rpartition(".")[2] == (error.__name__ if error else "")
    if expected is JobState.LOST:
        assert status.exit_reason
    if message:
        assert message in status.log_tail


@pytest.mark.parametrize("state", ["RUNNING", "SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"])
def test_what_a_job_says_of_itself_counts_more_than_what_glue_says(case: Case, state: str) -> None:
    job = case.runner.submit(SPEC)
    case.succeed()
    case.glue.move(state)
    status = case.runner.status(job)
    assert (status.state, status.result) == (JobState.SUCCEEDED, {"rows": 5})


def test_a_job_that_fails_half_way_says_with_what(case: Case) -> None:
    job = case.runner.submit(SPEC)
    failure = {"state": "failed", "error_class": "etl.silver.apply.StaleLoadError", "error_message": "older"}
    case.store.put(f"{SPEC.key}/result.json", json.dumps(failure).encode())
    case.glue.move("FAILED", message="SystemExit: 1")
    status = case.runner.status(job)
    assert (status.state, status.error_class, status.error_message) == (
        JobState.FAILED,
        "etl.silver.apply.StaleLoadError",
        "older",
    )


def test_usage_is_capacity_times_time_unless_glue_knows_better(case: Case) -> None:
    job = case.runner.submit(SPEC)
    case.glue.move("RUNNING", seconds=90)
    assert case.runner.status(job).usage == {"dpu_seconds": 180.0, "seconds": 90.0}
    case.glue.runs[0]["DPUSeconds"] = 77.5
    assert case.runner.status(job).usage == {"dpu_seconds": 77.5, "seconds": 90.0}


def test_a_cancelled_job_runs_until_glue_has_stopped_it(case: Case) -> None:
    job = case.runner.submit(SPEC)
    case.glue.move("RUNNING")
    case.runner.cancel(job)
    assert case.glue.runs[0]["JobRunState"] == "STOPPING"
    assert case.runner.status(job).state is JobState.RUNNING
    case.runner.cancel(job)
    assert case.glue.times_asked("BatchStopJobRun") == 1
    case.glue.move("STOPPED")
    assert case.runner.status(job).state is JobState.CANCELLED


def test_a_job_that_ended_while_it_was_being_cancelled_keeps_its_result(case: Case) -> None:
    job = case.runner.submit(SPEC)
    case.runner.cancel(job)
    case.succeed()
    assert case.runner.status(job).state is JobState.SUCCEEDED


def test_a_worker_that_died_after_starting_a_run_loses_nothing(case: Case) -> None:
    job = case.runner.submit(SPEC)
    case.store.delete(f"{SPEC.key}/run.json")  # As if the worker died before writing it.
    other = case.another_worker()
    assert other.status(job).state is JobState.RUNNING
    assert json.loads(case.store.get(f"{SPEC.key}/run.json"))["run_id"] == case.glue.runs[0]["Id"]
    assert other.submit(SPEC) == job
    assert len(case.glue.runs) == 1


def test_a_worker_that_died_before_starting_a_run_leaves_a_lost_job(case: Case) -> None:
    asked = {"name": "x", "key": SPEC.key, "asked_at": case.glue.clock.now().isoformat(), "arguments": {}}
    case.store.put(f"{SPEC.key}/spec.json", json.dumps(asked).encode())
    job = JobId(SPEC.key)
    assert case.runner.status(job).state is JobState.RUNNING, "it may be on its way"
    case.glue.clock.advance(121)
    assert case.runner.status(job).state is JobState.LOST
    assert case.runner.status(job).state is JobState.LOST


def test_a_run_that_comes_after_its_job_was_given_up_is_stopped(case: Case) -> None:
    def give_up(_run: object) -> None:
        """Between the request and the note of its run the worker sleeps, and another one looks."""
        case.store.put(f"{SPEC.key}/run.json", b'{"run_id": null}')

    case.glue.on_start = give_up
    job = case.runner.submit(SPEC)
    assert case.glue.runs[0]["JobRunState"] == "STOPPING"
    case.glue.clock.advance(300)
    assert case.runner.status(job).state is JobState.LOST


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("AccessDeniedException", "not authorized to perform: glue:StartJobRun"), PermissionDeniedError),
        (Fault("UnrecognizedClientException"), CredentialsError),
        (Fault("ExpiredTokenException"), CredentialsError),
        (Fault("ResourceNumberLimitExceededException"), QuotaExceededError),
        (Fault("EntityNotFoundException"), JobRefusedError),
        (Fault("ConcurrentRunsExceededException"), RunnerBusyError),
        (Fault("ThrottlingException"), JobRunnerUnavailableError),
    ],
)
def test_what_glue_turns_away_can_be_submitted_again(case: Case, fault: Fault, expected: type[Exception]) -> None:
    case.glue.fail("StartJobRun", fault)
    with pytest.raises(expected):
        case.runner.submit(SPEC)
    assert not case.store.objects
    job = case.runner.submit(SPEC)
    case.succeed()
    assert case.runner.status(job).state is JobState.SUCCEEDED


def test_a_lost_answer_is_not_a_second_run(case: Case) -> None:
    started = case.glue.start_job_run

    def start_and_lose_the_answer() -> None:
        _, parameters = case.glue.asked[-1]
        started(**parameters)
        raise Fault("InternalServiceException", status=500)

    case.glue.fail("StartJobRun", start_and_lose_the_answer)
    with pytest.raises(JobRunnerUnavailableError):
        case.runner.submit(SPEC)
    job = case.runner.submit(SPEC)
    assert len(case.glue.runs) == 1
    case.succeed()
    assert case.runner.status(job).state is JobState.SUCCEEDED


def test_a_throttle_storm_is_ridden_out_with_growing_random_pauses(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", case.glue.clock.sleep)
    case.glue.fail("StartJobRun", Fault("ThrottlingException"), times=3)
    case.another_worker(attempts=4).submit(SPEC)
    assert case.glue.times_asked("StartJobRun") == 4
    first, second, third = case.glue.clock.slept
    assert len({first, second, third}) == 3
    assert first <= 1
    assert second <= 2
    assert third <= 4


def test_running_jobs_are_those_of_every_page(case: Case) -> None:
    case.glue.max_concurrent_runs = 100
    for number in range(60):
        case.runner.submit(JobSpec(name="x", key=f"run-{number}", arguments={}))
    case.glue.move("SUCCEEDED", number=0)
    assert len(case.runner.running()) == 59
    assert "run-0" not in case.runner.running()


def test_a_job_nobody_submitted_is_lost(case: Case) -> None:
    assert case.runner.status(JobId("unheard-of")).state is JobState.LOST
