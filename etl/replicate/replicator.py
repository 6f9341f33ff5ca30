"""Follows the source: from the full load on, every committed change once, in bronze.

The order within a flush is what makes it exactly once: files durable, manifest durable,
only then the slot is told. After any crash, what the slot sends again and bronze already
has is recognised by its LSN; what bronze has without a manifest is removed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg

from etl.bronze.manifest import ChangeManifest
from etl.contracts.source import check_source, first_line, open_source
from etl.contracts.table import TableContract, TableId
from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.object_store import ObjectStore, StoreFullError
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.changes import Flush, Landing, Position, find_position
from etl.replicate.failpoint import Failpoint, Moment, ignore
from etl.replicate.full_load import FullLoad, full_load
from etl.replicate.lsn import Lsn
from etl.replicate.pgoutput import Changes, Decoder, Relation
from etl.replicate.shape import Shape, record_shape
from etl.replicate.slot import (
    PUBLICATION,
    SlotBusyError,
    check_changes,
    check_slot,
    drop_slot,
    ensure_publication,
)
from etl.replicate.spool import Piece, Spool
from etl.replicate.stream import open_stream

_IDLE_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 30.0


class NotBegunError(OperatorError):
    """Bronze has no full load that the slot continues."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync`: it takes a full load and goes on from there."


class UnselectedTableError(OperatorError):
    """The source sends changes of a table that is not among the replicated ones."""

    guidance: ClassVar[str] = (
        "If the table was renamed, rename it in LAKEHOUSE_SOURCE_TABLES and run `manage.py lakehouse resync`."
    )


class _DrainTooLongError(TransientError):
    """A transaction was too large to be landed before the replicator had to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatorConfig:
    """What is replicated, and how."""

    source_url: str
    tables: tuple[TableId, ...]
    slot: str
    publication: str = PUBLICATION
    flush_seconds: float = 1.0
    """How old a change becomes before its flush is committed."""
    flush_bytes: int = 64 * 1024 * 1024
    """Text at which a flush is committed even if it is younger."""
    busy_seconds: float = 15.0
    """How long another reader of the slot is waited for at the start. Later it can only be our own lost connection,
    which the source may take a minute to notice, and is waited for as long as it takes."""
    drain_seconds: float = 8.0
    """How long what was received may take to land once the replicator is to stop."""
    spool_folder: Path | None = None
    """Where beginnings of large transactions wait for their ends; the system's own folder if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatorStatus:
    """How far the replicator is."""

    durable_lsn: Lsn
    """In bronze."""
    server_lsn: Lsn
    """Received: what the source had sent of its log when it was last heard of."""
    committed_to: str | None
    """Commit time of the newest change in bronze since the replicator started, ISO 8601 with zone."""
    transactions: int
    """Landed since the replicator started."""
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Whom the replicator tells what it does. None may take long."""

    on_flush: Callable[[ChangeManifest], None] = lambda _manifest: None
    """After a flush was committed and confirmed."""
    on_status: Callable[[ReplicatorStatus], None] = lambda _status: None
    """After every flush, and about ten times a second without one."""
    on_trouble: Callable[[LakehouseError, float], None] = lambda _error, _pause_seconds: None
    """Before a pause, in seconds, after which it is tried again."""
    failpoint: Failpoint = ignore


def begin(
    config: ReplicatorConfig,
    store: ObjectStore,
    *,
    fingerprint_sql: Callable[[TableContract], str] | None = None,
    failpoint: Failpoint = ignore,
) -> FullLoad | None:
    """Check the source, and take the full load that changes will continue, unless that was done.

    Idempotent: what a dead attempt left is removed. Writes at the source go on meanwhile.

    Returns:
        The load, or None if there was one.

    Raises:
        SourceNotReadyError: The source lacks something; the message says the SQL.
        UnsupportedColumnError: A column cannot be carried.
        SlotLostError: There was a load, but what the slot was to keep since is gone.
        Whatever else `full_load` raises.
    """
    with closing(open_source(config.source_url)) as control:
        check_source(control, config.tables)
        check_changes(control, config.tables)
        ensure_publication(control, config.tables, config.publication)
        if find_position(store, config.slot) is not None:
            check_slot(control, config.slot)
            return None
        drop_slot(control, config.slot)
    return _load(config, store, fingerprint_sql, failpoint)


def resync(
    config: ReplicatorConfig,
    store: ObjectStore,
    *,
    fingerprint_sql: Callable[[TableContract], str] | None = None,
) -> FullLoad:
    """Take a new full load and a new slot, whatever was before.

    Raises:
        SlotBusyError: A replicator is running: stop it first.
        Whatever else `begin` raises.
    """
    with closing(open_source(config.source_url)) as control:
        check_source(control, config.tables)
        check_changes(control, config.tables)
        ensure_publication(control, config.tables, config.publication)
        drop_slot(control, config.slot)
    return _load(config, store, fingerprint_sql, ignore)


def replicate(
    config: ReplicatorConfig, store: ObjectStore, *, stop: threading.Event, hooks: Hooks | None = None
) -> None:
    """Land changes until told to stop; then land what was received whole, and return.

    A source that does not answer and a full disk are waited for, in growing pauses.

    Args:
        config: What is replicated.
        store: Bronze, where `begin` has landed the load.
        stop: Set from elsewhere.
        hooks: Whom to tell.

    Raises:
        NotBegunError: There is no full load to continue.
        SlotLostError: What the slot was to keep is gone.
        SlotBusyError: Another replicator reads the slot and goes on doing so.
        UnselectedTableError: A replicated table was renamed, or the publication changed.
        UnsupportedColumnError: A new column, or a row, cannot be carried.
        UnknownMessageError: The source speaks otherwise than known.
        ObjectExistsError: Someone else writes into this bronze.
    """
    hooks = hooks or Hooks()
    pauses = 0
    busy_since: float | None = None
    has_streamed = False
    while True:
        session = _Session(config, store, stop, hooks)
        try:
            session.run()
        except SlotBusyError as error:
            busy_since = busy_since or time.monotonic()
            if not has_streamed and time.monotonic() - busy_since > config.busy_seconds:
                raise
            trouble: LakehouseError = error
        except (TransientError, StoreFullError) as error:
            trouble = error
        else:
            return
        has_streamed = has_streamed or session.has_streamed
        pauses = 0 if session.has_landed else pauses + 1
        pause_seconds = min(_FIRST_PAUSE_SECONDS * 2**pauses, _LONGEST_PAUSE_SECONDS)
        hooks.on_trouble(trouble, pause_seconds)
        if stop.wait(pause_seconds):
            return


class _Session:
    """One connection's work, from the position in bronze on."""

    def __init__(self, config: ReplicatorConfig, store: ObjectStore, stop: threading.Event, hooks: Hooks) -> None:
        self._config = config
        self._store = store
        self._stop = stop
        self._hooks = hooks
        self._stopped_at: float | None = None
        self._decoder = Decoder()
        self._shapes: dict[int, tuple[Relation, Shape]] = {}
        self._spool = Spool(config.spool_folder)
        self._committed_to: str | None = None
        self._transactions = self._changes = 0
        self.has_landed = False
        """Whether a flush was committed."""
        self.has_streamed = False
        """Whether the slot was ours."""

    def run(self) -> None:
        """Follow the slot until told to stop."""
        position = self._position()
        with (
            closing(open_source(self._config.source_url)) as self._control,
            closing(self._spool),
        ):
            check_slot(self._control, self._config.slot)
            with (
                _alone(self._control, self._store),
                open_stream(
                    self._config.source_url,
                    slot=self._config.slot,
                    publication=self._config.publication,
                    start=position.durable_lsn,
                ) as self._stream,
            ):
                self.has_streamed = True
                # Only now is nobody else at work; somebody may have been a moment ago.
                self._landing = Landing(
                    self._store,
                    slot=self._config.slot,
                    position=self._position(),
                    tables=self._config.tables,
                    failpoint=self._hooks.failpoint,
                )
                while not self._stop.is_set():
                    self._flush()

    def _position(self) -> Position:
        position = find_position(self._store, self._config.slot)
        if position is None:
            raise NotBegunError
        return position

    def _flush(self) -> None:
        """Receive for as long as a flush lasts, and land what is whole."""
        until = time.monotonic() + _IDLE_SECONDS
        has_begun = False
        with self._landing.flush() as flush:
            while True:
                frames = self._stream.receive(until=until, is_stopped=self._stop.is_set)
                if len(frames):
                    self._hooks.failpoint(Moment.RECEIVED)
                    if not has_begun:
                        has_begun = True
                        until = time.monotonic() + self._config.flush_seconds
                    for piece in self._spool.add(frames):
                        self._write(flush, piece)
                    if not self._spool.is_empty:
                        self._hooks.failpoint(Moment.MID_TRANSACTION)
                if time.monotonic() >= until or flush.text_bytes >= self._config.flush_bytes or self._stop.is_set():
                    break
            self._end(flush)

    def _write(self, flush: Flush, piece: Piece) -> None:
        after = self._landing.position.durable_lsn
        for changes in self._decoder.decode(piece.frames, after=after, unfinished=piece.unfinished):
            flush.write(self._shape(changes), changes)
        end_lsns, committed_us = piece.frames.ends()
        is_new = end_lsns > after
        flush.note_transactions(end_lsns[is_new], committed_us[is_new])
        self._stream.keep_alive()
        self._check_drain()

    def _shape(self, changes: Changes) -> Shape:
        relation = changes.relation
        known = self._shapes.get(relation.oid)
        if known is not None and known[0] is relation:
            return known[1]
        table = TableId(schema=relation.schema, name=relation.name)
        if table not in self._config.tables:
            raise UnselectedTableError(
                f"The source sends changes of {table}, which is not among the replicated tables."
            )
        shape = record_shape(self._control, self._store, relation)
        self._hooks.failpoint(Moment.CONTRACT_RECORDED)
        self._shapes[relation.oid] = relation, shape
        return shape

    def _end(self, flush: Flush) -> None:
        manifest = flush.commit()
        if manifest is not None:
            self._stream.confirm(Lsn(manifest.last_lsn))
            self._hooks.failpoint(Moment.CONFIRMED)
            self.has_landed = True
            self._committed_to = manifest.committed_to
            self._transactions += manifest.transactions
            self._changes += flush.changes
            self._hooks.on_flush(manifest)
        if self._spool.is_empty:
            # Nothing that was received is without a manifest: what the source has read of its log is done with.
            self._stream.confirm(self._stream.server_lsn)
        self._hooks.on_status(
            ReplicatorStatus(
                durable_lsn=self._landing.position.durable_lsn,
                server_lsn=self._stream.server_lsn,
                committed_to=self._committed_to,
                transactions=self._transactions,
                changes=self._changes,
            )
        )

    def _check_drain(self) -> None:
        """Give up landing what was received, after a while of stopping: it comes again.

        Raises:
            _DrainTooLongError: The time is over.
        """
        if not self._stop.is_set():
            return
        self._stopped_at = self._stopped_at or time.monotonic()
        if time.monotonic() - self._stopped_at > self._config.drain_seconds:
            raise _DrainTooLongError


@contextmanager
def _alone(control: psycopg.Connection, store: ObjectStore) -> Iterator[None]:
    """Let one replicator at a time write changes into a lake, whatever its slot.

    Raises:
        SlotBusyError: Another one does.
        SourceUnavailableError: The source did not answer.
    """
    try:
        lock = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        is_ours = control.execute(lock, [store.uri("changes")]).fetchone()
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    if is_ours != (True,):
        raise SlotBusyError("Another replicator writes changes into this lake.")
    yield


def _load(
    config: ReplicatorConfig,
    store: ObjectStore,
    fingerprint_sql: Callable[[TableContract], str] | None,
    failpoint: Failpoint,
) -> FullLoad:
    """Take a full load under a new slot's snapshot; without the load there is no slot either."""
    try:
        return full_load(
            source_url=config.source_url,
            store=store,
            tables=config.tables,
            request_id=f"{config.slot}-{secrets.token_hex(8)}",
            fingerprint_sql=fingerprint_sql,
            on_rows=lambda _table, _rows: failpoint(Moment.SLOT_CREATED),
            slot=config.slot,
        )
    except BaseException:
        with closing(open_source(config.source_url)) as control:
            drop_slot(control, config.slot)
        raise
