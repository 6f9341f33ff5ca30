"""The task that moves one run."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from lakehouse_admin.enqueue import ADVANCE_RUN, enqueue_advance
from lakehouse_admin.flow import advance
from lakehouse_admin.wiring import lakehouse


@shared_task(name=ADVANCE_RUN, acks_late=True, ignore_result=True)
def advance_run(*, run_id: int, token: int | None = None, **_newer: object) -> None:
    """Take the run's due steps, then send the message for the next ones."""
    with bound_contextvars(run_id=run_id):  # Whatever is logged on the way, by libraries too, names the run.
        following = advance(run_id, lakehouse=lakehouse(), now=timezone.now(), token=token)
    if following is not None:
        enqueue_advance(run_id=run_id, token=following.token, delay_seconds=following.delay_seconds)
