"""Writes what happened: a row that stays with the run, and a line of the log."""

from __future__ import annotations

from datetime import datetime

import structlog

from lakehouse_admin.models import PipelineRun, RunEvent
from lakehouse_admin.states import EventLevel, Stage

_log = structlog.get_logger("lakeside.runs")


def record_event(
    run: PipelineRun,
    name: str,
    message: str,
    *,
    at: datetime,
    stage: Stage | None = None,
    level: EventLevel = EventLevel.INFO,
    **fields: object,
) -> None:
    """Append an event to the run.

    Args:
        run: Whose event it is.
        name: Past tense, e.g. ``stage_started``.
        message: One sentence for a person.
        at: When (UTC).
        stage: Where, if it concerns one stage.
        level: How loud.
        fields: JSON-ready facts; never row values, never secrets.
    """
    RunEvent.objects.create(run=run, stage=stage or "", at=at, level=level, name=name, message=message, fields=fields)
    write = {EventLevel.INFO: _log.info, EventLevel.WARNING: _log.warning, EventLevel.ERROR: _log.error}[level]
    where = {"stage": stage.value} if stage else {}
    write(name, run_id=run.pk, **where, **fields)
