"""Retry: take a failed or waiting run up again, from the stage that failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from etl.errors import OperatorError
from lakehouse_admin.actions.change_table import move_table
from lakehouse_admin.actions.find_run import locked_run
from lakehouse_admin.actions.find_table import locked_table
from lakehouse_admin.enqueue import enqueue_advance
from lakehouse_admin.models import PipelineRun, StageRun
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.record_event import record_event
from lakehouse_admin.retry import policy_for
from lakehouse_admin.run_settings import checked_settings
from lakehouse_admin.states import STAGE_NEEDS, RunState, Stage, StageState, TablePhase
from lakehouse_admin.transition import transition


class RunOutdatedError(OperatorError):
    """A newer run of the same exists."""

    guidance: ClassVar[str] = "Start a new run instead: it copies the source as it is now."


def retry_run(
    *,
    run_id: int,
    now: datetime,
    requested_by: AbstractBaseUser | None = None,
    settings: Mapping[str, int] | None = None,
) -> PipelineRun:
    """Queue a failed or waiting run again.

    It resumes at the stage that failed; after a failed reconciliation at the first one,
    because comparing the same rows again would find the same difference.

    Args:
        run_id: The run.
        now: When (UTC).
        requested_by: Who asks.
        settings: What its jobs get from now on instead of the installation's settings; None leaves them as they are.

    Raises:
        RunMissingError: There is no such run.
        RunSettingsError: A setting is unknown or out of range.
        RunOutdatedError: A newer run did the same, or does.
        TransitionRefusedError: The run neither failed nor waits.
    """
    with transaction.atomic():
        run = locked_run(run_id)
        if PipelineRun.objects.filter(request_key=run.request_key, pk__gt=run.pk).exists():
            raise RunOutdatedError
        resume_at = resume_stage(run)
        before = {"state": run.state, "settings": run.settings}
        chosen = run.settings if settings is None else checked_settings(settings)
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
                    settings=chosen,
                )
        except IntegrityError as error:
            raise RunOutdatedError from error
        _renew(run, resume_at)
        who = f" by {requested_by}" if requested_by else ""
        message = f"Retry asked for{who}, from {resume_at.label}."
        record_event(run, "retry_requested", message, at=now, stage=resume_at)
        after = {"state": run.state, "settings": run.settings, "stage": resume_at.value}
        record_audit("run_retried", kind="run", subject=run.pk, at=now, by=requested_by, before=before, after=after)
        _resync_again(run, now)
        enqueue_advance(run_id=run.pk, token=run.fencing_token)
    return run


def resume_stage(run: PipelineRun) -> Stage:
    """Return the stage at which a retry of the run would begin."""
    failed = run.stage_runs.filter(state=StageState.FAILED).order_by("-finished_at", "-attempt").first()
    if failed is None:
        return Stage.REPLICATE
    return policy_for(failed.error_class).resume_at or Stage(failed.stage)


def _resync_again(run: PipelineRun, now: datetime) -> None:
    """Show the tables of a failed resync as being resynced once more."""
    for name in run.tables:
        table = locked_table(name, now=now)
        if table.state == TablePhase.FAILED:
            move_table(table, to=TablePhase.RESYNCING, action="table_resynced", now=now, reason=f"{run} loads it anew.")


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
