"""The task that looks after promises; apart from the tick, so that a slow receiver of alerts holds up no run."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from lakehouse_admin.actions.watch import watch as watch_once
from lakehouse_admin.wiring import replication


@shared_task(name="lakehouse_admin.watch", acks_late=True, ignore_result=True)
def watch(**_newer: object) -> None:
    """Open and resolve alerts, then send the messages that are due."""
    now = timezone.now()
    watch_once(replication=replication(now=now), now=now)
