from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from etl.errors import OperatorError, TransientError
from etl.ports.job_runner import JobId, JobStatus
from etl.ports.object_store import StoreFullError
from etl.ports.replicator import LoadState, LoadStatus, SourceNotReadyError, SourceUnavailableError
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.retry_run import RunOutdatedError, retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.stages.quality import NotReconciledError
from lakehouse_admin.states import DATA_STAGES, Reconciliation, RunState, Stage, StageState, Trigger
from tests.fakes import LOST, RUNNING, FakeLakehouse, failed, reconcile_result, silver_result, succeeded
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration


def drive(run: PipelineRun, lakehouse: FakeLakehouse, *, now: datetime = NOW, calls: int = 100) -> datetime:
    """Call `advance` as the tasks do, moving the clock instead of waiting; return the time it ended."""
    for _ in range(calls):
        following = advance(run.pk, lakehouse=lakehouse.ports, now=now)
        if following is None:
            break
        now += timedelta(seconds=following.delay_seconds)
    run.refresh_from_db()
    return now


def attempts(run: PipelineRun) -> list[tuple[str, int, str]]:
    return [(each.stage, each.attempt, each.state) for each in run.stage_runs.order_by("id")]


def running(run: PipelineRun) -> set[str]:
    return set(run.stage_runs.filter(state=StageState.RUNNING).values_list("stage", flat=True))


def event_names(run: PipelineRun) -> list[str]:
    return [event.name for event in run.events.all()]


def test_a_run_goes_through_every_stage_to_a_publication(run: PipelineRun, lakehouse: FakeLakehouse):
    drive(run, lakehouse)

    assert run.state == RunState.SUCCEEDED
    assert attempts(run) == [(stage, 1, StageState.SUCCEEDED) for stage in DATA_STAGES]
    publication = PublicationRecord.objects.get()
    assert (publication.number, publication.run_id) == (1, run.pk)
    assert publication.as_of == datetime.fromisoformat(lakehouse.replicator.snapshot_at)
    assert publication.source_lsn == lakehouse.replicator.lsn == run.source_lsn
    assert [pin.table for pin in publication.to_contract().pins] == ["gold.daily_revenue"]


def test_rows_are_recorded_along_the_path(run: PipelineRun, lakehouse: FakeLakehouse):
    drive(run, lakehouse)

    rows = {
        result.table: (result.source_rows, result.bronze_rows, result.silver_rows, result.rejected_rows)
        for result in run.table_results.all()
    }
    assert rows == {"tenants": (2, 2, 2, 0), "orders": (5, 5, 5, 0)}
    assert {result.reconciliation for result in run.table_results.all()} == {Reconciliation.EQUAL}


def test_events_tell_the_story_in_order(run: PipelineRun, lakehouse: FakeLakehouse):
    drive(run, lakehouse)

    assert event_names(run) == [
        "run_requested",
        "run_started",
        *["stage_started", "stage_succeeded"] * 5,
        "gold_published",
    ]


def test_a_call_comes_back_while_a_job_runs(run: PipelineRun, lakehouse: FakeLakehouse):
    lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: JobStatus(
        state=RUNNING.state, progress={"rows": {"public.orders": 3}}
    )

    following = advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

    assert following is not None
    assert 0 < following.delay_seconds <= 1
    silver = run.stage_runs.get(stage=Stage.SILVER)
    assert silver.state == StageState.RUNNING
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    silver.refresh_from_db()
    assert silver.progress == {"rows": {"public.orders": 3}}


@pytest.mark.parametrize(
    ("stage", "job"),
    [(Stage.SILVER, "bronze_to_silver"), (Stage.QUALITY, "reconcile"), (Stage.GOLD, "silver_to_gold")],
)
class TestJobStages:
    def test_an_error_of_its_own_fails_the_run(
        self, run: PipelineRun, lakehouse: FakeLakehouse, stage: Stage, job: str
    ):
        lakehouse.jobs.script[job] = lambda _spec: failed(ValueError, "no such column")

        drive(run, lakehouse)

        assert run.state == RunState.FAILED
        assert run.error_class == "builtins.ValueError"
        assert run.error_message == "no such column"
        assert "log" in run.guidance
        assert run.stage_runs.get(stage=stage).state == StageState.FAILED
        assert not PublicationRecord.objects.exists()

    def test_an_operator_error_waits_and_a_retry_goes_on_from_there(
        self, run: PipelineRun, lakehouse: FakeLakehouse, stage: Stage, job: str
    ):
        works = lakehouse.jobs.script[job]
        lakehouse.jobs.script[job] = lambda _spec: failed(StoreFullError, "The store has no room left.")

        now = drive(run, lakehouse)

        assert run.state == RunState.WAITING
        assert run.guidance == StoreFullError.guidance
        lakehouse.jobs.script[job] = works
        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)
        assert run.state == RunState.SUCCEEDED
        assert run.error_message == ""
        assert run.stage_runs.filter(stage=stage).count() == 2
        assert run.stage_runs.filter(stage=Stage.REPLICATE).count() == 1

    def test_a_killed_job_is_tried_again(self, run: PipelineRun, lakehouse: FakeLakehouse, stage: Stage, job: str):
        works = lakehouse.jobs.script[job]
        fates = iter([lambda _spec: LOST, works])
        lakehouse.jobs.script[job] = lambda spec: next(fates)(spec)  # noqa: PLW0108 - one fate a job

        drive(run, lakehouse)

        assert run.state == RunState.SUCCEEDED
        assert [(each.attempt, each.state) for each in run.stage_runs.filter(stage=stage)] == [
            (1, StageState.FAILED),
            (2, StageState.SUCCEEDED),
        ]
        assert "retry_scheduled" in event_names(run)

    def test_retries_end(self, run: PipelineRun, lakehouse: FakeLakehouse, stage: Stage, job: str):
        lakehouse.jobs.script[job] = lambda _spec: LOST

        drive(run, lakehouse)

        assert run.state == RunState.FAILED
        assert run.stage_runs.filter(stage=stage, state=StageState.FAILED).count() == 3

    def test_cancelling_ends_the_job(self, run: PipelineRun, lakehouse: FakeLakehouse, stage: Stage, job: str):
        lakehouse.jobs.script[job] = lambda _spec: RUNNING
        now = drive(run, lakehouse, calls=3)

        cancel_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)

        assert run.state == RunState.CANCELLED
        running = run.stage_runs.get(stage=stage)
        assert running.state == StageState.CANCELLED
        assert lakehouse.jobs.status(JobId(running.job_id)).state == "cancelled"
        assert not PublicationRecord.objects.exists()


class TestReplicate:
    def test_an_unavailable_source_is_tried_again_after_a_pause(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [SourceUnavailableError(), SourceUnavailableError()]

        ended = drive(run, lakehouse)

        assert run.state == RunState.SUCCEEDED
        assert run.stage_runs.filter(stage=Stage.REPLICATE).count() == 3
        assert ended - NOW >= timedelta(seconds=6)

    def test_a_source_that_is_not_ready_waits_for_a_person(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [SourceNotReadyError("Set wal_level.")]

        drive(run, lakehouse)

        assert (run.state, run.error_message) == (RunState.WAITING, "Set wal_level.")

    def test_a_failed_load_keeps_its_error(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [
            LoadStatus(
                state=LoadState.FAILED,
                load_id=None,
                error_class="etl.ports.replicator.UnsupportedColumnError",
                error_message="A table has a point column.",
                log_tail="the log",
            )
        ]

        drive(run, lakehouse)

        assert run.state == RunState.WAITING
        assert run.stage_runs.get(stage=Stage.REPLICATE).log_tail == "the log"

    def test_cancelling_stops_the_load(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [LoadStatus(state=LoadState.RUNNING, load_id=None)]
        now = drive(run, lakehouse, calls=2)

        cancel_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)

        assert run.state == RunState.CANCELLED
        assert [load.state for load in lakehouse.replicator.loads.values()] == [LoadState.CANCELLED]

    def test_a_bug_fails_the_run_instead_of_hanging_it(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [KeyError("oops")]

        drive(run, lakehouse)

        assert run.state == RunState.FAILED
        assert run.error_message == "KeyError: 'oops'"


class TestQuality:
    def test_a_difference_fails_the_run_and_names_the_table(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded(
            reconcile_result(lakehouse.replicator.tables, different=["orders"])
        )

        drive(run, lakehouse)

        assert run.state == RunState.FAILED
        assert run.error_message == "Silver differs from the source in orders."
        assert run.guidance == NotReconciledError.guidance
        found = dict(run.table_results.values_list("table", "reconciliation"))
        assert found == {"tenants": Reconciliation.EQUAL, "orders": Reconciliation.DIFFERENT}
        assert not PublicationRecord.objects.exists()

    def test_a_retry_after_a_difference_copies_the_source_again(self, run: PipelineRun, lakehouse: FakeLakehouse):
        different = [["orders"], []]
        lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded(
            reconcile_result(lakehouse.replicator.tables, different=different.pop(0))
        )
        now = drive(run, lakehouse)

        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)

        assert run.state == RunState.SUCCEEDED
        assert len(lakehouse.replicator.requests) == 2
        assert {result.reconciliation for result in run.table_results.all()} == {Reconciliation.EQUAL}


class TestSideBySide:
    """Quality and gold both read silver, and neither waits for the other."""

    def test_both_run_at_once(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script |= {"reconcile": lambda _spec: RUNNING, "silver_to_gold": lambda _spec: RUNNING}

        drive(run, lakehouse, calls=3)

        assert running(run) == {Stage.QUALITY, Stage.GOLD}

    def test_publication_waits_for_the_slower_one(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["reconcile"] = lambda _spec: RUNNING

        drive(run, lakehouse, calls=5)

        assert run.stage_runs.get(stage=Stage.GOLD).state == StageState.SUCCEEDED
        assert run.stage_runs.get(stage=Stage.PUBLISH).state == StageState.PENDING
        assert not PublicationRecord.objects.exists()

    def test_a_failure_ends_the_other_one_and_a_retry_takes_both_up(self, run: PipelineRun, lakehouse: FakeLakehouse):
        scripts = dict(lakehouse.jobs.script)
        lakehouse.jobs.script |= {"reconcile": lambda _spec: RUNNING, "silver_to_gold": lambda _spec: RUNNING}
        now = drive(run, lakehouse, calls=3)
        quality, gold = (run.stage_runs.get(stage=stage) for stage in (Stage.QUALITY, Stage.GOLD))

        lakehouse.jobs.end(JobId(gold.job_id), failed(StoreFullError, "The store has no room left."))
        now = drive(run, lakehouse, now=now)

        assert run.state == RunState.WAITING
        quality.refresh_from_db()
        assert quality.state == StageState.CANCELLED
        assert lakehouse.jobs.status(JobId(quality.job_id)).state == "cancelled"
        lakehouse.jobs.script |= scripts
        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)
        assert run.state == RunState.SUCCEEDED
        assert [run.stage_runs.filter(stage=stage).count() for stage in DATA_STAGES] == [1, 1, 2, 2, 1]

    def test_a_retry_leaves_alone_what_succeeded_beside_the_failure(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["silver_to_gold"], works = (
            lambda _spec: failed(StoreFullError, "The store has no room left."),
            lakehouse.jobs.script["silver_to_gold"],
        )
        now = drive(run, lakehouse)
        assert run.stage_runs.get(stage=Stage.QUALITY).state == StageState.SUCCEEDED

        lakehouse.jobs.script["silver_to_gold"] = works
        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)

        assert run.state == RunState.SUCCEEDED
        assert run.stage_runs.filter(stage=Stage.QUALITY).count() == 1


class TestPublish:
    def test_numbers_increase(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        for _ in range(3):
            drive(trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW), lakehouse)

        assert list(PublicationRecord.objects.values_list("number", flat=True)) == [3, 2, 1]

    def test_no_gold_waits_for_a_person(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.catalog.pins.clear()

        drive(run, lakehouse)

        assert run.state == RunState.WAITING
        assert not PublicationRecord.objects.exists()

    def test_readers_are_never_taken_back(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        drive(trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW), lakehouse)
        older = trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW)
        lakehouse.replicator.lsn -= 0x10000
        lakehouse.replicator.snapshot_at = "2026-11-22T08:00:00+00:00"

        drive(older, lakehouse)

        assert older.state == RunState.FAILED
        assert "older data" in older.error_message
        assert PublicationRecord.objects.count() == 1
        assert older.stage_runs.get(stage=Stage.PUBLISH).state == StageState.FAILED


class TestRetry:
    def test_an_old_run_is_not_taken_up_again(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [KeyError("oops")]
        first = trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW)
        drive(first, lakehouse)
        drive(trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW), lakehouse)

        with pytest.raises(RunOutdatedError):
            retry_run(run_id=first.pk, now=NOW)

    def test_a_persons_retry_gets_a_full_set_of_automatic_ones(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["reconcile"] = lambda _spec: LOST
        now = drive(run, lakehouse)

        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)

        assert run.stage_runs.filter(stage=Stage.QUALITY).count() == 6


class TestPolling:
    def test_a_runner_that_does_not_answer_is_not_a_failed_job(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        now = drive(run, lakehouse, calls=2)
        answers = lakehouse.jobs.status
        lakehouse.jobs.status = _raise(TransientError())

        now = drive(run, lakehouse, now=now, calls=5)

        assert run.state == RunState.RUNNING
        lakehouse.jobs.status = answers
        lakehouse.jobs.end(
            JobId(run.stage_runs.get(stage=Stage.SILVER).job_id), succeeded(silver_result(lakehouse.replicator.tables))
        )
        drive(run, lakehouse, now=now)
        assert run.state == RunState.SUCCEEDED
        assert run.stage_runs.filter(stage=Stage.SILVER).count() == 1

    def test_patience_ends(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        now = drive(run, lakehouse, calls=2)
        lakehouse.jobs.status = _raise(OperatorError("The account is closed."))

        drive(run, lakehouse, now=now)

        assert (run.state, run.error_message) == (RunState.WAITING, "The account is closed.")


def _raise(error: Exception) -> Callable[[JobId], JobStatus]:
    def status(_job: JobId) -> JobStatus:
        raise error

    return status
