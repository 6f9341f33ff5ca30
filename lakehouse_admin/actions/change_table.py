"""Pause, resume, skip, remove, or fail one table; the others go on."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from lakehouse_admin.actions.find_table import locked_table
from lakehouse_admin.models import TableState
from lakehouse_admin.record_audit import COMMAND_LINE, record_audit
from lakehouse_admin.states import TablePhase
from lakehouse_admin.transition import transition


def pause_table(name: str, *, now: datetime, by: AbstractBaseUser | None = None) -> TableState:
    """Stop applying a table's changes; bronze goes on receiving them.

    Raises:
        TableUnknownError: There is no such table.
        TransitionRefusedError: It is left out, removed or being resynced.
    """
    return _change(name, to=TablePhase.PAUSED, action="table_paused", now=now, by=by)


def resume_table(name: str, *, now: datetime, by: AbstractBaseUser | None = None) -> TableState:
    """Apply a paused or failed table's changes again, from where it stands.

    Raises:
        TableUnknownError: There is no such table.
        TransitionRefusedError: It is neither paused nor failed; one left out needs a resync.
    """
    return _change(name, to=TablePhase.FOLLOWING, action="table_resumed", now=now, by=by)


def skip_table(name: str, *, now: datetime, by: AbstractBaseUser | None = None) -> TableState:
    """Leave a table out of loads, changes and comparisons, until it is resynced.

    Raises:
        TableUnknownError: There is no such table.
        TransitionRefusedError: It has been removed.
    """
    return _change(name, to=TablePhase.SKIPPED, action="table_skipped", now=now, by=by)


def remove_table(name: str, *, now: datetime, by: AbstractBaseUser | None = None) -> TableState:
    """Take a table out for good: nothing is read of it any more. What silver holds of it stays.

    Raises:
        TableUnknownError: There is no such table.
        TransitionRefusedError: It is being resynced.
    """
    return _change(name, to=TablePhase.REMOVED, action="table_removed", now=now, by=by)


def fail_table(name: str, *, reason: str, guidance: str, now: datetime) -> TableState:
    """Record that a table alone cannot go on; nothing happens if it is not followed anyway.

    Raises:
        TableUnknownError: There is no such table.
    """
    with transaction.atomic():
        state = locked_table(name, now=now)
        if state.state in {TablePhase.FOLLOWING, TablePhase.LOADING, TablePhase.RESYNCING}:
            move_table(
                state,
                to=TablePhase.FAILED,
                action="table_failed",
                now=now,
                reason=reason,
                guidance=guidance,
                actor="lakeside",
            )
    return state


def move_table(
    state: TableState,
    *,
    to: TablePhase,
    action: str,
    now: datetime,
    by: AbstractBaseUser | None = None,
    reason: str = "",
    guidance: str = "",
    actor: str = COMMAND_LINE,
) -> None:
    """Move a locked table to another state and record who did it, and why.

    Raises:
        TransitionRefusedError: The move is not allowed.
    """
    before = {"state": state.state, "reason": state.reason}
    transition(state, to=to, state_since=now, reason=reason, guidance=guidance)
    after = {"state": state.state, "reason": state.reason}
    record_audit(action, kind="table", subject=state.table, at=now, by=by, before=before, after=after, actor=actor)


def _change(name: str, *, to: TablePhase, action: str, now: datetime, by: AbstractBaseUser | None) -> TableState:
    with transaction.atomic():
        state = locked_table(name, now=now)
        if state.state != to:  # Asking again changes nothing.
            who = f" by {by}" if by else ""
            reason = "" if to is TablePhase.FOLLOWING else f"{to.label}{who}."
            move_table(state, to=to, action=action, now=now, by=by, reason=reason)
    return state
