"""Jobs that no run wants are ended, and only those."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from etl.ports.job_runner import JobId, JobSpec, JobState
from lakehouse_admin.actions.end_orphans import end_orphans
from lakehouse_admin.flow import advance
from lakehouse_admin.models import PipelineRun
from tests.fakes import RUNNING, FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = pytest.mark.integration

_LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def orphan(run: PipelineRun, lakehouse: FakeLakehouse) -> JobId:
    """A job beside the one that the run waits for."""
    lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: replace(RUNNING, started_at=NOW)
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    return lakehouse.jobs.submit(JobSpec(name="bronze_to_silver", key="run-0-silver-1", arguments={}))


def test_an_orphan_is_ended_and_a_wanted_job_is_not(run: PipelineRun, lakehouse: FakeLakehouse, orphan: JobId):
    assert end_orphans(jobs=lakehouse.jobs, now=_LATER) == (orphan,)

    assert lakehouse.jobs.status(orphan).state is JobState.CANCELLED
    assert lakehouse.jobs.running() == [JobId(f"run-{run.pk}-silver-1")]


def test_a_job_just_submitted_is_left_alone(lakehouse: FakeLakehouse, orphan: JobId):
    assert end_orphans(jobs=lakehouse.jobs, now=NOW) == ()

    assert lakehouse.jobs.status(orphan).state is JobState.RUNNING
