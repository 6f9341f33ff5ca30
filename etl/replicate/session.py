"""One connection's work: from the position in bronze on, changes are received, landed and confirmed.

The order within a flush is what makes it exactly once: files durable, manifest durable,
only then the slot is told. After any crash, what the slot sends again and bronze already
has is recognised by its LSN; what bronze has without a manifest is removed.

A table whose changes cannot be carried holds up no other: they are left out, and the
manifest says so (`Gap`). What can be carried of the table later is landed again, so that a
load of this table alone mends it, whenever it is taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import numpy as np
import psycopg

from etl.bronze.manifest import ChangeManifest, Gap, LoadedTable
from etl.contracts.source import first_line, open_source, read_oids
from etl.contracts.store import doubt_since
from etl.contracts.table import TableId
from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.object_store import ObjectStore, StoreFullError
from etl.ports.replicator import SourceUnavailableError, UnsupportedColumnError
from etl.replicate.change_rows import RowTooLongError
from etl.replicate.changes import Flush, Landing, Position, find_position, newest_loads
from etl.replicate.failpoint import Failpoint, Moment, ignore
from etl.replicate.lsn import Lsn
from etl.replicate.pgoutput import Changes, Decoder, Relation
from etl.replicate.shape import OldRowsUnknownError, Shape, record_shape
from etl.replicate.slot import (
    PUBLICATION,
    Slot,
    SlotBusyError,
    check_slot,
    read_end_of_log,
    read_unpublished,
    unpublished,
)
from etl.replicate.spool import Piece, Spool
from etl.replicate.status import Progress, TableTrouble, qualified_name
from etl.replicate.stream import open_stream

_IDLE_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_LOOK_AT_TABLES_SECONDS = 5.0

_RESYNC_TABLE = "Run `manage.py lakehouse resync <table>`; the other tables go on meanwhile."


class NotBegunError(OperatorError):
    """Bronze has no full load that the slot continues."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync --all`: it takes a full load and goes on from there."


class UnselectedTableError(OperatorError):
    """The source sends changes of a table that is not among the replicated ones."""

    guidance: ClassVar[str] = (
        "If the table was renamed, name it so in LAKEHOUSE_SOURCE_TABLES and restart; it is then loaded as a new one."
    )


class TableGoneError(OperatorError):
    """A replicated table is no longer at the source."""

    guidance: ClassVar[str] = (
        "Restore or create the table, or leave it out of LAKEHOUSE_SOURCE_TABLES; the other tables go on."
    )


class TableReplacedError(OperatorError):
    """A replicated table was dropped, and another one of its name created."""

    guidance: ClassVar[str] = _RESYNC_TABLE


class ChangesNotSentError(OperatorError):
    """A replicated table was left out of the publication, or only a part of it was in."""

    guidance: ClassVar[str] = (
        "Publish it again (`manage.py provision`; `manage.py lakehouse check-source` says the SQL), "
        "then run `manage.py lakehouse resync <table>`; the other tables go on meanwhile."
    )


class _DrainTooLongError(TransientError):
    """A transaction was too large to be landed before the replicator had to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatorConfig:
    """What is replicated, and how."""

    source_url: str = field(repr=False)
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
    reserve_bytes: int = 0
    """Room that is left to others: with less, nothing is received and nothing confirmed."""
    free_bytes: Callable[[], int] | None = None
    """Tells the room that bronze has left; None if it has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Whom the replicator tells what it does. None may take long."""

    on_flush: Callable[[ChangeManifest], None] = lambda _manifest: None
    """After a flush was committed and confirmed."""
    on_progress: Callable[[Progress], None] = lambda _progress: None
    """After every flush, and about ten times a second without one."""
    on_alive: Callable[[], None] = lambda: None
    """Many times during a long flush."""
    on_trouble: Callable[[LakehouseError, float], None] = lambda _error, _pause_seconds: None
    """Before a pause, in seconds, after which it is tried again."""
    failpoint: Failpoint = ignore


@dataclass(slots=True)
class Tally:
    """What was landed since the replicator started, over all its connections."""

    transactions: int = 0
    changes: int = 0
    committed_to: str | None = None
    """When the newest change in bronze was committed, or the load taken: landed by whom ever."""


class Session:
    """Follows the slot over one connection."""

    def __init__(
        self, config: ReplicatorConfig, store: ObjectStore, stop: threading.Event, hooks: Hooks, tally: Tally
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._config = config
        self._store = store
        self._stop = stop
        self._hooks = hooks
        self._tally = tally
        self._stopped_at: float | None = None
        self._decoder = Decoder()
        self._shapes: dict[int, tuple[Relation, Shape | LakehouseError]] = {}
        self._spool = Spool(config.spool_folder)
        self._oids: dict[int, TableId] = {}
        self._loaded: dict[TableId, LoadedTable] = {}
        self._doubts: dict[TableId, LakehouseError] = {}
        self._unsent: dict[TableId, tuple[LakehouseError, int]] = {}  # Why, and until when at least.
        self._troubles: dict[TableId, TableTrouble] = {}
        self._moved_at: datetime | None = None
        self._heard_at: datetime | None = None
        self._slot: Slot | None = None
        self._look_at = self._look_at_tables_at = 0.0
        self.has_landed = False
        """Whether a flush was committed."""
        self.has_streamed = False
        """Whether the slot was ours."""

    def run(self) -> None:
        """Follow the slot until told to stop.

        Raises:
            Whatever `etl.replicate.replicator.replicate` names, and what it waits for.
        """
        position = self._position()
        self._check_room()
        with (
            closing(open_source(self._config.source_url)) as self._control,
            closing(self._spool),
        ):
            check_slot(self._control, self._config.slot, position.durable_lsn)
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
                self._read_loaded()
                while not self._stop.is_set():
                    self._flush()

    def _position(self) -> Position:
        position = find_position(self._store, self._config.slot)
        if position is None:
            raise NotBegunError
        self._tally.committed_to = self._tally.committed_to or position.committed_to
        return position

    def _flush(self) -> None:
        """Receive for as long as a flush lasts, and land what is whole."""
        self._look()
        until = time.monotonic() + _IDLE_SECONDS
        has_begun = False
        with self._landing.flush() as flush:
            while True:
                frames = self._stream.receive(until=until, is_stopped=self._stop.is_set)
                if len(frames):
                    self._hooks.failpoint(Moment.RECEIVED)
                    self._moved_at = self._heard_at = datetime.now(UTC)
                    if not has_begun:
                        has_begun = True
                        until = time.monotonic() + self._config.flush_seconds
                    for piece in self._spool.add(frames):
                        self._write(flush, piece)
                    if not self._spool.is_empty:
                        self._hooks.failpoint(Moment.MID_TRANSACTION)
                    self._hooks.on_alive()
                if time.monotonic() >= until or flush.text_bytes >= self._config.flush_bytes or self._stop.is_set():
                    break
            self._end(flush)

    def _write(self, flush: Flush, piece: Piece) -> None:
        after = self._landing.position.durable_lsn
        for changes in self._decoder.decode(piece.frames, after=after, unfinished=piece.unfinished):
            self._land(flush, changes)
        end_lsns, committed_us = piece.frames.ends()
        is_new = end_lsns > after
        flush.note_transactions(end_lsns[is_new], committed_us[is_new])
        self._stream.keep_alive()
        self._hooks.on_alive()
        self._check_drain()

    def _land(self, flush: Flush, changes: Changes) -> None:
        """Write changes of one table, or note that and why they are left out."""
        shape = self._shape(changes)
        if isinstance(shape, LakehouseError):
            self._leave_out(flush, changes, 0, shape)
            return
        unsent = self._unsent.pop(shape.contract.table, None)
        if unsent is not None:  # Its changes come again, but some have not come.
            self._note_doubt(flush, shape.contract.table, unsent[1], unsent[0])
        doubt = self._doubts.pop(shape.contract.table, None)
        if doubt is not None:
            self._note_doubt(flush, shape.contract.table, int(changes.end_lsns[0]), doubt)
        try:
            flush.write(shape, changes)
        except RowTooLongError as error:
            # Of the row's transaction nothing more; what was committed before it is whole.
            row = int(str(error.context["row"]))
            whole = int(np.searchsorted(changes.end_lsns, changes.end_lsns[row]))
            if whole:
                flush.write(shape, changes.first(whole))
            self._leave_out(flush, changes, whole, error)

    def _note_doubt(self, flush: Flush, table: TableId, lsn: int, doubt: LakehouseError) -> None:
        """Note that rows from before are not what bronze holds, unless a gap says so already."""
        if all(gap.table != table for gap in self._landing.position.gaps):
            self._troubles[table] = TableTrouble.of(table, doubt, since_lsn=lsn)
            flush.miss(_gap(table, lsn, lsn, doubt))

    def _leave_out(self, flush: Flush, changes: Changes, first: int, error: LakehouseError) -> None:
        table = self._oids.get(changes.relation.oid) or _table_of(changes.relation)
        first_lsn, last_lsn = int(changes.end_lsns[first]), int(changes.end_lsns[-1])
        self._troubles.setdefault(table, TableTrouble.of(table, error, since_lsn=first_lsn))
        if table in self._config.tables:
            flush.miss(_gap(table, first_lsn, last_lsn, error))

    def _shape(self, changes: Changes) -> Shape | LakehouseError:
        relation = changes.relation
        known = self._shapes.get(relation.oid)
        if known is not None and known[0] is relation:
            return known[1]
        try:
            shape: Shape | LakehouseError = self._record_shape(relation)
        except (UnsupportedColumnError, UnselectedTableError) as error:
            shape = error
        self._shapes[relation.oid] = relation, shape
        return shape

    def _record_shape(self, relation: Relation) -> Shape:
        table = _table_of(relation)
        ours = self._oids.get(relation.oid)
        if table not in self._config.tables:
            was = f"{ours} is now called {table}, which" if ours else f"The source sends changes of {table}, which"
            raise UnselectedTableError(f"{was} is not among the replicated tables.")
        known = self._loaded.get(table)
        files = known.files if known is not None and known.oid == relation.oid else ()
        shape = record_shape(self._control, self._store, relation, files=files)
        self._hooks.failpoint(Moment.CONTRACT_RECORDED)
        if known is not None and (known.oid != relation.oid or known.version < shape.contract.version):
            known = self._read_loaded()[table]
            doubt = doubt_since(self._store, table, known.version)
            if known.oid != relation.oid:
                self._doubts[table] = _replaced(table)
            elif doubt is not None:
                self._doubts[table] = OldRowsUnknownError(doubt)
        return shape

    def _read_loaded(self) -> dict[TableId, LoadedTable]:
        self._loaded = _loaded_tables(self._store, self._config.tables)
        self._oids |= {loaded.oid: table for table, loaded in self._loaded.items()}
        return self._loaded

    def _look(self) -> None:
        """Ask the source, about once a second, how slot and tables are, and the disk for room."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        self._check_room()
        self._slot = check_slot(self._control, self._config.slot, Lsn(0))
        self._heard_at = datetime.now(UTC)
        if now >= self._look_at_tables_at:
            self._look_at_tables_at = now + _LOOK_AT_TABLES_SECONDS
            self._look_at_tables()

    def _look_at_tables(self) -> None:
        """Find out which tables are gone or others, and which gaps were mended."""
        self._landing.forget_mended()
        present = read_oids(self._control, self._config.tables)
        troubles = {table: each for table, each in self._troubles.items() if table not in self._config.tables}
        troubles |= {gap.table: TableTrouble.of_gap(gap) for gap in self._landing.position.gaps}
        for table in self._config.tables:
            oid, known = present.get(table), self._loaded.get(table)
            if oid is None:
                gone = TableGoneError(f"The source has no table {table} any more.")
                troubles[table] = TableTrouble.of(table, gone)
            elif known is not None and oid != known.oid and oid != self._read_loaded()[table].oid:
                troubles.setdefault(table, TableTrouble.of(table, _replaced(table)))
        unsent = [table for table in self._read_unsent() if table in present and table in self._loaded]
        for table in unsent:
            error = ChangesNotSentError(f"Publication {self._config.publication} did not send the changes of {table}.")
            troubles.setdefault(table, TableTrouble.of(table, error))
            self._unsent[table] = error, int(read_end_of_log(self._control))
        self._troubles = troubles

    def _read_unsent(self) -> Sequence[TableId]:
        """Return the tables whose changes were not sent until now; see to it that they are from now on, if possible."""
        tables, publication = self._config.tables, self._config.publication
        unsent = read_unpublished(self._control, tables, publication)
        if unsent:
            unpublished(self._control, tables, publication)
        return unsent

    def _end(self, flush: Flush) -> None:
        manifest = flush.commit()
        if manifest is not None:
            self._stream.confirm(Lsn(manifest.last_lsn))
            self._hooks.failpoint(Moment.CONFIRMED)
            self.has_landed = True
            self._moved_at = datetime.now(UTC)
            self._tally.committed_to = manifest.committed_to
            self._tally.transactions += manifest.transactions
            self._tally.changes += flush.changes
            self._hooks.on_flush(manifest)
        if self._spool.is_empty:
            # Nothing that was received is without a manifest: what the source has read of its log is done with.
            before = self._stream.confirmed_lsn
            self._stream.confirm(self._stream.server_lsn)
            if self._stream.confirmed_lsn > before:
                self._moved_at = self._heard_at = datetime.now(UTC)
        durable_lsn = self._stream.confirmed_lsn
        self._hooks.on_progress(
            Progress(
                durable_lsn=durable_lsn,
                server_lsn=max(durable_lsn, Lsn.parse(self._slot.server_lsn)) if self._slot else durable_lsn,
                committed_to=self._tally.committed_to,
                transactions=self._tally.transactions,
                changes=self._tally.changes,
                heard_at=self._heard_at,
                moved_at=self._moved_at,
                log_left_bytes=self._slot.safe_wal_size if self._slot else None,
                troubles=tuple(self._troubles[table] for table in sorted(self._troubles)),
            )
        )

    def _check_room(self) -> None:
        """Receive nothing while the disk is nearly full.

        Raises:
            StoreFullError: It is.
        """
        if self._config.free_bytes is None:
            return
        free_bytes = self._config.free_bytes()
        if free_bytes < self._config.reserve_bytes:
            raise StoreFullError(
                f"The lake's disk has {free_bytes:,} bytes left, less than the {self._config.reserve_bytes:,} "
                "that LAKEHOUSE_DISK_RESERVE_BYTES keeps free."
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


def _table_of(relation: Relation) -> TableId:
    return TableId(schema=relation.schema, name=relation.name)


def _replaced(table: TableId) -> TableReplacedError:
    return TableReplacedError(f"{table} was dropped, and another table of this name created.")


def _gap(table: TableId, first_lsn: int, last_lsn: int, error: LakehouseError) -> Gap:
    return Gap(
        table=table,
        first_lsn=first_lsn,
        last_lsn=last_lsn,
        error_class=qualified_name(error),
        message=str(error),
        guidance=error.guidance,
    )


def _loaded_tables(store: ObjectStore, tables: Sequence[TableId]) -> dict[TableId, LoadedTable]:
    """Return what each table was when it was loaded last."""
    found: dict[TableId, LoadedTable] = {}
    for load in newest_loads(store):
        for table in load.tables:
            if table in tables and str(table) in load.sources:
                found.setdefault(table, load.sources[str(table)])
        if found.keys() >= set(tables):
            break
    return found


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
