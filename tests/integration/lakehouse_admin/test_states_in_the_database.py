"""The database itself refuses what the code would never write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.find_run import RunMissingError
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord, RunEvent, StageRun
from lakehouse_admin.states import PipelineState, RunState, StageState, Trigger
from lakehouse_admin.status.publications import RecordedPublications
from lakehouse_admin.transition import StateChangedError, TransitionRefusedError, transition
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration


def test_a_move_that_is_not_drawn_is_refused(run: PipelineRun):
    with pytest.raises(TransitionRefusedError, match="queued and cannot become succeeded"):
        transition(run, to=RunState.SUCCEEDED)

    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def test_of_two_who_read_the_same_state_one_moves_it(run: PipelineRun):
    other = PipelineRun.objects.get(pk=run.pk)
    transition(run, to=RunState.RUNNING, started_at=NOW)

    with pytest.raises(StateChangedError):
        transition(other, to=RunState.CANCELLING)

    other.refresh_from_db()
    assert (other.state, other.started_at) == (RunState.RUNNING, NOW)


@pytest.mark.parametrize("model", [Pipeline, PipelineRun, StageRun])
def test_an_unknown_state_is_refused(run: PipelineRun, model: type[Pipeline | PipelineRun | StageRun]):
    with pytest.raises(IntegrityError), transaction.atomic():
        model._default_manager.update(state="gone")


def test_of_what_is_asked_for_there_is_one_active_run(run: PipelineRun, pipeline: Pipeline):
    with pytest.raises(IntegrityError), transaction.atomic():
        PipelineRun.objects.create(
            pipeline=pipeline, trigger=Trigger.COMMAND, requested_at=NOW, request_key=run.request_key
        )


def test_an_event_is_never_changed(run: PipelineRun):
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        RunEvent.objects.update(message="nothing happened")


def test_a_publication_number_is_given_once(run: PipelineRun, pipeline: Pipeline):
    published = {"published_at": NOW, "as_of": NOW, "source_lsn": 1, "pins": []}
    PublicationRecord.objects.create(number=1, run=run, **published)
    transition(run, to=RunState.CANCELLING)
    transition(run, to=RunState.CANCELLED)
    other = PipelineRun.objects.create(pipeline=pipeline, trigger=Trigger.COMMAND, requested_at=NOW)

    with pytest.raises(IntegrityError), transaction.atomic():
        PublicationRecord.objects.create(number=1, run=other, **published)


def test_a_pipeline_is_paused_and_goes_on(pipeline: Pipeline):
    transition(pipeline, to=PipelineState.PAUSED)
    with pytest.raises(TransitionRefusedError):
        transition(pipeline, to=PipelineState.PAUSED)
    transition(pipeline, to=PipelineState.ACTIVE)


class TestVerbs:
    def test_a_queued_run_can_be_cancelled(self, run: PipelineRun):
        assert cancel_run(run_id=run.pk, now=NOW).state == RunState.CANCELLING
        assert cancel_run(run_id=run.pk, now=NOW).state == RunState.CANCELLING
        assert run.events.filter(name="cancellation_requested").count() == 1

    def test_a_finished_run_cannot(self, run: PipelineRun):
        transition(run, to=RunState.CANCELLING)
        transition(run, to=RunState.CANCELLED)

        with pytest.raises(TransitionRefusedError):
            cancel_run(run_id=run.pk, now=NOW)
        with pytest.raises(TransitionRefusedError):
            retry_run(run_id=run.pk, now=NOW)

    @pytest.mark.usefixtures("control_plane")
    def test_a_run_that_does_not_exist_is_named(self):
        with pytest.raises(RunMissingError, match="4711"):
            cancel_run(run_id=4711, now=NOW)
        with pytest.raises(RunMissingError, match="4711"):
            retry_run(run_id=4711, now=NOW)

    def test_a_retry_of_a_running_run_is_refused(self, run: PipelineRun):
        transition(run, to=RunState.RUNNING)
        attempt = run.stage_runs.first()
        assert attempt is not None
        transition(attempt, to=StageState.RUNNING)

        with pytest.raises(TransitionRefusedError):
            retry_run(run_id=run.pk, now=NOW)

        assert run.stage_runs.count() == 5


class TestReadersOfPublications:
    @pytest.mark.usefixtures("control_plane")
    def test_nothing_before_the_first(self):
        assert RecordedPublications().current() is None
        assert RecordedPublications().at(1) is None

    def test_the_newest_is_current_and_older_ones_stay(self, pipeline: Pipeline, django_assert_num_queries: object):
        for number in (1, 2):
            run = PipelineRun.objects.create(
                pipeline=pipeline, trigger=Trigger.COMMAND, requested_at=NOW, state=RunState.SUCCEEDED
            )
            PublicationRecord.objects.create(
                number=number,
                run=run,
                published_at=NOW,
                as_of=NOW - timedelta(minutes=number),
                source_lsn=number,
                pins=[{"table": "gold.a", "metadata_location": "m", "snapshot_id": number, "rows": 1}],
            )

        with django_assert_num_queries(1):  # type: ignore[operator]
            current = RecordedPublications().current()

        assert current is not None
        assert (current.number, current.pin("gold.a").snapshot_id) == (2, 2)
        older = RecordedPublications().at(1)
        assert older is not None
        assert older.as_of == NOW - timedelta(minutes=1)
