"""Deliver: send what is due, at least once, with growing pauses; a receiver that is away loses nothing."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.core.mail import send_mail
from django.db import transaction

from lakehouse_admin.models import Alert, AlertDelivery

_PAUSES_SECONDS = (10, 60, 300, 1800, 7200)
"""Before each further attempt; then it is given up."""
_TIMEOUT_SECONDS = 5.0
_AT_ONCE = 5
_CLAIM = timedelta(seconds=120)
"""Nobody else tries a message that somebody is sending; longer than so many attempts at once take."""
_ERROR_CHARS = 300
_OK = range(200, 300)

_log = structlog.get_logger("lakeside.alerts")


class DeliveryError(Exception):
    """The receiver did not take the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """What the installation is allowed to call: nothing else is ever called."""

    webhooks: Sequence[str] = ()
    secret: str = ""


def deliver_due(receivers: Receivers, *, now: datetime) -> int:
    """Send the messages that are due; return how many arrived. Safe to call from many workers at once."""
    delivered = 0
    for delivery in _claim(now):
        try:
            _send(delivery, receivers, now)
        except (DeliveryError, OSError, smtplib.SMTPException, http.client.HTTPException) as error:
            _record_failure(delivery, error, now)
        else:
            delivered += 1
            AlertDelivery.objects.filter(pk=delivery.pk).update(
                outcome=AlertDelivery.Outcome.DELIVERED, delivered_at=now, error=""
            )
    return delivered


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what a receiver computes to know that a message is ours, and when it was sent."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def _claim(now: datetime) -> list[AlertDelivery]:
    """Take due messages, so that no other worker sends them meanwhile; a worker that dies gives them back."""
    with transaction.atomic():
        due = AlertDelivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("alert")
        claimed = list(due.filter(outcome=AlertDelivery.Outcome.PENDING, due_at__lte=now)[:_AT_ONCE])
        for delivery in claimed:
            delivery.attempts += 1
        AlertDelivery.objects.filter(pk__in=[each.pk for each in claimed]).update(due_at=now + _CLAIM)
        AlertDelivery.objects.bulk_update(claimed, ["attempts"])
    return claimed


def _send(delivery: AlertDelivery, receivers: Receivers, now: datetime) -> None:
    """Send one message.

    Raises:
        DeliveryError: The receiver refused it, or is no longer configured.
        OSError: It did not answer.
    """
    if delivery.channel == AlertDelivery.Channel.EMAIL:
        send_mail(_subject(delivery), _text(delivery), None, [delivery.target])
        return
    index = int(delivery.target)
    if index >= len(receivers.webhooks) or not receivers.secret:
        raise DeliveryError("This webhook is no longer configured.")
    _post(receivers.webhooks[index], receivers.secret, delivery, now)


def _post(url: str, secret: str, delivery: AlertDelivery, now: datetime) -> None:
    """Post a signed document. A redirect counts as a refusal: only the configured address is called.

    Raises:
        DeliveryError: The answer was not 2xx.
        OSError: There was none.
    """
    parts = urlsplit(url)
    body = json.dumps(_document(delivery)).encode()
    timestamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lakeside",
        "X-Lakeside-Delivery": str(delivery.pk),
        "X-Lakeside-Timestamp": timestamp,
        "X-Lakeside-Signature": signature(secret, timestamp, body),
    }
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status not in _OK:
        raise DeliveryError(f"The webhook answered {status}.")


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)


def _record_failure(delivery: AlertDelivery, error: Exception, now: datetime) -> None:
    """Try again later, or give up. The address, which may hold a token, is in no message."""
    reason = str(error) if isinstance(error, DeliveryError) else type(error).__name__
    changes: dict[str, object] = {"error": reason[:_ERROR_CHARS]}
    if delivery.attempts > len(_PAUSES_SECONDS):
        changes["outcome"] = AlertDelivery.Outcome.GIVEN_UP
    else:
        changes["due_at"] = now + timedelta(seconds=_PAUSES_SECONDS[delivery.attempts - 1])
    AlertDelivery.objects.filter(pk=delivery.pk).update(**changes)
    _log.warning("alert_not_delivered", delivery=delivery.pk, attempts=delivery.attempts, reason=reason)


def _subject(delivery: AlertDelivery) -> str:
    """Return one line: a title holds no line break, whatever an error's message held."""
    mark = "Resolved: " if delivery.occasion == "resolved" else ""
    return " ".join(f"[Lakeside] {mark}{delivery.alert.title}".split())


def _text(delivery: AlertDelivery) -> str:
    alert = delivery.alert
    return "\n\n".join(part for part in (alert.title, alert.detail, alert.guidance, _since(alert)) if part)


def _since(alert: Alert) -> str:
    return f"Since {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC."


def _document(delivery: AlertDelivery) -> Mapping[str, object]:
    alert = delivery.alert
    return {
        "occasion": delivery.occasion,
        "alert": alert.pk,
        "key": alert.key,
        "rule": alert.rule,
        "level": alert.level,
        "title": alert.title,
        "detail": alert.detail,
        "guidance": alert.guidance,
        "opened_at": alert.opened_at.isoformat(),
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
    }
