"""Writes who did what to what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog
from django.contrib.auth.base_user import AbstractBaseUser

from lakehouse_admin.models import AuditEntry

COMMAND_LINE = "command line"

_log = structlog.get_logger("lakeside.audit")


def record_audit(
    action: str,
    *,
    kind: str,
    subject: object,
    at: datetime,
    by: AbstractBaseUser | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    actor: str = COMMAND_LINE,
) -> None:
    """Append an entry, in the transaction of the act itself: both are kept, or neither.

    Args:
        action: Past tense, e.g. ``run_cancelled``.
        kind: What kind of thing it was done to, e.g. ``run``.
        subject: Which one.
        at: When (UTC).
        by: Who; None if no user is known.
        before: JSON-ready fields as they were; never secrets.
        after: The same fields as they are now.
        actor: Who acted, if no user did.
    """
    AuditEntry.objects.create(
        at=at,
        actor_id=by.pk if by else None,
        actor=str(by) if by else actor,
        action=action,
        subject_kind=kind,
        subject=str(subject),
        before=dict(before or {}),
        after=dict(after or {}),
    )
    _log.info(action, kind=kind, subject=str(subject), actor_id=by.pk if by else None)
