"""Start due: what schedules ask for, once for each time that was due.

Called by every tick. A time is dealt with in the transaction that asks for its run, under
the schedule's row lock, and never again: of any number of ticks, beats and repeated
messages one starts it. Times that passed while nobody looked are one start, not many.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from etl.errors import LakehouseError
from lakehouse_admin.actions.trigger_run import RunActiveError
from lakehouse_admin.models import Schedule
from lakehouse_admin.schedules.starters import STARTERS
from lakehouse_admin.states import PipelineState, ScheduleKind

_CLOCK_ERROR = timedelta(days=1)
"""A time dealt with that lies further ahead than this was read from a clock that has been set back since."""

_log = structlog.get_logger("lakeside.schedules")


def start_due(*, now: datetime) -> int:
    """Ask for what is due; return how many schedules asked for something."""
    enabled = Schedule.objects.filter(is_enabled=True, pipeline__state=PipelineState.ACTIVE)
    candidates = [each for each in enabled.select_related("crontab", "interval") if _is_due(each, now)]
    return sum(_start(each.pk, now) for each in candidates)


def _is_due(schedule: Schedule, now: datetime) -> bool:
    until = schedule.dealt_with_until
    return until > now + _CLOCK_ERROR or schedule.times.latest(after=until, until=now) is not None


def _start(schedule_id: int, now: datetime) -> bool:
    """Deal with one schedule; False if another tick does, or there is nothing to start after all."""
    with transaction.atomic():
        schedule = (
            Schedule.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("crontab", "interval", "pipeline")
            .filter(pk=schedule_id, is_enabled=True)
            .first()
        )
        if schedule is None:
            return False
        if schedule.dealt_with_until > now + _CLOCK_ERROR:
            return _go_on_from(schedule, now)
        due_at = schedule.times.latest(after=schedule.dealt_with_until, until=now)
        if due_at is None:
            return False
        try:
            with transaction.atomic():
                run = STARTERS[ScheduleKind(schedule.kind)](schedule, now)
        except RunActiveError:
            return False  # Late, not lost: it is asked for again until the active run has ended.
        except (LakehouseError, KeyError) as error:
            outcome = f"Could not start: {error}" if isinstance(error, LakehouseError) else "Nothing starts this kind."
            _log.error("schedule_failed", schedule=schedule.name, due_at=due_at.isoformat(), error=outcome)
            _deal_with(schedule, due_at, outcome=outcome)
            return False
        _log.info("schedule_started", schedule=schedule.name, due_at=due_at.isoformat(), run_id=run and run.pk)
        _deal_with(schedule, due_at, outcome=f"{run} was asked for." if run else "Asked for.", last_run=run)
    return True


def _go_on_from(schedule: Schedule, now: datetime) -> bool:
    """Forget times that have not come yet: the clock that told them was wrong."""
    _log.warning("schedule_clock_was_ahead", schedule=schedule.name, until=schedule.dealt_with_until.isoformat())
    _deal_with(schedule, now, begins_at=min(schedule.begins_at, now), outcome="The clock was ahead; goes on from now.")
    return False


def _deal_with(schedule: Schedule, due_at: datetime, **changes: object) -> None:
    Schedule.objects.filter(pk=schedule.pk).update(last_due_at=due_at, **changes)
