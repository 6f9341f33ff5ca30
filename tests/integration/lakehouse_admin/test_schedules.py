"""What starts by itself: once for each time that was due, whoever looks and how often."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import CrontabSchedule, IntervalSchedule
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lakehouse_admin.actions.start_due import start_due
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord, Schedule
from lakehouse_admin.schedules import starters
from lakehouse_admin.states import Health, PipelineState, ScheduleKind, Trigger
from lakehouse_admin.status.overview import overview
from lakehouse_admin.tasks.tick import tick
from lakehouse_admin.transition import transition
from tests.fakes import FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW, empty_control_plane
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3600, 86_400))


def minutely(pipeline: Pipeline, **fields: object) -> Schedule:
    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="minutes")
    values: dict[str, object] = {"name": "Every minute", "begins_at": NOW, **fields}
    return Schedule.objects.create(pipeline=pipeline, interval=interval, **values)


def nightly(pipeline: Pipeline, **fields: object) -> Schedule:
    crontab, _ = CrontabSchedule.objects.get_or_create(minute="30", hour="2", timezone="Europe/Berlin")
    values: dict[str, object] = {"name": "Nightly", "begins_at": NOW, **fields}
    return Schedule.objects.create(pipeline=pipeline, crontab=crontab, **values)


def end_all(lakehouse: FakeLakehouse, now: datetime) -> None:
    for run in PipelineRun.objects.active():
        advance(run.pk, lakehouse=lakehouse.ports, now=now)


class TestDue:
    def test_without_a_schedule_nothing_starts(self):
        assert start_due(now=NOW + DAY) == 0

    def test_an_interval_counts_from_its_beginning(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        schedule = minutely(pipeline)

        assert start_due(now=NOW + 59 * SECOND) == 0
        assert start_due(now=NOW + MINUTE) == 1
        run = PipelineRun.objects.get()
        assert run.trigger == Trigger.SCHEDULE
        schedule.refresh_from_db()
        assert (schedule.last_due_at, schedule.last_run, schedule.outcome) == (
            NOW + MINUTE, run, f"{run} was asked for.",
        )  # fmt: skip
        end_all(lakehouse, NOW + MINUTE)
        assert start_due(now=NOW + 2 * MINUTE - SECOND) == 0
        assert start_due(now=NOW + 2 * MINUTE) == 1

    def test_a_clock_is_read_in_its_zone(self, pipeline: Pipeline):
        nightly(pipeline)

        assert start_due(now=datetime(2026, 11, 24, 1, 29, 59, tzinfo=UTC)) == 0
        assert start_due(now=datetime(2026, 11, 24, 1, 30, tzinfo=UTC)) == 1

    def test_an_active_run_delays_the_next_and_loses_it_not(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        schedule = minutely(pipeline)
        start_due(now=NOW + MINUTE)
        for late in range(3):
            assert start_due(now=NOW + (2 + late) * MINUTE) == 0
        schedule.refresh_from_db()
        assert schedule.last_due_at == NOW + MINUTE

        end_all(lakehouse, NOW + 4 * MINUTE)

        assert start_due(now=NOW + 4 * MINUTE + 3 * SECOND) == 1
        assert PipelineRun.objects.count() == 2, "what was missed meanwhile is one run, not three"

    def test_paused_disabled_and_too_early_ones_start_nothing(self, pipeline: Pipeline):
        schedule = minutely(pipeline, is_enabled=False)
        minutely(pipeline, name="Later", begins_at=NOW + HOUR)
        assert start_due(now=NOW + 30 * MINUTE) == 0
        Schedule.objects.filter(pk=schedule.pk).update(is_enabled=True)
        transition(pipeline, to=PipelineState.PAUSED)
        assert start_due(now=NOW + 30 * MINUTE) == 0

    def test_the_task_that_beat_sends_looks(
        self, pipeline: Pipeline, lakehouse: FakeLakehouse, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sys.modules["lakehouse_admin.tasks.tick"], "lakehouse", lambda: lakehouse.ports)
        minutely(pipeline)

        tick()

        assert PipelineRun.objects.get().trigger == Trigger.SCHEDULE


class TestExactlyOnce:
    """Beats may be doubled, killed, late, or wrong about the time."""

    def test_many_ticks_at_once_start_one_run(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        minutely(pipeline)
        for minute in range(1, 6):
            now = NOW + minute * MINUTE
            together = threading.Barrier(8)

            def beat(now: datetime = now, together: threading.Barrier = together) -> None:
                together.wait()
                try:
                    for _ in range(3):  # Each message comes more than once.
                        start_due(now=now)
                        end_all(lakehouse, now)  # So that no active run hides a second one.
                finally:
                    connection.close()

            beats = [threading.Thread(target=beat) for _ in range(8)]
            for each in beats:
                each.start()
            for each in beats:
                each.join()
            assert PipelineRun.objects.count() == minute

    @hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        ticks=st.lists(
            st.one_of(st.integers(min_value=0, max_value=90), st.integers(min_value=-3000, max_value=9000)), max_size=12
        )
    )
    def test_whatever_the_clock_does_no_time_is_started_twice(self, lakehouse: FakeLakehouse, ticks: list[int]):
        empty_control_plane()
        schedule = minutely(Pipeline.objects.default())
        now, started = NOW, []
        for seconds in ticks:
            now += seconds * SECOND
            if start_due(now=now):
                schedule.refresh_from_db()
                started.append(schedule.last_due_at)
            end_all(lakehouse, now)

        assert len(started) == len(set(started)) == PipelineRun.objects.count()
        assert started == sorted(started)
        assert all(due is not None and (due - NOW) % MINUTE == timedelta() for due in started)

    def test_a_tick_that_dies_before_its_commit_has_started_nothing(self, pipeline: Pipeline):
        minutely(pipeline)

        class KilledError(Exception):
            pass

        with pytest.raises(KilledError), transaction.atomic():  # noqa: PT012 - the transaction is what is tested
            assert start_due(now=NOW + MINUTE) == 1
            raise KilledError

        assert not PipelineRun.objects.exists()
        assert start_due(now=NOW + MINUTE) == 1

    def test_a_clock_that_was_set_back_an_hour_repeats_nothing(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        minutely(pipeline)
        start_due(now=NOW + HOUR)
        end_all(lakehouse, NOW + HOUR)

        assert [start_due(now=NOW + minute * MINUTE) for minute in (1, 30, 60)] == [0, 0, 0]
        assert start_due(now=NOW + 61 * MINUTE) == 1

    def test_a_clock_that_was_a_year_ahead_does_not_silence_a_schedule_for_a_year(
        self, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        schedule = minutely(pipeline)
        start_due(now=NOW + 365 * DAY)
        end_all(lakehouse, NOW + 365 * DAY)

        assert start_due(now=NOW + HOUR) == 0
        schedule.refresh_from_db()
        assert schedule.last_due_at == NOW + HOUR
        assert "clock was ahead" in schedule.outcome
        assert start_due(now=NOW + HOUR + MINUTE) == 1

    def test_the_database_refuses_a_schedule_of_both_kinds_or_none(self, pipeline: Pipeline):
        for fields in ({"crontab": None, "interval": None}, {"crontab": nightly(pipeline).crontab}):
            schedule = minutely(pipeline, name=str(fields))
            with pytest.raises(IntegrityError, match="lakehouse_schedules_times"), transaction.atomic():
                Schedule.objects.filter(pk=schedule.pk).update(**fields)


class TestKinds:
    def test_a_resync_of_two_tables(self, pipeline: Pipeline):
        minutely(pipeline, kind=ScheduleKind.RESYNC, tables=["public.orders", "public.events"])

        assert start_due(now=NOW + MINUTE) == 1
        runs = PipelineRun.objects.order_by("pk")
        assert [(run.trigger, run.tables) for run in runs] == [
            (Trigger.RESYNC, ["public.orders"]),
            (Trigger.RESYNC, ["public.events"]),
        ]
        assert start_due(now=NOW + 2 * MINUTE) == 1, "both are on their way: nothing more is needed"
        assert PipelineRun.objects.count() == 2

    def test_what_cannot_be_started_says_why_and_is_not_tried_for_ever(self, pipeline: Pipeline):
        schedule = minutely(pipeline, kind=ScheduleKind.RESYNC, tables=["public.nowhere"])

        assert start_due(now=NOW + MINUTE) == 0
        schedule.refresh_from_db()
        assert schedule.outcome == "Could not start: No table public.nowhere is selected."
        assert schedule.last_due_at == NOW + MINUTE

    def test_another_kind_plugs_in(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
        schedule = minutely(pipeline, kind=ScheduleKind.MAINTENANCE)
        asked: list[datetime] = []
        maintain: Callable[[Schedule, datetime], None] = lambda _schedule, now: asked.append(now)  # noqa: E731
        monkeypatch.setattr(starters, "STARTERS", {ScheduleKind.MAINTENANCE: maintain})
        monkeypatch.setattr("lakehouse_admin.actions.start_due.STARTERS", starters.STARTERS)

        assert start_due(now=NOW + MINUTE) == 1

        assert asked == [NOW + MINUTE]
        schedule.refresh_from_db()
        assert (schedule.outcome, schedule.last_run) == ("Asked for.", None)

    def test_a_kind_that_nothing_starts_says_so(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("lakehouse_admin.actions.start_due.STARTERS", {})
        schedule = minutely(pipeline)

        assert start_due(now=NOW + MINUTE) == 0
        schedule.refresh_from_db()
        assert schedule.outcome == "Nothing starts this kind."


class TestHealth:
    @pytest.mark.usefixtures("patient_readers")
    def test_is_late_once_two_scheduled_runs_are_missing(
        self, pipeline: Pipeline, lakehouse: FakeLakehouse, run: PipelineRun
    ):
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        as_of = PublicationRecord.objects.get().as_of
        assert overview(pipeline, now=as_of + 2 * MINUTE).health is Health.HEALTHY

        minutely(pipeline)

        assert overview(pipeline, now=as_of + 2 * MINUTE).health is Health.HEALTHY
        assert overview(pipeline, now=as_of + 2 * MINUTE + SECOND).health is Health.LATE


class TestTheVerb:
    def test_lists_them(self, pipeline: Pipeline):
        assert "Nothing starts by itself" in Answer("schedules").out
        minutely(pipeline, is_enabled=False)
        nightly(pipeline)

        printed = Answer("schedules").out
        assert "30 2 * * * Europe/Berlin" in printed
        assert "every 60 s" in printed
        assert "disabled" in printed


class TestTheMigration:
    def test_an_interval_of_a_pipeline_becomes_a_schedule_and_the_reverse(self, scratch_database: Callable[[], object]):
        database = scratch_database()
        before, after = [("lakehouse_admin", "0014_costs")], [("lakehouse_admin", "0015_schedules")]
        connections.databases["scratch"] = {
            **connections["owner"].settings_dict,
            "NAME": database.name,  # type: ignore[attr-defined]
        }
        scratch = connections["scratch"]
        try:
            executor = MigrationExecutor(scratch)
            old = executor.migrate(before).apps
            pipelines = old.get_model("lakehouse_admin", "Pipeline").objects.using("scratch")
            pipeline = pipelines.create(key="nightly", name="Nightly", run_every_seconds=5400)
            pipelines.create(key="by-hand", name="By hand")
            pipelines.create(key="maintenance", name="Upkeep", run_every_seconds=60)
            runs = old.get_model("lakehouse_admin", "PipelineRun").objects.using("scratch")
            runs.create(pipeline=pipeline, trigger="schedule", requested_at=NOW, state="succeeded", request_key="a")

            executor = MigrationExecutor(scratch)
            new = executor.migrate(after).apps
            schedule, upkeep = new.get_model("lakehouse_admin", "Schedule").objects.using("scratch").all()
            assert (upkeep.kind, upkeep.interval.every) == ("maintenance", 60)
            assert (schedule.name, schedule.interval.every, schedule.interval.period) == ("Nightly", 5400, "seconds")
            assert (schedule.kind, schedule.begins_at, schedule.is_enabled) == ("pipeline", NOW, True)

            executor = MigrationExecutor(scratch)
            back = executor.migrate(before).apps
            restored = back.get_model("lakehouse_admin", "Pipeline").objects.using("scratch")
            assert dict(restored.values_list("key", "run_every_seconds")) == {
                "nightly": 5400,
                "by-hand": None,
                "maintenance": 60,
            }
        finally:
            scratch.close()
            del connections.databases["scratch"]
