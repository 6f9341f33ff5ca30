"""What the replicator says of itself, for those who watch it: the command line, alerts, whoever waits for a fence.

An idle source makes no manifests, so how far bronze is complete cannot be told from bronze
alone. The replicator therefore keeps one small document up to date, about once a second.
It holds no secret and no row. Whoever reads it needs no connection to the source.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from etl.bronze.manifest import Gap
from etl.errors import LakehouseError
from etl.replicate.lsn import Lsn

STATUS_NAME = "_status/replicator.json"
"""Where the document stands below bronze, in a lake that is a folder."""

SILENT_SECONDS = 30.0
"""A replicator that has written nothing for this long is gone, or hangs."""

STUCK_SECONDS = 60.0
"""A stream that is behind and has not moved for this long does not move."""

_WRITE_SECONDS = 1.0


class ReplicatorState(StrEnum):
    """What the replicator is doing."""

    STARTING = "starting"
    """Checking the source."""
    LOADING = "loading"
    """Taking the first full load."""
    STREAMING = "streaming"
    """Following changes."""
    WAITING = "waiting"
    """Something is in the way that may pass: the error says what. It tries again by itself."""
    STOPPED = "stopped"
    """It was asked to end, and has."""
    FAILED = "failed"
    """It ended; the error says why and what a person does."""


class Standing(StrEnum):
    """What a reader makes of a status, given the time: the replicator's, and the follower's."""

    ABSENT = "absent"
    """It has never said anything: nobody started it, and nobody promised to."""
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
    """Why one table is not, or not wholly, replicated, while the others are."""

    table: str
    """``schema.name``."""
    since_lsn: int | None
    """Changes from here on are missing; None if none is missing yet."""
    error_class: str
    message: str
    guidance: str

    @classmethod
    def of(cls, table: object, error: LakehouseError, *, since_lsn: int | None = None) -> Self:
        """Describe an error that concerns one table."""
        return cls(
            table=str(table),
            since_lsn=since_lsn,
            error_class=qualified_name(error),
            message=str(error),
            guidance=error.guidance,
        )

    @classmethod
    def of_gap(cls, gap: Gap) -> Self:
        """Describe what a manifest says of a table."""
        return cls(
            table=str(gap.table),
            since_lsn=gap.first_lsn,
            error_class=gap.error_class,
            message=gap.message,
            guidance=gap.guidance,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatorStatus:
    """How the replicator is, and how far. Times are ISO 8601 with zone; positions count bytes of the source's log."""

    slot: str
    state: ReplicatorState
    written_at: str
    """When this was written."""
    durable_lsn: int = 0
    """Bronze holds every change of transactions that ended here or earlier. Moves without changes, too."""
    server_lsn: int = 0
    """End of the source's log when it was asked last."""
    committed_to: str | None = None
    """When the source committed the newest change in bronze, or when it was loaded if none has come since."""
    heard_at: str | None = None
    """When the source last answered."""
    moved_at: str | None = None
    """When something last arrived from the source, or became durable."""
    log_left_bytes: int | None = None
    """How much the source may still write before it gives up the slot; None without a limit."""
    transactions: int = 0
    """Landed since the replicator started."""
    changes: int = 0
    loaded_rows: int = 0
    """Of the first full load, so far."""
    error_class: str | None = None
    error_message: str | None = None
    guidance: str | None = None
    tables: tuple[TableTrouble, ...] = ()

    @property
    def lag_bytes(self) -> int:
        """How much of the source's log is not in bronze."""
        return max(0, self.server_lsn - self.durable_lsn)

    def standing(self, now: datetime) -> Standing:
        """Judge the status.

        Args:
            now: With zone.
        """
        if self.state is ReplicatorState.STOPPED:
            return Standing.STOPPED
        if self.state is ReplicatorState.FAILED:
            return Standing.FAILED
        if _seconds_since(self.written_at, now) > SILENT_SECONDS:
            return Standing.SILENT
        if self.state is ReplicatorState.WAITING:
            return Standing.WAITING
        is_behind = self.state is ReplicatorState.STREAMING and self.lag_bytes > 0
        if is_behind and self.moved_at is not None and _seconds_since(self.moved_at, now) > STUCK_SECONDS:
            return Standing.NOT_MOVING
        return Standing.WELL

    def to_json(self) -> str:
        """Return the status as a JSON document, ``lag_bytes`` included."""
        return json.dumps({**asdict(self), "lag_bytes": self.lag_bytes}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON, or the state unknown.
            TypeError: A field is missing or unknown.
            KeyError: A field is missing.
        """
        data = json.loads(text)
        del data["lag_bytes"]
        tables = tuple(TableTrouble(**each) for each in data["tables"])
        return cls(**{**data, "state": ReplicatorState(data["state"]), "tables": tables})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the stream is."""

    durable_lsn: Lsn
    """Bronze holds every change of transactions that ended here or earlier."""
    server_lsn: Lsn
    """End of the source's log when it was asked last."""
    committed_to: str | None
    """When the source committed the newest change in bronze, or when it was loaded: ISO 8601 with zone."""
    transactions: int
    """Landed since the replicator started."""
    changes: int
    heard_at: datetime | None = None
    """When the source last answered."""
    moved_at: datetime | None = None
    """When something last arrived, or became durable."""
    log_left_bytes: int | None = None
    """How much the source may still write before it gives up the slot; None without a limit."""
    troubles: tuple[TableTrouble, ...] = ()
    """Of the tables that are not, or not wholly, replicated."""


class StatusFile:
    """Keeps the document in a file: a reader sees the old one or the new one, whole."""

    def __init__(self, path: Path) -> None:
        """Remember the file; its folder is made when it is first written."""
        self._path = path

    def write(self, status: ReplicatorStatus) -> None:
        """Replace the document. A disk without room keeps the old one: readers see that it grows old."""
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(status.to_json(), encoding="utf-8")
            temporary.replace(self._path)

    def read(self) -> ReplicatorStatus | None:
        """Return the document; None if there is none that can be read."""
        try:
            return ReplicatorStatus.from_json(self._path.read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            return None


class StatusKeeper:
    """Gathers what the replicator's parts tell, from any thread, and passes it on: a new state at once, else seldom."""

    def __init__(self, slot: str, put: Callable[[ReplicatorStatus], None]) -> None:
        """Begin with a replicator that starts.

        Args:
            slot: The slot that is followed.
            put: Takes each status, e.g. `StatusFile.write`.
        """
        self._put = put
        self._lock = threading.Lock()
        self._put_at = time.monotonic()
        self._status = ReplicatorStatus(slot=slot, state=ReplicatorState.STARTING, written_at=_now())
        put(self._status)

    @property
    def status(self) -> ReplicatorStatus:
        """What is known now."""
        return self._status

    def enter(self, state: ReplicatorState, error: LakehouseError | None = None) -> None:
        """Tell the state, and what is in the way."""
        with self._lock:
            self._status = replace(
                self._status,
                state=state,
                error_class=None if error is None else qualified_name(error),
                error_message=None if error is None else str(error),
                guidance=None if error is None else error.guidance,
            )
            self._write()

    def loaded(self, rows: int) -> None:
        """Tell that more rows of a full load were written."""
        with self._lock:
            self._status = replace(self._status, loaded_rows=self._status.loaded_rows + rows)
            self._write_seldom()

    def progressed(self, progress: Progress) -> None:
        """Tell how far the stream is; the state becomes streaming."""
        with self._lock:
            before = self._status
            self._status = replace(
                before,
                state=ReplicatorState.STREAMING,
                error_class=None,
                error_message=None,
                guidance=None,
                durable_lsn=int(progress.durable_lsn),
                server_lsn=int(progress.server_lsn),
                heard_at=_text(progress.heard_at) or before.heard_at,
                moved_at=_text(progress.moved_at) or before.moved_at,
                committed_to=progress.committed_to,
                log_left_bytes=progress.log_left_bytes,
                transactions=progress.transactions,
                changes=progress.changes,
                tables=progress.troubles,
            )
            if (before.state, before.tables) != (self._status.state, self._status.tables):
                self._write()
            else:
                self._write_seldom()

    def touch(self) -> None:
        """Tell that the work goes on."""
        with self._lock:
            self._write_seldom()

    def _write_seldom(self) -> None:
        if time.monotonic() - self._put_at >= _WRITE_SECONDS:
            self._write()

    def _write(self) -> None:
        self._put_at = time.monotonic()
        self._status = replace(self._status, written_at=_now())
        self._put(self._status)


def qualified_name(error: BaseException) -> str:
    """Return an error's class as `lakehouse_admin/retry.py` looks it up."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _seconds_since(moment: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()
