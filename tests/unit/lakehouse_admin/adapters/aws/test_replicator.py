"""DMS: every state of the task, the right start for its history, every way a load ends."""

from __future__ import annotations

import pytest

from etl.contracts.table import TableId
from etl.errors import OperatorError, TransientError
from etl.ports.job_runner import JobId
from etl.ports.replicator import LoadState, ReplicatorBusyError
from lakehouse_admin.adapters.aws.connections import begin_connection_tests, connection_tests
from lakehouse_admin.adapters.aws.dms import DmsUnavailableError, TaskBusyError, TaskMissingError, dms_task
from lakehouse_admin.adapters.aws.errors import (
    CredentialsError,
    PermissionDeniedError,
    QuotaExceededError,
    RequestRefusedError,
)
from lakehouse_admin.adapters.aws.replicator import DmsReplicator, TaskUnusableError
from lakehouse_admin.retry import Verdict, find_class, guidance_for, policy_for
from tests.aws.dms import INSTANCE, MOVES, REPLICATION, SOURCE, TARGET, TASK, FakeDms
from tests.aws.service import Fault
from tests.fakes import FakeJobs, FakeStore

TABLES = [TableId.parse("orders"), TableId.parse("events")]


class Case:
    """A replicator, its DMS, its jobs and its folders."""

    def __init__(self, arn: str = TASK, status: str = "ready") -> None:
        self.dms = FakeDms(status=status)
        self.jobs = FakeJobs()
        self.store = FakeStore()
        self.replicator = DmsReplicator(
            dms_task(self.dms.client(), arn),
            jobs=self.jobs,
            store=self.store,
            tables=TABLES,
            landing_uri="s3://bucket/landing",
            now=self.dms.clock.now,
        )

    def start(self, request_id: str = "r1") -> None:
        self.replicator.start_full_load(request_id=request_id)

    def state(self, request_id: str = "r1") -> LoadState:
        return self.replicator.load_status(request_id).state

    def load_whole(self) -> None:
        self.dms.event("started")
        self.dms.load("orders", rows=5)
        self.dms.load("events", rows=7)
        self.dms.finish_load()
        self.dms.event("finished", reason="FULL_LOAD_ONLY_FINISHED")


@pytest.fixture(params=[TASK, REPLICATION], ids=["task", "serverless"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def start_types(dms: FakeDms) -> list[str]:
    keys = ("StartReplicationTaskType", "StartReplicationType")
    return [asked[key] for _, asked in dms.asked for key in keys if key in asked]


def test_the_start_fits_the_history(case: Case) -> None:
    case.start()
    case.load_whole()
    case.dms.clock.advance(3600)
    case.start("r2")
    assert start_types(case.dms) == ["start-replication", "reload-target"]


def test_a_load_before_the_request_is_not_the_requests(case: Case) -> None:
    case.start()
    case.load_whole()
    case.dms.clock.advance(3600)
    case.start("r2")
    assert case.state("r2") is LoadState.RUNNING
    assert not case.jobs.submissions
    case.load_whole()
    assert case.state("r2") is LoadState.RUNNING
    assert [spec.key for spec in case.jobs.submissions] == ["r2"]


def test_the_intake_is_told_what_dms_counted(case: Case) -> None:
    case.start()
    case.load_whole()
    case.state()
    case.state()
    (spec,) = case.jobs.submissions
    assert spec.name == "dms_intake"
    assert spec.arguments == {
        "request_id": "r1",
        "landing_uri": "s3://bucket/landing",
        "task": "lakeside-dev",
        "started_at": "2026-11-23T08:00:00+00:00",
        "tables": ["public.orders", "public.events"],
        "rows": [5, 7],
    }


def test_progress_shows_rows_by_table(case: Case) -> None:
    case.start()
    case.dms.event("started")
    case.dms.load("orders", rows=3, state="Full load")
    case.dms.load("events", rows=0, state="Before load")
    case.dms.load("awsdms_status", rows=1)
    status = case.replicator.load_status("r1")
    assert status.state is LoadState.RUNNING
    assert [(load.table.name, load.rows) for load in status.tables] == [("events", 0), ("orders", 3)]


def test_statistics_are_read_to_the_last_page(case: Case) -> None:
    for number in range(230):
        case.dms.load(f"t{number:03d}", rows=number)
    assert len(case.replicator._task.tables()) == 230


@pytest.mark.parametrize("status", sorted(MOVES))
def test_every_state_takes_the_order_or_says_why_not(status: str) -> None:
    case = Case(status=status)
    case.dms.ran_before = status not in {"creating", "ready", "testing"}
    case.dms.fresh_start = case.dms.clock.now()
    case.dms.load_finished = case.dms.clock.now() if status == "running" else None
    takes = {"ready": "StartReplicationTask", "stopped": "StartReplicationTask", "failed": "StartReplicationTask"}
    takes["running"] = "ReloadTables"
    if status in takes:
        case.start()
        assert case.dms.times_asked(takes[status]) == 1
        return
    expected = TaskUnusableError if status in {"deleting", "failed-move"} else TaskBusyError
    with pytest.raises(expected, match=status):
        case.start()
    assert not case.store.objects, "nothing keeps a later order from being given"


def test_a_task_that_is_loading_takes_no_second_load(case: Case) -> None:
    case.start()
    case.dms.event("started")
    with pytest.raises(ReplicatorBusyError):
        case.start("r2")


def test_a_task_that_follows_changes_reloads_its_tables_and_goes_on(case: Case) -> None:
    case.start()
    case.load_whole()
    case.dms.status, case.dms.stop_reason = "running", ""  # full-load-and-cdc: it goes on after the load.
    case.dms.clock.advance(3600)
    case.start("r2")
    assert case.state("r2") is LoadState.RUNNING
    assert not case.jobs.submissions
    case.dms.load("orders", rows=6)
    assert not case.jobs.submissions
    case.dms.load("events", rows=8)
    case.state("r2")
    assert case.jobs.submissions[0].arguments["rows"] == [6, 8]
    assert case.dms.status == "running"
    case.replicator.cancel_full_load("r2")
    assert case.dms.status == "running"


def test_a_state_that_changed_meanwhile_is_busy(case: Case) -> None:
    for operation in ("StartReplicationTask", "StartReplication"):
        case.dms.fail(operation, Fault("InvalidResourceStateFault"))
    with pytest.raises(TaskBusyError):
        case.start()
    assert not case.store.objects


ENDS = [
    ("finished", "RECOVERABLE_ERROR", "", "TaskInterruptedError"),
    ("finished", "RECYCLE_TASK", "", "TaskInterruptedError"),
    ("finished", "RECONFIGURATION_RESTART", "", "TaskInterruptedError"),
    ("finished", "FATAL_ERROR", "relation does not exist", "TaskFailedError"),
    ("finished", "STOPPED_DUE_TO_LOW_MEMORY", "", "TaskStarvedError"),
    ("finished", "STOPPED_DUE_TO_LOW_DISK", "", "TaskStarvedError"),
    ("finished", "EXPRESS_LICENSE_LIMITS_REACHED", "", "TaskStarvedError"),
    ("finished", "NORMAL", "", "TaskStoppedError"),
    ("finished", "STOPPED_AFTER_DDL_APPLY", "", "TaskFailedError"),
    ("finished", "STOPPED_AT_SERVER_TIME", "", "TaskFailedError"),
    ("finished", "STOPPED_AT_COMMIT_TIME", "", "TaskFailedError"),
    ("failed", "", "Last Error  password authentication failed", "TaskFailedError"),
]


@pytest.mark.parametrize(("event", "reason", "failure", "error"), ENDS)
def test_every_early_end_has_its_error(case: Case, event: str, reason: str, failure: str, error: str) -> None:
    case.start()
    case.dms.event("started")
    case.dms.load("orders", rows=5)
    case.dms.event(event, reason=reason, failure=failure)
    status = case.replicator.load_status("r1")
    assert status.state is LoadState.FAILED
    assert status.error_class is not None
    assert status.error_class.endswith(f".{error}")
    assert failure in (status.error_message or "")
    kind = find_class(status.error_class)
    assert issubclass(kind, (OperatorError, TransientError))
    assert guidance_for(status.error_class)
    verdict = Verdict.RETRY if issubclass(kind, TransientError) else Verdict.WAIT_FOR_OPERATOR
    assert policy_for(status.error_class).verdict is verdict
    assert not case.jobs.submissions, "nothing of it is taken in"


@pytest.mark.parametrize(
    "reason", ["FULL_LOAD_ONLY_FINISHED", "STOPPED_AFTER_FULL_LOAD", "STOPPED_AFTER_CACHED_EVENTS"]
)
def test_every_orderly_end_is_taken_in(case: Case, reason: str) -> None:
    case.start()
    case.load_whole()
    case.dms.stop_reason = f"Stop Reason {reason}"
    case.state()
    assert len(case.jobs.submissions) == 1


@pytest.mark.parametrize(
    ("state", "error_rows"),
    [("Table error", 0), ("Table does not exist", 0), ("Table cancelled", 0), ("Table completed", 2)],
)
def test_a_table_that_was_not_loaded_whole_fails_the_load(case: Case, state: str, error_rows: int) -> None:
    case.start()
    case.load_whole()
    case.dms.load("orders", rows=4, state=state, error_rows=error_rows)
    status = case.replicator.load_status("r1")
    assert status.state is LoadState.FAILED
    assert status.error_message == "DMS did not load public.orders."
    assert not case.jobs.submissions


def test_a_load_that_never_begins_is_given_up(case: Case) -> None:
    case.start()
    case.dms.clock.advance(29 * 60)
    assert case.state() is LoadState.RUNNING
    case.dms.clock.advance(2 * 60)
    assert case.state() is LoadState.FAILED


def test_a_task_that_fails_to_start_says_why(case: Case) -> None:
    case.start()
    case.dms.event("failed", failure="The instance has no route to the source.")
    assert "no route" in (case.replicator.load_status("r1").error_message or "")


def test_cancel_stops_the_load(case: Case) -> None:
    case.start()
    case.dms.event("started")
    case.replicator.cancel_full_load("r1")
    assert (case.dms.status, case.state()) == ("stopping", LoadState.CANCELLED)
    case.replicator.cancel_full_load("r1")
    assert case.state() is LoadState.CANCELLED


def test_cancel_stops_the_intake(case: Case) -> None:
    case.start()
    case.load_whole()
    case.state()
    case.store.put("r1/spec.json", b"{}")  # As the runner on Glue does.
    case.replicator.cancel_full_load("r1")
    assert case.jobs.status(JobId("r1")).state.value == "cancelled"


def test_reload_wants_a_running_task(case: Case) -> None:
    with pytest.raises(TaskBusyError, match="ready"):
        case.replicator.reload(TABLES)


def test_a_task_that_does_not_exist_is_named(case: Case) -> None:
    case.dms.exists = False
    with pytest.raises(TaskMissingError):
        case.start()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("AccessDeniedFault", "not authorized to perform: dms:StartReplicationTask"), PermissionDeniedError),
        (Fault("KMSKeyNotAccessibleFault"), PermissionDeniedError),
        (Fault("UnrecognizedClientException"), CredentialsError),
        (Fault("ResourceQuotaExceededFault"), QuotaExceededError),
        (Fault("ThrottlingException"), DmsUnavailableError),
        (Fault("InternalFailure", status=503), DmsUnavailableError),
        (Fault("SomethingNew"), RequestRefusedError),
    ],
)
def test_what_dms_refuses_is_told_apart_and_can_be_asked_again(
    case: Case, fault: Fault, expected: type[Exception]
) -> None:
    for operation in ("StartReplicationTask", "StartReplication"):
        case.dms.fail(operation, fault)
    with pytest.raises(expected) as caught:
        case.start()
    assert fault.code in str(caught.value) or fault.message in str(caught.value)
    assert not case.store.objects
    case.dms.faults.clear()
    case.start()
    assert case.state() is LoadState.RUNNING


def test_connections_are_tested_by_dms_itself() -> None:
    dms = FakeDms()
    client = dms.client()
    endpoints = [SOURCE, TARGET]
    assert [each.status for each in connection_tests(client, endpoints=endpoints)] == ["untested", "untested"]
    begin_connection_tests(client, instance=INSTANCE, endpoints=endpoints)
    begin_connection_tests(client, instance=INSTANCE, endpoints=endpoints)
    assert [each.status for each in connection_tests(client, endpoints=endpoints)] == ["testing", "testing"]
    dms.connections = {SOURCE: "failed", TARGET: "successful"}
    source, target = connection_tests(client, endpoints=endpoints)
    assert (source.status, source.failure, target.status) == ("failed", "timeout expired", "successful")
