"""Runs that start by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse_admin.actions.keep_going import start_due_runs
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import PipelineState, Trigger
from lakehouse_admin.transition import transition
from tests.fakes import FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration


@pytest.fixture
def scheduled(pipeline: Pipeline) -> Pipeline:
    pipeline.run_every_seconds = 60
    pipeline.save()
    return pipeline


def test_without_a_schedule_nothing_starts(pipeline: Pipeline):
    assert start_due_runs(now=NOW) == 0


def test_a_schedule_starts_a_run_when_its_time_has_come(scheduled: Pipeline, lakehouse: FakeLakehouse):
    assert start_due_runs(now=NOW) == 1
    run = PipelineRun.objects.get()
    assert run.trigger == Trigger.SCHEDULE
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

    assert start_due_runs(now=NOW + timedelta(seconds=59)) == 0
    assert start_due_runs(now=NOW + timedelta(seconds=60)) == 1


def test_an_active_run_delays_the_next(scheduled: Pipeline):
    start_due_runs(now=NOW)

    assert start_due_runs(now=NOW + timedelta(minutes=5)) == 0
    assert PipelineRun.objects.count() == 1


def test_a_paused_pipeline_starts_nothing(scheduled: Pipeline):
    transition(scheduled, to=PipelineState.PAUSED)

    assert start_due_runs(now=NOW) == 0
