"""Several runs wait for one lake: who goes first, what cannot go together, what a retry may change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from etl.ports.job_runner import JobState, JobStatus
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.flow import advance
from lakehouse_admin.models import AuditEntry, Pipeline, PipelineRun
from lakehouse_admin.run_settings import RunSettingsError
from lakehouse_admin.states import RunState, StageState, Trigger
from tests.fakes import RUNNING, FakeLakehouse, failed
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]


class TestTheQueue:
    def test_a_resync_goes_before_a_scheduled_run(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        scheduled = trigger_run(pipeline=pipeline, trigger=Trigger.SCHEDULE, now=NOW)
        resync = resync_table("orders", now=NOW)

        assert advance(scheduled.pk, lakehouse=lakehouse.ports, now=NOW) is not None
        scheduled.refresh_from_db()
        assert scheduled.state == RunState.QUEUED
        advance(resync.pk, lakehouse=lakehouse.ports, now=NOW)
        advance(scheduled.pk, lakehouse=lakehouse.ports, now=NOW)

        scheduled.refresh_from_db()
        resync.refresh_from_db()
        assert (resync.state, scheduled.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)

    def test_of_equal_ones_the_first_goes_first(self, lakehouse: FakeLakehouse):
        first, second = (resync_table(name, now=NOW) for name in ("orders", "tenants"))

        advance(second.pk, lakehouse=lakehouse.ports, now=NOW)
        second.refresh_from_db()
        assert second.state == RunState.QUEUED
        advance(first.pk, lakehouse=lakehouse.ports, now=NOW)
        first.refresh_from_db()
        assert first.state == RunState.SUCCEEDED

    def test_two_never_run_together(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        urgent = resync_table("orders", now=NOW)

        advance(urgent.pk, lakehouse=lakehouse.ports, now=NOW)

        urgent.refresh_from_db()
        assert urgent.state == RunState.QUEUED
        with pytest.raises(IntegrityError, match="one_running"), transaction.atomic():
            PipelineRun.objects.filter(pk=urgent.pk).update(state=RunState.RUNNING)

    def test_a_run_that_waits_for_a_person_lets_others_go(self, run: PipelineRun, lakehouse: FakeLakehouse):
        pins = dict(lakehouse.catalog.pins)
        lakehouse.catalog.pins.clear()
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        run.refresh_from_db()
        assert run.state == RunState.WAITING
        lakehouse.catalog.pins.update(pins)
        resync = resync_table("orders", now=NOW)

        advance(resync.pk, lakehouse=lakehouse.ports, now=NOW)

        resync.refresh_from_db()
        assert resync.state == RunState.SUCCEEDED


class TestAHungJob:
    def test_is_ended_and_tried_again(self, run: PipelineRun, lakehouse: FakeLakehouse):
        beat = [NOW]
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: JobStatus(
            state=JobState.RUNNING, heartbeat_at=beat[0]
        )
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        later = NOW + timedelta(seconds=44)
        advance(run.pk, lakehouse=lakehouse.ports, now=later)
        assert run.stage_runs.get(stage="silver").state == StageState.RUNNING

        late = NOW + timedelta(seconds=46)
        advance(run.pk, lakehouse=lakehouse.ports, now=late)

        hung = run.stage_runs.get(stage="silver", attempt=1)
        assert hung.state == StageState.FAILED
        assert hung.error_message == "The job showed no life for 46 s and was ended."
        assert lakehouse.jobs.running() == []
        assert run.stage_runs.get(stage="silver", attempt=2).state == StageState.PENDING


class TestCancelling:
    def test_says_what_was_kept(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        cancel_run(run_id=run.pk, now=NOW)
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        run.refresh_from_db()
        said = run.events.get(name="run_cancelled").message
        assert said == (
            f"Stopped. Bronze keeps load {run.load_id}. Silver keeps the tables that were committed, whole, "
            "and the others as they were. Nothing has been published yet."
        )


class TestARetryWithOtherSettings:
    @pytest.fixture
    def failed_run(self, run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
        good = lakehouse.jobs.script["silver_to_gold"]
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: failed(MemoryError, "no memory")
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        lakehouse.jobs.script["silver_to_gold"] = good
        run.refresh_from_db()
        assert run.state == RunState.FAILED
        return run

    def test_gives_them_to_the_jobs_from_the_failed_stage_on(self, failed_run: PipelineRun, lakehouse: FakeLakehouse):
        before = len(lakehouse.jobs.submissions)
        retry_run(run_id=failed_run.pk, now=NOW, settings={"memory_limit_bytes": 2**30, "threads": 1})
        advance(failed_run.pk, lakehouse=lakehouse.ports, now=NOW)

        failed_run.refresh_from_db()
        assert failed_run.state == RunState.SUCCEEDED
        again = lakehouse.jobs.submissions[before:]
        assert "silver_to_gold" in [spec.name for spec in again]
        assert "bronze_to_silver" not in [spec.name for spec in again]
        assert all(spec.arguments["memory_limit_bytes"] == 2**30 for spec in again)
        entry = AuditEntry.objects.get(action="run_retried")
        assert (entry.before["settings"], entry.after["settings"]["threads"]) == ({}, 1)

    @pytest.mark.parametrize(
        "settings", [{"threads": 0}, {"threads": True}, {"memory_limit_bytes": 1}, {"lake_uri": 3}, {"threads": "4"}]
    )
    def test_refuses_what_no_job_would_take(self, failed_run: PipelineRun, settings: dict[str, int]):
        with pytest.raises(RunSettingsError):
            retry_run(run_id=failed_run.pk, now=NOW, settings=settings)

        failed_run.refresh_from_db()
        assert (failed_run.state, failed_run.settings) == (RunState.FAILED, {})
