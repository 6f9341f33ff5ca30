"""Evaluate: open alerts for what is broken, resolve those that hold again, and queue the messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, transaction

from lakehouse_admin.alerts.rules import Finding
from lakehouse_admin.models import Alert, AlertDelivery
from lakehouse_admin.models.alert import UNRESOLVED
from lakehouse_admin.states import AlertState
from lakehouse_admin.transition import transition

_ONE_EVALUATION = 0x616C6572  # "aler": of two ticks at once one evaluates

_log = structlog.get_logger("lakeside.alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Somebody who gets every alert."""

    channel: AlertDelivery.Channel
    target: str


def evaluate(
    found: Sequence[Finding], *, routes: Iterable[Route], now: datetime, undecided: Collection[str] = ()
) -> None:
    """Bring the alerts in line with what is broken now. Repeating it changes only counts and times.

    Args:
        found: What is broken.
        routes: Who is told.
        now: When (UTC).
        undecided: Keys of alerts that stay as they are until it is known whether their cause is gone.
    """
    routes = tuple(routes)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s)", [_ONE_EVALUATION])
            if cursor.fetchone() != (True,):
                return
        known = {alert.key: alert for alert in Alert.objects.filter(state__in=UNRESOLVED)}
        by_key = {each.key: each for each in found}
        for key, finding in by_key.items():
            if key in known:
                _see_again(known[key], finding, routes, now)
            else:
                _open(finding, routes, now)
        for key in known.keys() - by_key.keys() - set(undecided):
            _resolve(known[key], routes, now)


def _open(finding: Finding, routes: Sequence[Route], now: datetime) -> None:
    last = Alert.objects.filter(key=finding.key).first()
    alert = Alert.objects.create(
        key=finding.key,
        rule=finding.rule,
        level=finding.level,
        title=finding.title,
        detail=finding.detail,
        guidance=finding.guidance,
        opened_at=now,
        seen_at=now,
        muted_until=last.muted_until if last else None,  # Who muted it meant the rule, not this one time.
    )
    _log.warning("alert_opened", key=finding.key)
    _queue(alert, "opened", routes, now)


def _see_again(alert: Alert, finding: Finding, routes: Sequence[Route], now: datetime) -> None:
    Alert.objects.filter(pk=alert.pk).update(
        seen_at=now,
        times_seen=alert.times_seen + 1,
        title=finding.title,
        detail=finding.detail,
        guidance=finding.guidance,
    )
    if alert.muted_until is not None and alert.state == AlertState.OPEN:
        _queue(alert, "opened", routes, now)  # Once, after a mute that ended before the cause did.


def _resolve(alert: Alert, routes: Sequence[Route], now: datetime) -> None:
    transition(alert, to=AlertState.RESOLVED, resolved_at=now)
    _log.info("alert_resolved", key=alert.key)
    if alert.deliveries.exists():  # Else nobody has heard of it.
        _queue(alert, "resolved", routes, now)


def _queue(alert: Alert, occasion: str, routes: Sequence[Route], now: datetime) -> None:
    if alert.muted_until is not None and alert.muted_until > now:
        return
    AlertDelivery.objects.bulk_create(
        [
            AlertDelivery(alert=alert, occasion=occasion, channel=route.channel, target=route.target, due_at=now)
            for route in routes
        ],
        ignore_conflicts=True,
    )
