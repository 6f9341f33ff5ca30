"""Compare silver with the source: the same rows, or which ones differ.

`compare_load` proves a full load: silver's snapshot of it against the fingerprints that
PostgreSQL computed within the load's own snapshot. `compare_live` asks the source as it is
now, under one snapshot over all tables, and names differing keys.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any, ClassVar

import duckdb
import psycopg
from psycopg import sql
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.bronze.layout import fingerprints_key
from etl.contracts.source import first_line, open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_errors, duckdb_session
from etl.engine.tables import load_table, snapshot_relation
from etl.errors import OperatorError
from etl.ports.catalog import TableMissingError
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.quality.fingerprint import (
    Fingerprint,
    silver_buckets_sql,
    silver_fingerprint_sql,
    silver_rows_sql,
    source_buckets_sql,
    source_fingerprint_sql,
    source_rows_sql,
)
from etl.silver.summary import LOAD_ID
from etl.silver.table import SILVER

_SESSIONS = 2
"""Tables compared at the same time; each keeps about one core of the source busy."""

_BUCKETS_OPENED = 4
"""Differing buckets whose rows are read, of 256: bounds memory when a whole table differs."""


class NotFingerprintedError(OperatorError):
    """The full load was made without fingerprints of the source."""

    guidance: ClassVar[str] = "Compare with the live source instead: `manage.py lakehouse reconcile`."


class LoadNotAppliedError(OperatorError):
    """Silver does not hold the load to reconcile."""

    guidance: ClassVar[str] = "Run the pipeline again: `manage.py lakehouse run`."


class DifferenceKind(StrEnum):
    """How a key differs."""

    MISSING = "missing"
    """At the source, not in silver."""
    EXTRA = "extra"
    """In silver, not at the source."""
    CHANGED = "changed"
    """On both sides, with other values or another number of times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key whose rows differ."""

    key: str
    """The key's fields joined by ``|``; a text field is preceded by its length."""
    kind: DifferenceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TableComparison:
    """What the comparison of one table found."""

    table: str
    """Lake name."""
    equal: bool
    source_rows: int
    silver_rows: int | None
    """None where silver cannot be read; see ``problem``."""
    source_hash: str
    silver_hash: str
    seconds: float
    problem: str = ""
    """Why silver could not be compared at all."""
    differences: tuple[Difference, ...] = ()
    """Some of the differing keys, where they were looked for."""


def compare_load(
    catalog: Catalog, connection: duckdb.DuckDBPyConnection, contract: TableContract, load_id: str, source: Fingerprint
) -> TableComparison:
    """Compare a table as a full load left it in silver with the source's fingerprint of the same moment.

    Raises:
        TableMissingError: Silver has no such table.
        LoadNotAppliedError: No snapshot of it is this load's.
        CatalogUnavailableError: The catalog did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
    """
    started = time.perf_counter()
    table = load_table(catalog, f"{SILVER}.{contract.table.lake_name}")
    relation = snapshot_relation(table, snapshot_id=_snapshot_of_load(table, load_id))
    silver = _silver_fingerprint(connection, contract, relation)
    return _comparison(contract.table, source, silver, started)


def read_fingerprints(store: ObjectStore, load_id: str) -> Mapping[TableId, Fingerprint]:
    """Return what a full load recorded of the source, by table.

    Raises:
        NotFingerprintedError: It recorded nothing.
        StoreUnavailableError: The store did not answer.
    """
    try:
        recorded = json.loads(store.get(fingerprints_key(load_id)))
    except ObjectMissingError as error:
        raise NotFingerprintedError(load_id=load_id) from error
    return {TableId.parse(table): Fingerprint(**numbers) for table, numbers in recorded.items()}


def compare_live(
    source_url: str, lake: LakeConfig, tables: Sequence[TableId], *, differences: int = 20
) -> tuple[TableComparison, ...]:
    """Compare silver's current snapshots with the source as it is now, in the order given.

    All tables are read under one snapshot of the source, whole, whatever row-level
    security hides from others.

    Args:
        source_url: A role that may read every row.
        lake: Where silver is.
        tables: What to compare.
        differences: How many differing keys to name per table, at most.

    Raises:
        SourceNotReadyError: A table is not at the source.
        SourceUnavailableError: The source did not answer, or hides rows from this role.
        CatalogUnavailableError: The catalog did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
    """
    with ExitStack() as stack:
        catalog = stack.enter_context(open_catalog(lake))
        sessions = stack.enter_context(_one_snapshot(source_url, min(_SESSIONS, len(tables))))
        duckdb_connection = stack.enter_context(duckdb_session(lake))
        free: SimpleQueue[psycopg.Connection] = SimpleQueue()
        contracts = read_contracts(sessions[0], tables)
        for session in sessions:
            free.put(session)

        def compare(contract: TableContract) -> TableComparison:
            session = free.get()
            try:
                with duckdb_connection.cursor() as cursor:
                    return _Live(session, cursor, catalog, contract).compare(differences)
            finally:
                free.put(session)

        with ThreadPoolExecutor(len(sessions), thread_name_prefix="reconcile") as pool:
            return tuple(pool.map(compare, contracts))


class _Live:
    """One table on both sides."""

    def __init__(
        self,
        source: psycopg.Connection,
        silver: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        contract: TableContract,
    ) -> None:
        self._source = source
        self._silver = silver
        self._catalog = catalog
        self._contract = contract

    def compare(self, differences: int) -> TableComparison:
        """Compare fingerprints; where they differ, look for up to ``differences`` keys."""
        started = time.perf_counter()
        contract = self._contract
        ((rows, hash_hi, hash_lo),) = self._ask_source(source_fingerprint_sql(contract))
        source = Fingerprint(rows=int(rows), hash_hi=int(hash_hi), hash_lo=int(hash_lo))
        try:
            table = load_table(self._catalog, f"{SILVER}.{contract.table.lake_name}")
        except TableMissingError as error:
            return _comparison(contract.table, source, None, started, problem=error.message)
        lacking = sorted(set(contract.column_names) - {field.name for field in table.schema().fields})
        if lacking:
            problem = f"silver lacks the column {', '.join(lacking)}"
            return _comparison(contract.table, source, None, started, problem=problem)
        relation = snapshot_relation(table)
        silver = _silver_fingerprint(self._silver, contract, relation)
        found = () if silver == source or not differences else tuple(self._differences(relation, differences))
        return _comparison(contract.table, source, silver, started, differences=found)

    def _differences(self, relation: str, limit: int) -> list[Difference]:
        contract = self._contract
        with duckdb_errors():
            in_silver = set(self._silver.execute(silver_buckets_sql(contract, relation)).fetchall())
        at_source = {
            (bucket, rows, int(hi), int(lo)) for bucket, rows, hi, lo in self._ask_source(source_buckets_sql(contract))
        }
        buckets = sorted({str(bucket) for bucket, *_ in in_silver ^ at_source})
        found: list[Difference] = []
        for bucket in buckets[:_BUCKETS_OPENED]:
            with duckdb_errors():
                here = self._silver.execute(silver_rows_sql(contract, relation, bucket)).fetchall()
            there = self._ask_source(source_rows_sql(contract, bucket))
            found += _different_keys(source=there, silver=here)
            if len(found) >= limit:
                break
        return found[:limit]

    def _ask_source(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query of ours at the source.

        Raises:
            SourceUnavailableError: It failed; with a role that row-level security binds, it always does.
        """
        try:
            return self._source.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            message = f"{self._contract.table} could not be read: {first_line(error)}."
            raise SourceUnavailableError(message) from error


@contextmanager
def _one_snapshot(source_url: str, count: int) -> Iterator[list[psycopg.Connection]]:
    """Open sessions of the source that all see the same moment.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    with ExitStack() as stack:
        sessions = [stack.enter_context(closing(open_source(source_url))) for _ in range(count)]
        try:
            for session in sessions:
                session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            ((snapshot,),) = sessions[0].execute("SELECT pg_export_snapshot()").fetchall()
            for session in sessions[1:]:
                session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        except psycopg.Error as error:
            raise SourceUnavailableError(f"The source gave no snapshot: {first_line(error)}.") from error
        yield sessions


def _snapshot_of_load(table: Table, load_id: str) -> int:
    """Return the snapshot that a full load made: the oldest of those that go back to it.

    Raises:
        LoadNotAppliedError: There is none.
    """
    for snapshot in table.snapshots():
        if snapshot.summary and snapshot.summary.additional_properties.get(LOAD_ID) == load_id:
            return snapshot.snapshot_id
    raise LoadNotAppliedError(table=".".join(table.name()), load_id=load_id)


def _silver_fingerprint(connection: duckdb.DuckDBPyConnection, contract: TableContract, relation: str) -> Fingerprint:
    with duckdb_errors():
        ((rows, hash_hi, hash_lo),) = connection.execute(silver_fingerprint_sql(contract, relation)).fetchall()
    return Fingerprint(rows=rows, hash_hi=hash_hi, hash_lo=hash_lo)


def _comparison(
    table: TableId,
    source: Fingerprint,
    silver: Fingerprint | None,
    started: float,
    *,
    problem: str = "",
    differences: tuple[Difference, ...] = (),
) -> TableComparison:
    return TableComparison(
        table=table.lake_name,
        equal=source == silver,
        source_rows=source.rows,
        silver_rows=silver.rows if silver else None,
        source_hash=source.hash,
        silver_hash=silver.hash if silver else "",
        seconds=time.perf_counter() - started,
        problem=problem,
        differences=differences,
    )


def _different_keys(*, source: Sequence[tuple[object, ...]], silver: Sequence[tuple[object, ...]]) -> list[Difference]:
    """Compare (key, hash) rows as multisets; return the keys that differ, sorted."""
    source_rows, silver_rows = Counter(source), Counter(silver)
    source_keys = {str(key) for key, _ in source_rows}
    silver_keys = {str(key) for key, _ in silver_rows}
    different = {str(key) for key, _ in (source_rows - silver_rows) + (silver_rows - source_rows)}
    return [Difference(key=key, kind=_kind(key, source_keys, silver_keys)) for key in sorted(different)]


def _kind(key: str, source_keys: set[str], silver_keys: set[str]) -> DifferenceKind:
    if key not in silver_keys:
        return DifferenceKind.MISSING
    return DifferenceKind.CHANGED if key in source_keys else DifferenceKind.EXTRA
