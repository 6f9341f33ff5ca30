"""Keep a publication: retention leaves it alone, until a time or until it is released."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from etl.errors import OperatorError
from lakehouse_admin.models import PublicationRecord
from lakehouse_admin.record_audit import record_audit


class PublicationMissingError(OperatorError):
    """There is no such publication, or retention has removed it."""

    guidance: ClassVar[str] = "The console lists the publications that are there; docs/settings.md says which stay."


def keep_publication(
    number: int,
    *,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> PublicationRecord:
    """Keep a publication, and so every file it reads, or release it.

    Args:
        number: Which.
        reason: Why: a reader's promise, a closing, an audit. Empty releases it to retention.
        now: When (UTC).
        until: Until when; None means until it is released.
        by: Who asks; None if nobody in person.

    Raises:
        PublicationMissingError: It is not there.
    """
    with transaction.atomic():
        record = PublicationRecord.objects.select_for_update().filter(number=number).first()
        if record is None:
            raise PublicationMissingError(publication=number)
        before = {"reason": record.kept_reason, "until": _text(record.kept_until)}
        record.kept_reason, record.kept_until = reason, until if reason else None
        record.save(update_fields=["kept_reason", "kept_until"])
        after = {"reason": record.kept_reason, "until": _text(record.kept_until)}
        action = "publication_kept" if reason else "publication_released"
        record_audit(action, kind="publication", subject=number, at=now, by=by, before=before, after=after)
    return record


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
