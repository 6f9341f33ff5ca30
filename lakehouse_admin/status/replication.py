"""What the replicator last said of itself, and what to make of it. Absent is a valid answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

_SILENT = timedelta(seconds=30)
"""The document is written every second; this old, its writer is gone or hangs."""
_STUCK = timedelta(seconds=60)
_ENDED = frozenset({"stopped", "failed"})


class Standing(StrEnum):
    """What to make of a replicator."""

    ABSENT = "absent"
    """It has never written anything: nothing follows the source, and nobody promised to."""
    WELL = "well"
    WAITING = "waiting"
    NOT_MOVING = "not moving"
    """It runs and is behind, but gets no further."""
    SILENT = "silent"
    """It says it runs, and has said nothing since."""
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTrouble:
    """Why one table is not wholly replicated."""

    table: str
    message: str
    guidance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """The replicator's document, as far as it could be read."""

    standing: Standing
    state: str = ""
    durable_lsn: int = 0
    lag_bytes: int = 0
    committed_to: datetime | None = None
    """Commit time of the newest change in bronze; None if none came since the replicator started."""
    heard_at: datetime | None = None
    """When the source last answered."""
    log_left_bytes: int | None = None
    """What the source may still write before it gives up the slot; None without a limit."""
    message: str = ""
    guidance: str = ""
    tables: tuple[TableTrouble, ...] = ()


def replication_now(bronze_root: Path, *, now: datetime) -> Replication:
    """Read the replicator's status document below bronze.

    A document that is missing, or not (yet) readable, is the same as none.
    """
    try:
        data = json.loads((bronze_root / "_status" / "replicator.json").read_text(encoding="utf-8"))
        return _read(data, now)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Replication(standing=Standing.ABSENT)


def _read(data: Mapping[str, Any], now: datetime) -> Replication:
    lag_bytes = int(data.get("lag_bytes") or 0)
    return Replication(
        standing=_standing(data, lag_bytes, now),
        state=str(data["state"]),
        durable_lsn=int(data.get("durable_lsn") or 0),
        lag_bytes=lag_bytes,
        committed_to=_time(data.get("committed_to")),
        heard_at=_time(data.get("heard_at")),
        log_left_bytes=data.get("log_left_bytes"),
        message=data.get("error_message") or "",
        guidance=data.get("guidance") or "",
        tables=tuple(
            TableTrouble(table=each["table"], message=each["message"], guidance=each.get("guidance", ""))
            for each in data.get("tables", ())
        ),
    )


def _standing(data: Mapping[str, Any], lag_bytes: int, now: datetime) -> Standing:
    state = data["state"]
    if state in _ENDED:
        return Standing(state)
    written_at = _time(data.get("written_at") or data.get("heard_at"))
    if written_at is None or now - written_at > _SILENT:
        return Standing.SILENT
    if state == "waiting":
        return Standing.WAITING
    moved_at = _time(data.get("moved_at"))
    is_stuck = state == "streaming" and lag_bytes > 0 and moved_at is not None and now - moved_at > _STUCK
    return Standing.NOT_MOVING if is_stuck else Standing.WELL


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
