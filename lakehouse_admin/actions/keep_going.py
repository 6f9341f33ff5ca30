"""Keep going: what the tick does every few seconds. Losing the broker loses nothing because of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db.models import Max

from lakehouse_admin.actions.trigger_run import RunActiveError, trigger_run
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.models.pipeline import MAINTENANCE_KEY
from lakehouse_admin.states import PipelineState, Trigger

_GRACE = timedelta(seconds=3)
"""A message that is this late is lost, or its worker is; sending it twice is harmless."""

_log = structlog.get_logger("lakeside.runs")


def resume_overdue_runs(*, now: datetime) -> int:
    """Send the next step of every moving run that nobody has moved in time; return how many."""
    overdue = PipelineRun.objects.overdue(now=now, grace=_GRACE).values_list("pk", "fencing_token")
    for run_id, token in overdue:
        _log.warning("run_resumed", run_id=run_id)
        enqueue_advance(run_id=run_id, token=token)
    return len(overdue)


def start_due_runs(*, now: datetime) -> int:
    """Start a run of every active pipeline whose time has come; return how many."""
    last = Max("runs__requested_at")
    scheduled = Pipeline.objects.filter(state=PipelineState.ACTIVE, run_every_seconds__isnull=False)
    started = 0
    for pipeline in scheduled.annotate(last_requested_at=last):
        last_at: datetime | None = pipeline.last_requested_at
        assert pipeline.run_every_seconds is not None
        if last_at is not None and now - last_at < timedelta(seconds=pipeline.run_every_seconds):
            continue
        try:
            trigger = Trigger.MAINTENANCE if pipeline.key == MAINTENANCE_KEY else Trigger.SCHEDULE
            trigger_run(pipeline=pipeline, trigger=trigger, now=now)
        except RunActiveError:
            continue  # Late, not lost: it starts once the active run has ended.
        started += 1
    return started
