"""Prove a full load: silver's snapshot of it against what PostgreSQL computed within the load's own snapshot.

`etl.quality.live` compares the layers as they go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.bronze.layout import fingerprints_key
from etl.contracts.table import TableContract, TableId
from etl.engine.session import duckdb_errors
from etl.engine.tables import load_table, snapshot_relation
from etl.errors import OperatorError
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.quality.fingerprint import Fingerprint, silver_fingerprint_sql
from etl.silver.summary import LOAD_ID
from etl.silver.table import SILVER


class NotFingerprintedError(OperatorError):
    """The full load was made without fingerprints of the source."""

    guidance: ClassVar[str] = "Compare with the live source instead: `manage.py lakehouse reconcile`."


class LoadNotAppliedError(OperatorError):
    """Silver does not hold the load to reconcile."""

    guidance: ClassVar[str] = "Run the pipeline again: `manage.py lakehouse run`."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableComparison:
    """What the comparison of one table found."""

    table: str
    """Lake name."""
    equal: bool
    source_rows: int
    silver_rows: int
    source_hash: str
    silver_hash: str
    seconds: float


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
    return TableComparison(
        table=contract.table.lake_name,
        equal=source == silver,
        source_rows=source.rows,
        silver_rows=silver.rows,
        source_hash=source.hash,
        silver_hash=silver.hash,
        seconds=time.perf_counter() - started,
    )


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
