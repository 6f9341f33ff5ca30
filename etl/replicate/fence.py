"""Fences: a position in the source's log, and whether bronze is complete up to it.

Whoever has to know that everything committed until now is in bronze sets a fence at the
source, and waits until the replicator's status has passed it. That works on an idle
source too: the status moves without changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

import psycopg

from etl.contracts.source import first_line
from etl.errors import TransientError
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.lsn import Lsn
from etl.replicate.slot import read_end_of_log
from etl.replicate.status import ReplicatorState, ReplicatorStatus, Standing

_LOOK_SECONDS = 0.05
_GONE_SECONDS = 5.0
"""How long a replicator may be gone before nobody waits for it any more: one that was killed is soon back."""
_GONE = {Standing.STOPPED, Standing.FAILED, Standing.SILENT}
_EMIT = "SELECT pg_logical_emit_message(true, 'lakeside', 'fence')"


class FenceNotReachedError(TransientError):
    """Bronze is not complete up to a position, and did not become so in time."""

    guidance: ClassVar[str] = "Look at `manage.py lakehouse status`: it says what the replicator is doing."


def set_fence(connection: psycopg.Connection) -> Lsn:
    """Return a position that lies behind everything committed before, having made sure that the log gets there.

    Args:
        connection: From `open_source`.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        with connection.transaction():  # Its commit flushes the log up to here, even where others' need not.
            connection.execute("SET LOCAL synchronous_commit = local")
            connection.execute(_EMIT)
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source took no fence: {first_line(error)}.") from error
    return read_end_of_log(connection)


def has_passed(status: ReplicatorStatus | None, *, slot: str, fence: Lsn) -> bool:
    """Tell whether bronze holds every change of transactions that ended at the fence or earlier.

    Of the tables among ``status.tables``, gaps excepted.
    """
    return status is not None and status.slot == slot and status.durable_lsn >= fence


def wait_for_fence(
    read_status: Callable[[], ReplicatorStatus | None],
    *,
    slot: str,
    fence: Lsn,
    seconds: float,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> ReplicatorStatus:
    """Return the first status that has passed the fence.

    Args:
        read_status: E.g. `StatusFile.read`.
        slot: Whose changes.
        fence: From `set_fence`.
        seconds: How long to wait at most.
        is_cancelled: Asked many times a second; once true, waiting ends with an error.

    Raises:
        FenceNotReachedError: Not in time; or the replicator has failed, stopped, or does not exist.
    """
    deadline = time.monotonic() + seconds
    gone_since: float | None = None
    while True:
        status = read_status()
        if status is not None and has_passed(status, slot=slot, fence=fence):
            return status
        now = time.monotonic()
        gone_since = (gone_since or now) if _is_gone(status, slot) else None
        is_gone = gone_since is not None and now - gone_since >= _GONE_SECONDS
        if now >= deadline or is_gone or is_cancelled():
            raise FenceNotReachedError(_why(status, slot, fence))
        time.sleep(_LOOK_SECONDS)


def _is_gone(status: ReplicatorStatus | None, slot: str) -> bool:
    return status is None or status.slot != slot or status.standing(datetime.now(UTC)) in _GONE


def _why(status: ReplicatorStatus | None, slot: str, fence: Lsn) -> str:
    if status is None or status.slot != slot:
        return f"No replicator has said how far slot {slot} is in bronze."
    where = f"Bronze is complete up to {Lsn(status.durable_lsn)}, not up to {fence}"
    if status.state is ReplicatorState.STREAMING:
        return f"{where}: the replicator is {status.lag_bytes:,} bytes behind."
    return f"{where}: the replicator is {status.state}{f' ({status.error_message})' if status.error_message else ''}."
