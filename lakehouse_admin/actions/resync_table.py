"""Resync: load one table anew, alone."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from lakehouse_admin.actions.change_table import move_table
from lakehouse_admin.actions.find_table import locked_table
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import TablePhase, Trigger


def resync_table(name: str, *, now: datetime, by: AbstractBaseUser | None = None) -> PipelineRun:
    """Ask for a run that loads this table alone, proves it, and publishes.

    Raises:
        TableUnknownError: There is no such table.
        RunActiveError: A resync of it is on its way.
    """
    with transaction.atomic():
        state = locked_table(name, now=now)
        run = trigger_run(
            pipeline=Pipeline.objects.default(),
            trigger=Trigger.RESYNC,
            now=now,
            requested_by=by,
            tables=(state.table,),
        )
        if state.state != TablePhase.RESYNCING:
            move_table(
                state, to=TablePhase.RESYNCING, action="table_resynced", now=now, by=by, reason=f"{run} loads it anew."
            )
    return run
