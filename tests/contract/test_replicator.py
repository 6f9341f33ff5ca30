"""What every `Replicator` keeps: over the fake, full-load jobs of a job runner, and DMS as its fake answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from etl.contracts.table import TableId
from etl.ports.job_runner import JobId, JobState, JobStatus
from etl.ports.replicator import LoadState, LoadStatus, Replicator, SourceNotReadyError
from lakehouse_admin.adapters.aws.dms import dms_task
from lakehouse_admin.adapters.aws.replicator import DmsReplicator
from lakehouse_admin.adapters.embedded.replicator import JobReplicator
from tests.aws.dms import REPLICATION, TASK, FakeDms
from tests.fakes import LOST, FakeJobs, FakeReplicator, FakeStore, failed, succeeded

_RESULT = {
    "load_id": "000000000018B4D1",
    "lsn": 0x18B4D1,
    "snapshot_at": "2026-11-23T08:00:00+00:00",
    "tables": [
        {
            "table": "public.orders",
            "rows": 5,
            "files": 1,
            "size_bytes": 50,
            "fingerprint": {"rows": 5, "hash_hi": 1, "hash_lo": 2},
        },
    ],
}


@dataclass
class Case:
    """A replicator, how many loads it really started, and how to let the load end."""

    replicator: Replicator
    started: Callable[[], int]
    end: Callable[[LoadState], None]


def embedded() -> Case:
    jobs = FakeJobs()
    ends = {LoadState.SUCCEEDED: succeeded(_RESULT), LoadState.FAILED: failed(SourceNotReadyError, "Set wal_level.")}
    return Case(
        replicator=JobReplicator(jobs=jobs, tables=[TableId.parse("orders")]),
        started=lambda: len(jobs.submissions),
        end=lambda state: jobs.end(JobId("request-1"), ends[state]),
    )


def fake() -> Case:
    replicator = FakeReplicator(store=FakeStore(), tables={"orders": 5})
    replicator.answers = [LoadStatus(state=LoadState.RUNNING, load_id=None)]

    def end(state: LoadState) -> None:
        replicator.loads["request-1"] = (
            replicator._succeed("request-1")
            if state is LoadState.SUCCEEDED
            else LoadStatus(
                state=state,
                load_id=None,
                error_class="etl.ports.replicator.SourceNotReadyError",
                error_message="Set wal_level.",
            )
        )

    return Case(replicator=replicator, started=lambda: len(replicator.requests), end=end)


def aws(arn: str) -> Case:
    dms, jobs = FakeDms(), FakeJobs()
    replicator = DmsReplicator(
        dms_task(dms.client(), arn),
        jobs=jobs,
        store=FakeStore(),
        tables=[TableId.parse("orders")],
        landing_uri="s3://bucket/landing",
        now=dms.clock.now,
    )
    ends = {LoadState.SUCCEEDED: succeeded(_RESULT), LoadState.FAILED: failed(SourceNotReadyError, "Set wal_level.")}

    def end(state: LoadState) -> None:
        dms.event("started")
        dms.load("orders", rows=5)
        dms.finish_load()
        dms.event("finished", reason="FULL_LOAD_ONLY_FINISHED")
        assert replicator.load_status("request-1").state is LoadState.RUNNING, "the intake has begun"
        jobs.end(JobId("request-1"), ends[state])

    def started() -> int:
        return dms.times_asked("StartReplicationTask") + dms.times_asked("StartReplication")

    return Case(replicator=replicator, started=started, end=end)


def dms_on_an_instance() -> Case:
    return aws(TASK)


def dms_serverless() -> Case:
    return aws(REPLICATION)


@pytest.fixture(params=[fake, embedded, dms_on_an_instance, dms_serverless])
def case(request: pytest.FixtureRequest) -> Case:
    made: Case = request.param()
    made.replicator.start_full_load(request_id="request-1")
    return made


def test_a_load_runs_until_it_ends(case: Case) -> None:
    assert case.replicator.load_status("request-1").state is LoadState.RUNNING


def test_a_request_starts_one_load(case: Case) -> None:
    case.replicator.start_full_load(request_id="request-1")

    assert case.started() == 1


def test_a_load_that_succeeded_names_itself_and_its_tables(case: Case) -> None:
    case.end(LoadState.SUCCEEDED)

    status = case.replicator.load_status("request-1")

    assert status.state is LoadState.SUCCEEDED
    assert status.load_id is not None
    assert [(str(load.table), load.rows, load.size_bytes) for load in status.tables] == [("public.orders", 5, 50)]


def test_a_load_that_failed_says_why(case: Case) -> None:
    case.end(LoadState.FAILED)

    status = case.replicator.load_status("request-1")

    assert status.state is LoadState.FAILED
    assert status.error_class == "etl.ports.replicator.SourceNotReadyError"
    assert status.error_message == "Set wal_level."


def test_cancel_ends_a_load_for_good(case: Case) -> None:
    case.replicator.cancel_full_load("request-1")
    case.replicator.cancel_full_load("request-1")

    assert case.replicator.load_status("request-1").state is LoadState.CANCELLED


def test_cancel_leaves_a_finished_load_alone(case: Case) -> None:
    case.end(LoadState.SUCCEEDED)

    case.replicator.cancel_full_load("request-1")

    assert case.replicator.load_status("request-1").state is LoadState.SUCCEEDED


def test_a_load_nobody_asked_for_counts_as_lost(case: Case) -> None:
    status = case.replicator.load_status("request-2")

    assert status.state is LoadState.FAILED
    assert status.error_class == "etl.ports.job_runner.JobLostError"


class TestJobs:
    def test_all_selected_tables_are_loaded_unless_some_are_named(self) -> None:
        jobs = FakeJobs()
        replicator = JobReplicator(jobs=jobs, tables=[TableId.parse("orders"), TableId.parse("events")])

        replicator.start_full_load(request_id="request-1")
        replicator.start_full_load(request_id="request-2", tables=[TableId.parse("events")])

        assert [spec.arguments["tables"] for spec in jobs.submissions] == [
            ["public.orders", "public.events"],
            ["public.events"],
        ]

    def test_changes_go_on_around_the_loads_of_a_slot(self) -> None:
        jobs = FakeJobs()
        tables = [TableId.parse("orders"), TableId.parse("events")]
        replicator = JobReplicator(jobs=jobs, tables=tables, slot="lakeside")

        replicator.start_full_load(request_id="request-1", tables=tables[:1])

        assert jobs.submissions[0].arguments == {
            "request_id": "request-1",
            "tables": ["public.orders"],
            "slot": "lakeside",
            "slot_tables": ["public.orders", "public.events"],
        }

    def test_progress_shows_rows_by_table(self) -> None:
        running = JobStatus(state=JobState.RUNNING, progress={"rows": {"public.orders": 3}})
        jobs = FakeJobs(script={"full_load": lambda _spec: running})
        replicator = JobReplicator(jobs=jobs, tables=[TableId.parse("orders")])

        replicator.start_full_load(request_id="request-1")

        assert [(load.table.name, load.rows) for load in replicator.load_status("request-1").tables] == [("orders", 3)]

    def test_a_killed_load_counts_as_lost(self) -> None:
        jobs = FakeJobs(script={"full_load": lambda _spec: LOST})
        replicator = JobReplicator(jobs=jobs, tables=[TableId.parse("orders")])

        replicator.start_full_load(request_id="request-1")

        assert replicator.load_status("request-1").error_class == "etl.ports.job_runner.JobLostError"
