"""Sends a run's next step to the workers. Losing a message loses nothing: the tick sends it again."""

from __future__ import annotations

from functools import partial

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from lakehouse_admin.models import PipelineRun
from lakehouse_admin.record_event import record_event
from lakehouse_admin.states import EventLevel

ADVANCE_RUN = "lakehouse_admin.advance_run"


def enqueue_advance(*, run_id: int, token: int, delay_seconds: float = 0) -> None:
    """Ask a worker to move the run, once the current transaction has committed.

    The message carries the fencing token it expects to find, so that of two messages for
    the same step only one does anything.
    """
    transaction.on_commit(partial(_send, run_id=run_id, token=token, delay_seconds=delay_seconds))


def _send(*, run_id: int, token: int, delay_seconds: float) -> None:
    try:
        current_app.send_task(
            ADVANCE_RUN,
            kwargs={"run_id": run_id, "token": token},
            countdown=delay_seconds or None,
            retry=False,
            ignore_result=True,
        )
    except OperationalError:
        record_event(
            PipelineRun.objects.get(pk=run_id),
            "broker_unavailable",
            "Valkey does not answer: the run is kept, and goes on when it is back.",
            at=timezone.now(),
            level=EventLevel.WARNING,
        )
