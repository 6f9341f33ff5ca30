"""Retry: take a failed or waiting run up again, from the stage that failed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from etl.errors import OperatorError
from lakehouse_admin.actions.find_run import locked_run
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import PipelineRun, StageRun
from lakehouse_admin.record_event import record_event
from lakehouse_admin.retry import policy_for
from lakehouse_admin.states import STAGE_NEEDS, RunState, Stage, StageState
from lakehouse_admin.transition import transition


class RunOutdatedError(OperatorError):
    """A newer run of this pipeline exists."""

    guidance: ClassVar[str] = "Start a new run instead: it copies the source as it is now."


def retry_run(*, run_id: int, now: datetime, requested_by: AbstractBaseUser | None = None) -> PipelineRun:
    """Queue a failed or waiting run again.

    It resumes at the stage that failed; after a failed reconciliation at the first one,
    because comparing the same rows again would find the same difference.

    Raises:
        RunMissingError: There is no such run.
        RunOutdatedError: The run is not its pipeline's newest.
        TransitionRefusedError: The run neither failed nor waits.
    """
    with transaction.atomic():
        run = locked_run(run_id)
        if run.pipeline.runs.filter(pk__gt=run.pk).exists():
            raise RunOutdatedError
        resume_at = _resume_at(run)
        try:
            with transaction.atomic():
                transition(
                    run,
                    to=RunState.QUEUED,
                    finished_at=None,
                    advance_due_at=now,
                    error_class="",
                    error_message="",
                    guidance="",
                )
        except IntegrityError as error:
            raise RunOutdatedError from error
        _renew(run, resume_at)
        who = f" by {requested_by}" if requested_by else ""
        message = f"Retry asked for{who}, from {resume_at.label}."
        record_event(run, "retry_requested", message, at=now, stage=resume_at)
        enqueue_advance(run_id=run.pk, token=run.fencing_token)
    return run


def _resume_at(run: PipelineRun) -> Stage:
    failed = run.stage_runs.filter(state=StageState.FAILED).order_by("-finished_at", "-attempt").first()
    if failed is None:
        return Stage.REPLICATE
    return policy_for(failed.error_class).resume_at or Stage(failed.stage)


def _renew(run: PipelineRun, resume_at: Stage) -> None:
    """Give a fresh attempt to ``resume_at``, to what needs it, and to what was ended because it failed."""
    again = {resume_at}
    for stage in Stage:  # Their order puts a stage behind those it needs.
        if STAGE_NEEDS[stage] & again:
            again.add(stage)
        latest = run.stage_runs.filter(stage=stage).order_by("-attempt").first()
        is_renewed = stage in again and (latest is None or latest.state != StageState.PENDING)
        if is_renewed or (latest is not None and latest.state == StageState.CANCELLED):
            StageRun.objects.create(run=run, stage=stage, attempt=latest.attempt + 1 if latest else 1)
