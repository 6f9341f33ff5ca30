"""Watch: look at everything that was promised, and tell who should know."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings

from lakehouse_admin.alerts.deliver import Receivers, deliver_due
from lakehouse_admin.alerts.evaluate import Route, evaluate
from lakehouse_admin.alerts.rules import Limits, findings, undecided
from lakehouse_admin.costs.budget import Budgets, overspent
from lakehouse_admin.costs.prices import current_prices
from lakehouse_admin.models import AlertDelivery, Pipeline
from lakehouse_admin.status.overview import overview
from lakehouse_admin.status.replication import Replication


def watch(*, replication: Replication, now: datetime) -> None:
    """Evaluate every rule and send what is due. What cannot be sent is tried again by a later call."""
    limits = Limits(lag_bytes=settings.LAKEHOUSE.alert_lag_bytes, left_bytes=settings.LAKEHOUSE.alert_disk_bytes)
    now_so = overview(Pipeline.objects.default(), now=now, replication=replication)
    budgets = Budgets(run=settings.LAKEHOUSE.budget_run, month=settings.LAKEHOUSE.budget_month)
    spent = overspent(now_so.runs, budgets, prices=current_prices(), now=now)
    found = findings(now_so, limits=limits, disk_free_bytes=_disk_free_bytes(), spent=spent)
    evaluate(found, routes=_routes(), now=now, undecided=undecided(now_so))
    receivers = Receivers(
        webhooks=settings.LAKEHOUSE.alert_webhooks, secret=settings.LAKEHOUSE.alert_webhook_secret or ""
    )
    deliver_due(receivers, now=now)


def _routes() -> list[Route]:
    emails = [Route(channel=AlertDelivery.Channel.EMAIL, target=each) for each in settings.LAKEHOUSE.alert_emails]
    webhooks = range(len(settings.LAKEHOUSE.alert_webhooks))
    return emails + [Route(channel=AlertDelivery.Channel.WEBHOOK, target=str(index)) for index in webhooks]


def _disk_free_bytes() -> int | None:
    """Return what the lake's disk has left; None for a lake that is no folder, or not there yet."""
    if settings.LAKEHOUSE.lake_uri.startswith("s3://"):
        return None
    with suppress(OSError):
        return shutil.disk_usage(Path(settings.LAKEHOUSE.lake_uri)).free
    return None
