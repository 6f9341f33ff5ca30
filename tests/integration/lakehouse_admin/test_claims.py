"""One effect, however often and from however many workers a run is moved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from etl.ports.catalog import CatalogUnavailableError
from lakehouse_admin.actions.keep_going import resume_overdue_runs
from lakehouse_admin.actions.publish import publish
from lakehouse_admin.actions.trigger_run import RunActiveError, trigger_run
from lakehouse_admin.claim import LEASE, ClaimLostError, claim_run, holding, release
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.states import DATA_STAGES, RunState, Stage, Trigger
from tests.fakes import RUNNING, FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration


def in_threads(count: int, act: Callable[[], object]) -> list[object]:
    """Call ``act`` from many threads at once; return what each returned or raised."""
    ready = threading.Barrier(count)

    def call(_number: int) -> object:
        ready.wait()
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


class TestClaims:
    def test_of_many_duplicates_of_a_message_one_moves_the_run(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING

        outcomes = in_threads(16, lambda: advance(run.pk, lakehouse=lakehouse.ports, now=NOW, token=0))

        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert len([outcome for outcome in outcomes if outcome is not None]) == 1
        assert len(lakehouse.replicator.requests) == 1
        assert len(lakehouse.jobs.submissions) == 1
        run.refresh_from_db()
        assert run.fencing_token == 1

    def test_many_workers_at_once_publish_once(self, run: PipelineRun, lakehouse: FakeLakehouse):
        for _ in range(3):
            in_threads(8, lambda: advance(run.pk, lakehouse=lakehouse.ports, now=NOW))

        assert PublicationRecord.objects.count() == 1
        assert len(lakehouse.jobs.submissions) == 3
        assert run.events.filter(name="gold_published").count() == 1

    def test_a_claim_holds_until_its_lease_ends(self, run: PipelineRun):
        first = claim_run(run.pk, now=NOW)

        assert first is not None
        assert claim_run(run.pk, now=NOW + LEASE / 2) is None
        second = claim_run(run.pk, now=NOW + LEASE)
        assert second is not None
        assert second.token == first.token + 1

    def test_a_claim_of_before_the_clock_was_set_back_holds_nothing_up(self, run: PipelineRun):
        dead = claim_run(run.pk, now=NOW + timedelta(hours=1))
        assert dead is not None

        heir = claim_run(run.pk, now=NOW)
        assert heir is not None
        with pytest.raises(ClaimLostError), holding(dead):
            pass

    def test_a_released_run_can_be_claimed_at_once(self, run: PipelineRun):
        claim = claim_run(run.pk, now=NOW)
        assert claim is not None

        assert release(claim, due_at=NOW)
        assert claim_run(run.pk, now=NOW) is not None

    def test_a_late_holder_writes_nothing(self, run: PipelineRun):
        late = claim_run(run.pk, now=NOW)
        assert late is not None
        claim_run(run.pk, now=NOW + LEASE)

        with pytest.raises(ClaimLostError), holding(late):
            pytest.fail("a lost claim opened a transaction")
        assert not release(late, due_at=NOW)


class TestALateWorker:
    """A worker is paused between asking the catalog and publishing; another takes over meanwhile."""

    def test_cannot_publish(self, run: PipelineRun, lakehouse: FakeLakehouse):
        pin = lakehouse.catalog.pin

        def slow_pin(tables: list[str]) -> object:
            lakehouse.catalog.pin = pin  # type: ignore[method-assign]
            overtaker = advance(run.pk, lakehouse=lakehouse.ports, now=NOW + LEASE)
            assert overtaker is None  # It ended the run.
            return pin(tables)

        lakehouse.catalog.pin = slow_pin  # type: ignore[method-assign, assignment]

        assert advance(run.pk, lakehouse=lakehouse.ports, now=NOW) is None

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert PublicationRecord.objects.count() == 1
        assert run.events.filter(name="gold_published").count() == 1

    def test_cannot_record_its_error_either(self, run: PipelineRun, lakehouse: FakeLakehouse):
        pin = lakehouse.catalog.pin

        def failing_pin(_tables: list[str]) -> object:
            lakehouse.catalog.pin = pin  # type: ignore[method-assign]
            advance(run.pk, lakehouse=lakehouse.ports, now=NOW + LEASE)
            raise KeyError("too late")

        lakehouse.catalog.pin = failing_pin  # type: ignore[method-assign, assignment]

        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert not run.stage_runs.filter(error_message__contains="too late").exists()

    def test_publishing_needs_the_token_and_the_state(self, run: PipelineRun, lakehouse: FakeLakehouse):
        late = claim_run(run.pk, now=NOW)
        assert late is not None
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW + LEASE)

        with pytest.raises(ClaimLostError), holding(late) as held:
            publish(run=held, pins=[], now=NOW)
        assert PublicationRecord.objects.count() == 1


class TestLostMessages:
    def test_a_run_whose_message_was_lost_is_sent_again(self, run: PipelineRun, control_plane: list[dict[str, object]]):
        control_plane.clear()

        assert resume_overdue_runs(now=NOW + timedelta(seconds=1)) == 0
        assert resume_overdue_runs(now=NOW + timedelta(seconds=10)) == 1
        assert control_plane == [{"run_id": run.pk, "token": 0, "delay_seconds": 0}]

    def test_a_run_whose_worker_was_killed_goes_on(
        self, run: PipelineRun, lakehouse: FakeLakehouse, control_plane: list[dict[str, object]]
    ):
        claim_run(run.pk, now=NOW)  # And then the worker is killed.
        control_plane.clear()
        later = NOW + LEASE + timedelta(seconds=3)

        assert resume_overdue_runs(now=NOW + timedelta(seconds=10)) == 0
        assert resume_overdue_runs(now=later) == 1
        (message,) = control_plane
        advance(run.pk, lakehouse=lakehouse.ports, now=later, token=int(str(message["token"])))

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED

    @pytest.mark.parametrize("stage", list(DATA_STAGES))
    def test_a_worker_killed_after_submitting_submits_nothing_twice(
        self, run: PipelineRun, lakehouse: FakeLakehouse, monkeypatch: pytest.MonkeyPatch, stage: Stage
    ):
        """The job id is recorded after the job was submitted; dying between the two is harmless."""
        from lakehouse_admin import flow

        start = flow.STAGES[stage].start

        def start_and_die(*arguments: object) -> str:
            monkeypatch.undo()
            start(*arguments)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        monkeypatch.setattr(flow.STAGES[stage], "start", start_and_die)
        with pytest.raises(KeyboardInterrupt):
            advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        advance(run.pk, lakehouse=lakehouse.ports, now=NOW + LEASE)

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert len(lakehouse.replicator.requests) == 1
        assert len(lakehouse.jobs.submissions) == 3
        assert run.stage_runs.count() == 5

    def test_finished_and_waiting_runs_are_left_alone(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.catalog.pins.clear()
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        run.refresh_from_db()
        assert run.state == RunState.WAITING

        assert resume_overdue_runs(now=NOW + timedelta(days=1)) == 0
        assert advance(run.pk, lakehouse=lakehouse.ports, now=NOW + timedelta(days=1)) is None


class TestTriggers:
    def test_of_many_triggers_at_once_one_makes_a_run(self, pipeline: Pipeline):
        outcomes = in_threads(20, lambda: trigger_run(pipeline=pipeline, trigger=Trigger.CONSOLE, now=NOW))

        assert len([outcome for outcome in outcomes if isinstance(outcome, PipelineRun)]) == 1
        refused = [outcome for outcome in outcomes if isinstance(outcome, RunActiveError)]
        assert len(refused) == 19
        assert PipelineRun.objects.count() == 1
        assert PipelineRun.objects.get().stage_runs.count() == len(DATA_STAGES)

    def test_a_waiting_run_keeps_its_pipeline_busy(
        self, run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        lakehouse.catalog.pins.clear()
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        with pytest.raises(RunActiveError, match="needs you"):
            trigger_run(pipeline=pipeline, trigger=Trigger.CONSOLE, now=NOW)


def test_the_catalog_being_away_delays_the_publication(run: PipelineRun, lakehouse: FakeLakehouse):
    def away(_namespace: str) -> list[str]:
        raise CatalogUnavailableError

    tables = lakehouse.catalog.tables
    lakehouse.catalog.tables = away  # type: ignore[method-assign, assignment]
    following = advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    assert following is not None

    lakehouse.catalog.tables = tables  # type: ignore[method-assign]
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW + timedelta(seconds=following.delay_seconds))

    assert PublicationRecord.objects.count() == 1
