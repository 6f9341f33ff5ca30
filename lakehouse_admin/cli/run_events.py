"""Tell a run's events on the terminal, as they come."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import ClassVar

from django.utils import timezone

from etl.errors import OperatorError
from lakehouse_admin.cli.verb import Output
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import MOVING_RUN_STATES, RunState

_POLL_SECONDS = 0.2
_HINT_AFTER = timedelta(seconds=10)
_GIVE_UP_AFTER = timedelta(seconds=60)


class NobodyWorksError(OperatorError):
    """No worker has taken the run."""

    guidance: ClassVar[str] = "The run is kept: start the stack with `manage.py up`, and it begins by itself."


def follow_run(run: PipelineRun, output: Output) -> None:
    """Tell the run's events as they come, until nothing moves any more.

    Raises:
        NobodyWorksError: No worker took the run within a minute.
    """
    told = 0
    hinted = False
    while True:
        run.refresh_from_db()
        told = tell_events(run, output, after=told)
        if run.state not in MOVING_RUN_STATES:
            return
        unclaimed_for = timezone.now() - run.requested_at if run.state == RunState.QUEUED else timedelta()
        if unclaimed_for > _GIVE_UP_AFTER:
            raise NobodyWorksError(run=run.pk)
        if unclaimed_for > _HINT_AFTER and not hinted:
            output.tell("No worker has taken the run yet; is the stack up? `manage.py up` starts it.")
            hinted = True
        time.sleep(_POLL_SECONDS)


def tell_events(run: PipelineRun, output: Output, *, after: int) -> int:
    """Tell the run's events since the one numbered ``after``; return the last one's number."""
    for event in run.events.filter(pk__gt=after):
        output.tell(f"{event.at:%H:%M:%S}  {event.message}")
        after = event.pk
    return after
