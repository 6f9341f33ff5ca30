"""End orphans: jobs that run although no run waits for them, e.g. after the database was restored."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from etl.ports.job_runner import JobId, JobRunner
from lakehouse_admin.models import StageRun
from lakehouse_admin.states import StageState

_GRACE = timedelta(minutes=2)
"""A job's id is recorded just after it was submitted; if the worker died between, within a lease."""

_log = structlog.get_logger("lakeside.runs")


def end_orphans(*, jobs: JobRunner, now: datetime) -> tuple[JobId, ...]:
    """End every running job that no running attempt names; return them."""
    running = jobs.running()
    if not running:
        return ()
    wanted = set(StageRun.objects.filter(state=StageState.RUNNING, job_id__in=running).values_list("job_id", flat=True))
    orphans = tuple(job for job in running if job not in wanted and _is_old(jobs, job, now))
    for job in orphans:
        _log.warning("orphan_ended", job=job)
        jobs.cancel(job)
    return orphans


def _is_old(jobs: JobRunner, job: JobId, now: datetime) -> bool:
    started_at = jobs.status(job).started_at
    return started_at is not None and now - started_at > _GRACE
