"""Trigger: ask for a run."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from etl.errors import OperatorError
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import Pipeline, PipelineRun, StageRun
from lakehouse_admin.record_event import record_event
from lakehouse_admin.states import RunState, Stage, Trigger


class RunActiveError(OperatorError):
    """The pipeline has a run that has not ended."""

    guidance: ClassVar[str] = "Wait for its end, or cancel it, then start a new one."


def trigger_run(
    *, pipeline: Pipeline, trigger: Trigger, now: datetime, requested_by: AbstractBaseUser | None = None
) -> PipelineRun:
    """Create a queued run and ask a worker to move it.

    Of many triggers at once one makes a run; a partial unique index refuses the others.

    Raises:
        RunActiveError: The pipeline has an active run; the context names it.
    """
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = PipelineRun.objects.create(
                    pipeline=pipeline,
                    trigger=trigger,
                    requested_by_id=requested_by.pk if requested_by else None,
                    requested_at=now,
                    advance_due_at=now,
                )
        except IntegrityError as error:
            active = pipeline.runs.active().first()
            if active is None:
                raise
            state = RunState(active.state).label.lower()
            raise RunActiveError(f"{active} of this pipeline is {state}; only one goes at a time.") from error
        StageRun.objects.bulk_create(StageRun(run=run, stage=stage) for stage in Stage)
        who = f" by {requested_by}" if requested_by else ""
        message = f"Asked for{who}: {Trigger(trigger).label.lower()}."
        record_event(run, "run_requested", message, at=now, trigger=str(trigger))
        enqueue_advance(run_id=run.pk, token=run.fencing_token)
    return run
