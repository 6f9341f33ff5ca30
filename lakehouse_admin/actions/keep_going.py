"""Keep going: what the tick does every few seconds. Losing the broker loses nothing because of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import PipelineRun

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
