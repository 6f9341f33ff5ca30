"""What each kind of schedule starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from lakehouse_admin.actions.request_maintenance import request_maintenance
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.actions.trigger_run import RunActiveError, trigger_run
from lakehouse_admin.models import PipelineRun, Schedule
from lakehouse_admin.states import ScheduleKind, Trigger

Starter = Callable[[Schedule, datetime], PipelineRun | None]
"""Asks for what is due, at a time (UTC); returns the run that does it, if it is one.

Raises `RunActiveError` if it is on its way already: it is then asked for again until it is taken.
"""


def _start_pipeline(schedule: Schedule, now: datetime) -> PipelineRun:
    return trigger_run(pipeline=schedule.pipeline, trigger=Trigger.SCHEDULE, now=now)


def _resync_tables(schedule: Schedule, now: datetime) -> PipelineRun | None:
    """Ask for a run a table; a table whose resync is on its way already needs none."""
    asked: PipelineRun | None = None
    for table in schedule.tables:
        try:
            asked = resync_table(table, now=now)
        except RunActiveError:
            continue
    return asked


STARTERS: Mapping[ScheduleKind, Starter] = {
    ScheduleKind.PIPELINE: _start_pipeline,
    ScheduleKind.MAINTENANCE: lambda _schedule, now: request_maintenance(now),
    ScheduleKind.RESYNC: _resync_tables,
}
"""A kind that is not here cannot be chosen."""
