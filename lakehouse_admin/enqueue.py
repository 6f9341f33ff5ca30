"""Sends a run's next step to the workers. Losing a message loses nothing: the tick sends it again."""

from __future__ import annotations

from functools import partial

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

ADVANCE_RUN = "lakehouse_admin.advance_run"
QUEUE = "control"

_log = structlog.get_logger("lakeside.runs")


def enqueue_advance(*, run_id: int, token: int, delay_seconds: float = 0) -> None:
    """Ask a worker to move the run, once the current transaction has committed.

    The message carries the fencing token it expects to find, so that of two messages for
    the same step only one does anything.
    """
    transaction.on_commit(partial(_send, run_id=run_id, token=token, delay_seconds=delay_seconds))


def broker_answers() -> bool:
    """Tell whether a message could be sent now."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=0, timeout=1)
    except OperationalError:
        return False
    return True


def _send(*, run_id: int, token: int, delay_seconds: float) -> None:
    try:
        current_app.send_task(
            ADVANCE_RUN,
            kwargs={"run_id": run_id, "token": token},
            queue=QUEUE,
            countdown=delay_seconds or None,
            retry=False,
            ignore_result=True,
        )
    except OperationalError as error:
        _log.warning("advance_not_enqueued", run_id=run_id, reason=str(error))
