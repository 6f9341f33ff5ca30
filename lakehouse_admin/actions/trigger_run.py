"""Trigger: ask for a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from etl.errors import OperatorError
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import Pipeline, PipelineRun, StageRun
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.record_event import record_event
from lakehouse_admin.run_settings import checked_settings
from lakehouse_admin.states import PRIORITIES, RunState, Trigger, stages_of


class RunActiveError(OperatorError):
    """The pipeline has a run that has not ended."""

    guidance: ClassVar[str] = "Wait for its end, or cancel it, then start a new one."


def trigger_run(
    *,
    pipeline: Pipeline,
    trigger: Trigger,
    now: datetime,
    requested_by: AbstractBaseUser | None = None,
    tables: Sequence[str] = (),
    settings: Mapping[str, int] | None = None,
) -> PipelineRun:
    """Create a queued run and ask a worker to move it.

    Of many triggers of the same thing at once one makes a run; a partial unique index
    refuses the others. Runs of different things queue: the highest priority goes first.

    Args:
        pipeline: Whose run it is.
        trigger: What asks; decides the priority.
        now: When (UTC).
        requested_by: Who asks; None if nobody in person.
        tables: Load these alone, as ``schema.name``; the pipeline's if empty.
        settings: What the run's jobs get instead of the installation's settings.

    Raises:
        RunActiveError: The same was asked for and has not ended; the message names the run.
        RunSettingsError: A setting is unknown or out of range.
    """
    request_key = ":".join([f"pipeline:{pipeline.key}", *sorted(tables)])
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = PipelineRun.objects.create(
                    pipeline=pipeline,
                    trigger=trigger,
                    requested_by_id=requested_by.pk if requested_by else None,
                    requested_at=now,
                    advance_due_at=now,
                    request_key=request_key,
                    priority=PRIORITIES[trigger],
                    tables=list(tables),
                    settings=checked_settings(settings or {}),
                )
        except IntegrityError as error:
            active = PipelineRun.objects.active().filter(request_key=request_key).first()
            if active is None:
                raise
            state = RunState(active.state).label.lower()
            raise RunActiveError(f"{active} of this pipeline is {state}; only one goes at a time.") from error
        StageRun.objects.bulk_create(StageRun(run=run, stage=stage) for stage in stages_of(trigger))
        who = f" by {requested_by}" if requested_by else ""
        message = f"Asked for{who}: {Trigger(trigger).label.lower()}."
        record_event(run, "run_requested", message, at=now, trigger=str(trigger))
        if requested_by or trigger == Trigger.COMMAND:
            after = {"trigger": str(trigger), "tables": run.tables, "settings": run.settings}
            record_audit("run_requested", kind="run", subject=run.pk, at=now, by=requested_by, after=after)
        enqueue_advance(run_id=run.pk, token=run.fencing_token)
    return run
