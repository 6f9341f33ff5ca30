"""Compare source, bronze and silver at one position of the source's log, while all of them go on.

The source exports a snapshot together with its position. Bronze and silver are brought to
that position in scratch tables (`etl.silver.rebuild`): nobody waits, and what readers see
stays as it is. Each layer is compared with the one that it was made from, so that a
difference is found where it came about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

import duckdb
import psycopg

from etl.contracts.source import check_source, first_line, open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.scratch import scratch_catalog, scratch_folder
from etl.engine.session import duckdb_errors, duckdb_session
from etl.engine.tables import live_relation
from etl.errors import OperatorError
from etl.follow.slot import followed_slot
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.quality.differences import Difference, different_keys
from etl.quality.fingerprint import (
    Fingerprint,
    silver_buckets_sql,
    silver_fingerprint_sql,
    silver_rows_sql,
    source_buckets_sql,
    source_fingerprint_sql,
    source_rows_sql,
)
from etl.replicate.fence import set_fence, wait_for_fence
from etl.replicate.full_load import TableMovedError
from etl.replicate.lsn import Lsn
from etl.replicate.snapshot import export_snapshot, hold_tables, join_snapshot, storage_of
from etl.replicate.status import ReplicatorStatus
from etl.silver.rebuild import Layer, from_bronze, from_silver, pin_silver
from etl.silver.table import SilverTable

_SESSIONS = 2
"""Tables that the source is asked about at the same time; each keeps about one of its cores busy."""

_BUCKETS_OPENED = 4
"""Differing buckets whose rows are read, of 256: bounds memory when a whole table differs."""

_ATTEMPTS = 10

WAIT_SECONDS = 60.0
"""How long bronze may take to reach the source's position."""


class LakeLayer(StrEnum):
    """What is compared with what it was made from."""

    BRONZE = "bronze"
    """With the source."""
    SILVER = "silver"
    """With bronze."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerComparison:
    """How one layer of a table compares with the layer before it."""

    layer: LakeLayer
    equal: bool
    rows: int | None
    """None where the layer cannot be read; see ``problem``."""
    hash: str
    problem: str = ""
    """Why it is not there, or what is known to be wrong with it."""
    guidance: str = ""
    """What a person does about the problem."""
    refused: int = 0
    """Rows of this layer that wait in quarantine."""
    differences: tuple[Difference, ...] = ()
    """Some of the differing keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveComparison:
    """What the comparison of one table found."""

    table: str
    """Lake name."""
    source_table: str
    """``schema.name``."""
    source_rows: int
    source_hash: str
    bronze: LayerComparison
    silver: LayerComparison
    seconds: float
    """Of the comparison, without what all tables share."""

    @property
    def equal(self) -> bool:
        """Whether all three hold the same rows."""
        return self.first_different is None

    @property
    def first_different(self) -> LakeLayer | None:
        """The layer at which a difference came about; None if there is none."""
        return next((each.layer for each in (self.bronze, self.silver) if not each.equal), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReport:
    """What was compared, and as of when."""

    lsn: int
    """Everything that was committed before this position of the source's log, and nothing after, was compared."""
    tables: tuple[LiveComparison, ...]
    seconds: float

    @property
    def position(self) -> str:
        """The position as PostgreSQL prints it."""
        return str(Lsn(self.lsn))

    @property
    def equal(self) -> bool:
        """Whether every table is equal in all layers."""
        return all(each.equal for each in self.tables)


def compare_live(
    source_url: str,
    lake: LakeConfig,
    store: ObjectStore,
    tables: Sequence[TableId],
    *,
    read_status: Callable[[], ReplicatorStatus | None] = lambda: None,
    differences: int = 20,
    wait_seconds: float = WAIT_SECONDS,
) -> LiveReport:
    """Compare tables in all layers, in the order given.

    The source's tables are read whole, whatever row-level security hides from others, in
    transactions that see one moment and hold no lock that a reader or writer would meet.

    Args:
        source_url: A role that may replicate and read every row.
        lake: Where silver is; a folder.
        store: Bronze.
        tables: What to compare.
        read_status: What the replicator says of itself, e.g. `StatusFile.read`; asked if a slot continues the loads.
        differences: How many differing keys to name per table and layer, at most.
        wait_seconds: How long bronze may take to reach the source's position.

    Raises:
        SourceNotReadyError: A table is not at the source, or the source cannot give a position.
        SourceUnavailableError: The source did not answer, or hides rows from this role.
        TableMovedError: A table was rewritten or truncated each time a snapshot was taken.
        FenceNotReachedError: Bronze did not reach the position: the replicator is behind, or does not run.
        CatalogUnavailableError: The catalog did not answer.
        StoreUnavailableError: Bronze did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the scratch tables.
    """
    started = time.perf_counter()
    slot = followed_slot(store) or ""
    with ExitStack() as stack:
        live = stack.enter_context(open_catalog(lake))
        connection = stack.enter_context(duckdb_session(lake))
        folder = stack.enter_context(scratch_folder(lake))
        pinned = pin_silver(live, tables)  # Before the position, so that it lies at or before it.
        moment = _settled_moment(stack, source_url, tables)
        fingerprints = moment.fingerprints()
        if slot:
            wait_for_fence(read_status, slot=slot, fence=moment.lsn, seconds=wait_seconds)
        catalogs = [stack.enter_context(scratch_catalog(folder)) for _ in range(2)]
        bronze = from_bronze(catalogs[0], connection, store, tables, slot=slot, lsn=moment.lsn)
        silver = from_silver(catalogs[1], connection, store, pinned, live=live, slot=slot, lsn=moment.lsn)
        compared = tuple(
            _Table(
                moment, connection, contract, source=fingerprints[contract.table].result(), most=differences
            ).compare(bronze, silver)
            for contract in moment.contracts
        )
    return LiveReport(lsn=int(moment.lsn), tables=tuple(compared), seconds=time.perf_counter() - started)


def _settled_moment(stack: ExitStack, source_url: str, tables: Sequence[TableId]) -> SourceMoment:
    """Enter a moment in which no table was truncated or rewritten; there soon is one.

    Raises:
        TableMovedError: There was none.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(TableMovedError):
            return stack.enter_context(source_moment(source_url, tables))
    return stack.enter_context(source_moment(source_url, tables))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMoment:
    """The source as it was at one position, for as long as somebody asks."""

    lsn: Lsn
    contracts: tuple[TableContract, ...]
    _free: SimpleQueue[psycopg.Connection] = field(repr=False)
    _pool: ThreadPoolExecutor = field(repr=False)

    def fingerprints(self) -> Mapping[TableId, Future[Fingerprint]]:
        """Begin to fingerprint every table, some side by side."""
        return {contract.table: self._pool.submit(self._fingerprint, contract) for contract in self.contracts}

    def ask(self, contract: TableContract, query: str) -> list[tuple[Any, ...]]:
        """Run a query of ours about a table.

        Raises:
            SourceUnavailableError: It failed; with a role that row-level security binds, it always does.
        """
        session = self._free.get()
        try:
            return session.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            raise SourceUnavailableError(f"{contract.table} could not be read: {first_line(error)}.") from error
        finally:
            self._free.put(session)

    def _fingerprint(self, contract: TableContract) -> Fingerprint:
        ((rows, hash_hi, hash_lo),) = self.ask(contract, source_fingerprint_sql(contract))
        return Fingerprint(rows=int(rows), hash_hi=int(hash_hi), hash_lo=int(hash_lo))


@contextmanager
def source_moment(source_url: str, tables: Sequence[TableId]) -> Iterator[SourceMoment]:
    """Hold the source at a position that lies behind everything committed before.

    Raises:
        Whatever `compare_live` names of the source.
    """
    with ExitStack() as stack:
        control = stack.enter_context(open_source(source_url))
        check_source(control, tables)
        before = storage_of(control, tables)
        with export_snapshot(source_url) as snapshot:
            sessions = [
                stack.enter_context(join_snapshot(source_url, snapshot)) for _ in range(min(_SESSIONS, len(tables)))
            ]
        hold_tables(sessions[0], tables)
        after = storage_of(sessions[0], tables)
        moved = [str(table) for table in tables if before[table].files != after[table].files]
        if moved:
            raise TableMovedError(f"{', '.join(moved)} was rewritten or truncated at this moment; compare again.")
        contracts = tuple(read_contracts(sessions[0], tables))
        set_fence(control)  # So that readers of the log, the replicator among them, get beyond the position.
        free: SimpleQueue[psycopg.Connection] = SimpleQueue()
        for session in sessions:
            free.put(session)
        pool = stack.enter_context(ThreadPoolExecutor(len(sessions), thread_name_prefix="source"))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield SourceMoment(lsn=snapshot.lsn, contracts=contracts, _free=free, _pool=pool)


class _Table:
    """One table in all layers."""

    def __init__(
        self,
        moment: SourceMoment,
        connection: duckdb.DuckDBPyConnection,
        contract: TableContract,
        *,
        source: Fingerprint,
        most: int,
    ) -> None:
        self._moment = moment
        self._connection = connection
        self._contract = contract
        self._source = source
        self._most = most

    def compare(self, bronze: Layer, silver: Layer) -> LiveComparison:
        """Compare bronze with the source, and silver with bronze, or with the source where bronze says nothing."""
        started = time.perf_counter()
        contract, table = self._contract, self._contract.table
        at_source = _Rows(self._source, self._ask_source, source_buckets_sql(contract), self._source_rows)
        in_bronze = self._rows(bronze.tables.get(table))
        in_silver = self._rows(silver.tables.get(table))
        return LiveComparison(
            table=table.lake_name,
            source_table=str(table),
            source_rows=self._source.rows,
            source_hash=self._source.hash,
            bronze=self._layer(LakeLayer.BRONZE, bronze, before=at_source, here=in_bronze),
            silver=self._layer(LakeLayer.SILVER, silver, before=in_bronze or at_source, here=in_silver),
            seconds=time.perf_counter() - started,
        )

    def _layer(self, which: LakeLayer, layer: Layer, *, before: _Rows, here: _Rows | None) -> LayerComparison:
        table = self._contract.table
        rebuilt = layer.tables.get(table)
        if here is None:
            problem, guidance = self._why_not(which, layer.problems.get(table), rebuilt)
            return LayerComparison(layer=which, equal=False, rows=None, hash="", problem=problem, guidance=guidance)
        assert rebuilt is not None
        equal = here.fingerprint == before.fingerprint
        problem = guidance = ""
        if not equal and rebuilt.rejects:
            problem = f"{rebuilt.rejects:,} of its rows do not conform and are in quarantine"
            guidance = "`manage.py lakehouse quarantine` lists them."
        return LayerComparison(
            layer=which,
            equal=equal,
            rows=here.fingerprint.rows,
            hash=here.fingerprint.hash,
            problem=problem,
            guidance=guidance,
            refused=rebuilt.rejects,
            differences=() if equal else _differences(before, here, self._most),
        )

    def _why_not(
        self, which: LakeLayer, error: OperatorError | Exception | None, rebuilt: SilverTable | None
    ) -> tuple[str, str]:
        """Return why a layer cannot be compared, and what to do about it."""
        if error is not None:
            return str(error), getattr(error, "guidance", "")
        assert rebuilt is not None
        lacking = ", ".join(self._lacking(rebuilt))
        return (
            f"{which} lacks the column {lacking}",
            "The source sends a table's new shape with its next change: compare again after it.",
        )

    def _lacking(self, rebuilt: SilverTable) -> list[str]:
        return sorted(set(self._contract.column_names) - {each.name for each in rebuilt.table.schema().fields})

    def _rows(self, rebuilt: SilverTable | None) -> _Rows | None:
        """Return a scratch table's rows; None if they cannot be compared."""
        if rebuilt is None or self._lacking(rebuilt):
            return None
        contract, relation = self._contract, live_relation(rebuilt.table, rebuilt.live)
        ((rows, hash_hi, hash_lo),) = self._ask_duckdb(silver_fingerprint_sql(contract, relation))
        return _Rows(
            Fingerprint(rows=rows, hash_hi=hash_hi, hash_lo=hash_lo),
            self._ask_duckdb,
            silver_buckets_sql(contract, relation),
            lambda bucket: silver_rows_sql(contract, relation, bucket),
        )

    def _source_rows(self, bucket: str) -> str:
        return source_rows_sql(self._contract, bucket)

    def _ask_source(self, query: str) -> list[tuple[Any, ...]]:
        return self._moment.ask(self._contract, query)

    def _ask_duckdb(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb_errors():
            return self._connection.execute(query).fetchall()


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table's rows in one layer: their fingerprint, and how to ask for parts of them."""

    fingerprint: Fingerprint
    ask: Callable[[str], list[tuple[Any, ...]]]
    buckets_sql: str
    rows_sql: Callable[[str], str]

    def buckets(self) -> set[tuple[str, int, int, int]]:
        return {(str(bucket), int(rows), int(hi), int(lo)) for bucket, rows, hi, lo in self.ask(self.buckets_sql)}


def _differences(before: _Rows, here: _Rows, limit: int) -> tuple[Difference, ...]:
    """Name some of the keys that differ between two layers."""
    if not limit:
        return ()
    found: list[Difference] = []
    differing = sorted({bucket for bucket, *_ in before.buckets() ^ here.buckets()})
    for bucket in differing[:_BUCKETS_OPENED]:
        found += different_keys(before=before.ask(before.rows_sql(bucket)), here=here.ask(here.rows_sql(bucket)))
        if len(found) >= limit:
            break
    return tuple(found[:limit])
