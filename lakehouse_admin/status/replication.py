"""What the replicator last said of itself, and what to make of it. Absent is a valid answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etl.replicate.status import STATUS_NAME, ReplicatorStatus, Standing, StatusFile


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTrouble:
    """Why one table is not wholly replicated."""

    table: str
    message: str
    guidance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """The replicator's document, judged at one moment."""

    standing: Standing
    durable_lsn: int = 0
    lag_bytes: int = 0
    committed_to: datetime | None = None
    """Commit time of the newest change in bronze; None while that is not known."""
    heard_at: datetime | None = None
    """When the source last answered."""
    log_left_bytes: int | None = None
    """What the source may still write before it gives up the slot; None without a limit."""
    message: str = ""
    guidance: str = ""
    tables: tuple[TableTrouble, ...] = ()


ABSENT = Replication(standing=Standing.ABSENT)


def replication_now(bronze_root: Path, *, now: datetime) -> Replication:
    """Read the replicator's status document below bronze.

    A document that is missing, or not (yet) readable, is the same as none.
    """
    status = StatusFile(bronze_root / STATUS_NAME).read()
    return ABSENT if status is None else _judged(status, now)


def _judged(status: ReplicatorStatus, now: datetime) -> Replication:
    return Replication(
        standing=status.standing(now),
        durable_lsn=status.durable_lsn,
        lag_bytes=status.lag_bytes,
        committed_to=_time(status.committed_to),
        heard_at=_time(status.heard_at),
        log_left_bytes=status.log_left_bytes,
        message=status.error_message or "",
        guidance=status.guidance or "",
        tables=tuple(
            TableTrouble(table=each.table, message=each.message, guidance=each.guidance) for each in status.tables
        ),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
