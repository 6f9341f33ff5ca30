"""Cancel: stop a run before it publishes."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from lakehouse_admin.actions.find_run import locked_run
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.record_event import record_event
from lakehouse_admin.states import EventLevel, RunState
from lakehouse_admin.transition import transition


def cancel_run(*, run_id: int, now: datetime, requested_by: AbstractBaseUser | None = None) -> PipelineRun:
    """Ask for the end of a run; a worker then ends its job and the run. Asking again changes nothing.

    Raises:
        RunMissingError: There is no such run.
        TransitionRefusedError: The run has ended already.
    """
    with transaction.atomic():
        run = locked_run(run_id)
        if run.state == RunState.CANCELLING:
            return run
        before = {"state": run.state}
        transition(run, to=RunState.CANCELLING, advance_due_at=now)
        who = f" by {requested_by}" if requested_by else ""
        message = f"Cancellation asked for{who}."
        record_event(run, "cancellation_requested", message, at=now, level=EventLevel.WARNING)
        after = {"state": run.state}
        record_audit("run_cancelled", kind="run", subject=run.pk, at=now, by=requested_by, before=before, after=after)
        enqueue_advance(run_id=run.pk, token=run.fencing_token)
    return run
