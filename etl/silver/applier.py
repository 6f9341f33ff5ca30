"""Brings windows of changes into silver, table by table, for as long as a process lives.

Tables are kept open between windows, so that a window costs little more than its changes. A
table that fails or is left out stops no other: it stays where it is, and catches up from
bronze when its turn comes again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.table import Table

from etl.bronze.manifest import ChangeManifest, FileManifest
from etl.bronze.reader import BronzeDamagedError, verify
from etl.bronze.window import ChangeLog, Window
from etl.contracts.store import read_contract
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import catalog_errors
from etl.engine.write import CommitConflictError
from etl.errors import LakehouseError
from etl.ports.object_store import ObjectStore
from etl.replicate.lsn import LAST_ORDINAL, change_seq
from etl.silver.apply_changes import Applied, apply_changes
from etl.silver.changes import LAST, ChangeFiles, by_contract
from etl.silver.compact import Compacted, compact, partitions_to_compact
from etl.silver.failpoint import Failpoint, ignore
from etl.silver.table import SILVER, SilverTable

_APPLIED = "lakeside.applied-lsn."
"""Property of the namespace silver, by table: ``<load id>:<LSN>`` up to which nothing is left to apply."""

_MOST_ROWS = 1_000_000
"""Changes of a table that are merged at once; beyond it, a window is applied in parts."""


class Outcome(StrEnum):
    """What became of a table in a window."""

    APPLIED = "applied"
    """Its changes are in silver."""
    IDLE = "idle"
    """It had none that silver does not hold."""
    LEFT_OUT = "left out"
    """The caller asked for it; the table stays where it is."""
    FAILED = "failed"
    """See the error; the table stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOutcome:
    """What became of one table in a window."""

    table: TableId
    outcome: Outcome
    complete_lsn: int = 0
    """Every change of the table up to here is in silver; 0 if that is not known."""
    applied: Applied | None = None
    """The sum over the parts of the window, if there were any."""
    error: Exception | None = None
    """A `LakehouseError`, unless it is a defect of ours."""


@dataclass(slots=True)
class _Standing:
    """A table as this process knows it."""

    silver: SilverTable | None = None
    load_id: str = ""
    complete_lsn: int = 0
    """Nothing up to here is left to apply, as long as the load is still the same."""


class ChangeApplier:
    """Applies windows of one slot's changes. Use as a context manager.

    Example:
        >>> with ChangeApplier(catalog, session, store, slot="lakeside", tables=tables) as applier:  # doctest: +SKIP
        ...     log = ChangeLog(store, slot="lakeside", after_lsn=applier.start())
        ...     outcomes = applier.apply(log.read())
    """

    def __init__(
        self,
        catalog: Catalog,
        connection: duckdb.DuckDBPyConnection,
        store: ObjectStore,
        *,
        slot: str,
        tables: Collection[TableId],
        threads: int = 2,
        until_lsn: int | None = None,
        failpoint: Failpoint = ignore,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            catalog: Of the lake.
            connection: From `duckdb_session`; cursors of it do the work.
            store: Bronze.
            slot: Whose changes.
            tables: Those to keep up with; tables that turn up in a window are added.
            threads: Tables that are worked on side by side.
            until_lsn: Leave out transactions that end after it, also within a flush; for tables that nobody
                brings further.
            failpoint: Told of each moment passed.
        """
        self._catalog = catalog
        self._store = store
        self._slot = slot
        self._until_lsn = until_lsn
        self._until = LAST if until_lsn is None else change_seq(until_lsn, LAST_ORDINAL)
        self._failpoint = failpoint
        self._connection = connection
        self._standings: dict[TableId, _Standing] = {table: _Standing() for table in sorted(tables)}
        self._contracts: dict[tuple[TableId, int], TableContract] = {}
        self._hints: dict[str, str] | None = None
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="changes")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def start(self) -> int:
        """Return the LSN after which to begin reading: the furthest that a table is complete up to.

        Tables that are behind it catch up with the first window.

        """
        return max(self.complete().values(), default=0)

    def complete(self) -> dict[TableId, int]:
        """Return up to which LSN nothing is left to apply, by table; those that cannot be opened are left out."""
        found = {}
        for table, standing in self._standings.items():
            with suppress(LakehouseError):  # Told with the first window.
                self._open(table, standing)
                found[table] = standing.complete_lsn
        return found

    def apply(self, window: Window, *, leave_out: Collection[TableId] = ()) -> tuple[TableOutcome, ...]:
        """Apply a window; return what became of every table, in name order.

        A window at or below where a table stands does nothing to it. A failed table is tried
        again with the next window unless it is left out: how often is the caller's choice,
        for it has to read everything since.

        Args:
            window: Consecutive flushes.
            leave_out: Tables not to touch.
        """
        for table in window.tables:
            self._standings.setdefault(table, _Standing())
        changed = set(window.tables)
        outcomes: dict[TableId, TableOutcome] = {}
        pending = []
        for table, standing in sorted(self._standings.items()):
            if table in leave_out:
                outcomes[table] = TableOutcome(table=table, outcome=Outcome.LEFT_OUT)
            elif table not in changed and standing.silver is not None and standing.complete_lsn >= window.after_lsn:
                standing.complete_lsn = max(standing.complete_lsn, self._bounded(window.last_lsn))
                outcomes[table] = TableOutcome(table=table, outcome=Outcome.IDLE, complete_lsn=standing.complete_lsn)
            else:
                pending.append(table)
        done = self._pool.map(lambda table: self._outcome(table, window), pending)
        outcomes |= dict(zip(pending, done, strict=True))
        return tuple(outcomes[table] for table in sorted(outcomes))

    def remember(self) -> None:
        """Record how far every table is, for the next process to begin there: a hint, not needed for correctness.

        Raises:
            CatalogUnavailableError: No answer.
        """
        hints = {
            f"{_APPLIED}{table.lake_name}": f"{standing.load_id}:{standing.complete_lsn}"
            for table, standing in self._standings.items()
            if standing.load_id and standing.complete_lsn
        }
        if hints and hints != self._hints:
            with catalog_errors():
                self._catalog.update_namespace_properties(SILVER, updates=hints)
            self._hints = (self._hints or {}) | hints

    def compact(self, *, most_partitions: int = 1) -> tuple[Compacted, ...]:
        """Compact some partitions of the open tables that ask for it; call it between windows.

        A table that cannot be compacted is opened anew with the next window, as it was.
        """
        done: list[Compacted] = []
        for table, standing in self._standings.items():
            if standing.silver is None or len(done) >= most_partitions:
                continue
            partitions = partitions_to_compact(standing.silver.live)[:most_partitions]
            if not partitions:
                continue
            contract = self._contract(table, standing.silver.contract_version)
            try:
                with self._connection.cursor() as cursor:
                    compacted = compact(standing.silver, cursor, partitions, order_by=contract.key)
            except LakehouseError:
                standing.silver = None
                continue
            if compacted is not None:
                done.append(compacted)
        return tuple(done)

    def open_tables(self) -> dict[str, Table]:
        """Return the tables that are open, by lake name, at the snapshots that the last window left them at."""
        return {
            table.lake_name: standing.silver.table
            for table, standing in self._standings.items()
            if standing.silver is not None
        }

    def forget(self, table: TableId) -> None:
        """Have a table opened anew: someone else, a compaction or a resync, changed it."""
        if table in self._standings:
            self._standings[table].silver = None

    def _outcome(self, table: TableId, window: Window) -> TableOutcome:
        standing = self._standings[table]
        try:
            try:
                applied = self._apply(table, standing, window)
            except CommitConflictError:  # What we knew of the table is out of date.
                standing.silver = None
                applied = self._apply(table, standing, window)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other tables go on; the caller tells it
            standing.silver = None
            return TableOutcome(table=table, outcome=Outcome.FAILED, complete_lsn=standing.complete_lsn, error=error)
        return TableOutcome(
            table=table,
            outcome=Outcome.APPLIED if applied else Outcome.IDLE,
            complete_lsn=standing.complete_lsn,
            applied=applied,
        )

    def _apply(self, table: TableId, standing: _Standing, window: Window) -> Applied | None:
        """Apply what silver lacks of a table up to the window's end."""
        silver = self._open(table, standing)
        if standing.complete_lsn < window.after_lsn:
            log = ChangeLog(self._store, slot=self._slot, after_lsn=standing.complete_lsn)
            window = log.read(until_lsn=window.last_lsn)
        total: Applied | None = None
        for manifests in _parts(window, table, after_lsn=standing.complete_lsn):
            known = max(silver.watermark, silver.load_floor)
            files = tuple(
                file
                for manifest in manifests
                for file in manifest.files_of(table)
                # What is known may be of an older shape than the table has by now.
                if file.last_change_seq > known and file.first_change_seq <= self._until
            )
            verify(self._store, files)
            segments = list(by_contract(files))
            for number, (version, segment) in enumerate(segments, start=1):
                contract = self._contract(table, version)
                for file in segment:
                    if file.contract_fingerprint != contract.fingerprint:
                        raise BronzeDamagedError(
                            f"{file.key} was written under another contract than version {version}."
                        )
                changes = ChangeFiles(contract=contract, files=segment, store=self._store)
                with self._connection.cursor() as cursor:
                    applied = apply_changes(
                        silver,
                        self._catalog,
                        cursor,
                        changes,
                        source_lsn=self._bounded(manifests[-1].last_lsn)
                        if number == len(segments)
                        else silver.source_lsn,
                        until=self._until,
                        failpoint=self._failpoint,
                    )
                total = _sum(total, applied)
            standing.complete_lsn = self._bounded(manifests[-1].last_lsn)
        standing.complete_lsn = max(standing.complete_lsn, self._bounded(window.last_lsn))
        return total

    def _bounded(self, lsn: int) -> int:
        return lsn if self._until_lsn is None else min(lsn, self._until_lsn)

    def _open(self, table: TableId, standing: _Standing) -> SilverTable:
        """Open a table if it is not, and find out how far it is complete."""
        if standing.silver is None:
            silver = SilverTable(self._catalog, table.lake_name)
            if silver.load_id != standing.load_id:
                standing.load_id = silver.load_id
                standing.complete_lsn = self._hint(table, silver.load_id)
            standing.complete_lsn = max(standing.complete_lsn, silver.source_lsn)
            standing.silver = silver
        return standing.silver

    def _hint(self, table: TableId, load_id: str) -> int:
        """Return how far a process before us found the table complete, under the same load; else 0."""
        if self._hints is None:
            with catalog_errors():
                try:
                    self._hints = dict(self._catalog.load_namespace_properties(SILVER))
                except NoSuchNamespaceError:
                    self._hints = {}
        known_load, _, lsn = self._hints.get(f"{_APPLIED}{table.lake_name}", "").partition(":")
        return int(lsn) if known_load == load_id and lsn.isdecimal() else 0

    def _contract(self, table: TableId, version: int) -> TableContract:
        if (table, version) not in self._contracts:
            self._contracts[table, version] = read_contract(self._store, table, version)
        return self._contracts[table, version]


def _parts(window: Window, table: TableId, *, after_lsn: int) -> Iterator[Sequence[ChangeManifest]]:
    """Cut the window's flushes that touch a table into parts of bounded size; each has at least one."""
    part: list[ChangeManifest] = []
    rows = 0
    for manifest in window.manifests:
        files: tuple[FileManifest, ...] = manifest.files_of(table)
        if manifest.last_lsn <= after_lsn or not files:
            continue
        more = sum(file.rows for file in files)
        if part and rows + more > _MOST_ROWS:
            yield part
            part, rows = [], 0
        part.append(manifest)
        rows += more
    if part:
        yield part


def _sum(one: Applied | None, other: Applied) -> Applied:
    if one is None:
        return other
    return Applied(
        table=other.table,
        inserted=one.inserted + other.inserted,
        updated=one.updated + other.updated,
        deleted=one.deleted + other.deleted,
        rejects=one.rejects + other.rejects,
        snapshot_id=other.snapshot_id,
        watermark=other.watermark,
        source_lsn=other.source_lsn,
        seconds=one.seconds + other.seconds,
    )
