"""Acknowledge or mute an alert."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from etl.errors import OperatorError
from lakehouse_admin.models import Alert
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.states import AlertState
from lakehouse_admin.transition import transition

_LONGEST_MUTE = timedelta(days=30)


class AlertMissingError(OperatorError):
    """There is no such alert."""

    guidance: ClassVar[str] = "The console's page of alerts lists them."


class MuteTooLongError(OperatorError):
    """An alert may be muted for at most 30 days."""

    guidance: ClassVar[str] = "Choose a nearer time; mute it again later if you still want to."


def acknowledge_alert(alert_id: int, *, now: datetime, by: AbstractBaseUser | None = None) -> Alert:
    """Take an alert on; asking again changes nothing.

    Raises:
        AlertMissingError: There is no such alert.
        TransitionRefusedError: It is resolved.
    """
    with transaction.atomic():
        alert = _locked(alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            return alert
        before = {"state": alert.state}
        transition(alert, to=AlertState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by_id=by.pk if by else None)
        after = {"state": alert.state}
        record_audit("alert_acknowledged", kind="alert", subject=alert.key, at=now, by=by, before=before, after=after)
    return alert


def mute_alert(alert_id: int, *, until: datetime, now: datetime, by: AbstractBaseUser | None = None) -> Alert:
    """Send nothing about this rule and subject until a time; it is still shown.

    Raises:
        AlertMissingError: There is no such alert.
        MuteTooLongError: The time is more than 30 days away.
    """
    if until - now > _LONGEST_MUTE:
        raise MuteTooLongError
    with transaction.atomic():
        alert = _locked(alert_id)
        before = {"muted_until": alert.muted_until.isoformat() if alert.muted_until else None}
        alert.muted_until = until
        alert.save(update_fields=["muted_until"])
        after = {"muted_until": until.isoformat()}
        record_audit("alert_muted", kind="alert", subject=alert.key, at=now, by=by, before=before, after=after)
    return alert


def _locked(alert_id: int) -> Alert:
    alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
    if alert is None:
        raise AlertMissingError(alert=alert_id)
    return alert
