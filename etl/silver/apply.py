"""Bring a full load into silver: each table's rows replaced in one snapshot.

The snapshot's summary carries the load's id and watermark, so a repeated load finds its
own work and does nothing, and a reader of any snapshot knows where in the source's log it
stands. Rows that do not conform go to ``quarantine.<table>``, as they came.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from etl.contracts.table import TableContract
from etl.engine.live_files import live_files
from etl.engine.merge_on_read import is_settled
from etl.engine.row_delta import RowDelta
from etl.engine.sql import identifier
from etl.engine.tables import ensure_table, relation, summary
from etl.engine.write import TableWrite, table_write
from etl.errors import OperatorError
from etl.silver.changes import readable
from etl.silver.conform import latest
from etl.silver.evolve import FILLS, evolve, new_table_properties, silver_schema
from etl.silver.load import LoadedTable
from etl.silver.quarantine import keep_rejects
from etl.silver.summary import CONTRACT_VERSION, LOAD_ID, REJECTS, SOURCE_LSN, WATERMARK
from etl.silver.table import SILVER
from etl.silver.tombstones import Tombstones


class StaleLoadError(OperatorError):
    """Silver already holds a newer load than the one to apply."""

    guidance: ClassVar[str] = "Nothing to do: start a new run instead of repeating an old one."


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTable:
    """What became of one table of a load."""

    table: str
    """Lake name: silver holds it as ``silver.<table>``."""
    rows_in: int
    rows: int
    """Current rows in silver."""
    rejects: int
    duplicates: int
    """Rows dropped because a newer one has their key."""
    size_bytes: int
    """Of silver's data files."""
    tenant_rows: Mapping[str, int]
    """Rows of silver's data files by tenant's number; empty if the table is not kept by tenant."""
    snapshot_id: int
    seconds: float
    unchanged: bool
    """Silver held this load already; nothing was done."""


def apply_load(catalog: Catalog, connection: duckdb.DuckDBPyConnection, loaded: LoadedTable) -> AppliedTable:
    """Replace one table's silver rows by those of a full load.

    Before: the load's files are verified. After: one new snapshot with exactly the load's
    conforming rows, the newest per key. Idempotent by the load's id.

    Args:
        catalog: Where silver's tables are.
        connection: A DuckDB session, or a cursor of one, that may read bronze and write silver.
        loaded: The table's part of the load.

    Raises:
        BronzeDamagedError: The files do not hold the rows that their manifests count.
        IncompatibleContractError: The contract cannot hold what silver holds.
        StaleLoadError: Silver holds a newer load.
        CommitConflictError: Someone else changed the table meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        CatalogUnavailableError: The catalog did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    started = time.perf_counter()
    contract, load = loaded.contract, loaded.load
    name = contract.table.lake_name
    table = ensure_table(
        catalog,
        f"{SILVER}.{name}",
        silver_schema(contract),
        partition_by=contract.tenant_column,
        properties=new_table_properties(contract),
    )
    standing = summary(table).get(LOAD_ID, "")
    if standing > load.load_id:
        raise StaleLoadError(table=name, load_id=load.load_id, silver_load_id=standing)
    if standing < load.load_id:
        evolve(table, contract)
        live = live_files(table)
        with table_write(table, connection) as write, readable(contract):
            files, rejects = _write_good_rows(write, connection, loaded)
            keep_rejects(catalog, connection, name, select=loaded.rejected_rows if rejects else None)
            delta = RowDelta(
                add=files,
                remove=(*live.data, *live.deletes),
                properties={
                    LOAD_ID: load.load_id,
                    WATERMARK: loaded.watermark,
                    SOURCE_LSN: str(load.lsn),
                    CONTRACT_VERSION: str(contract.version),
                    REJECTS: str(rejects),
                },
                remove_table_properties=(FILLS,) if FILLS in table.properties else (),
            )
            write.commit_delta(live, delta, is_settled=is_settled)
        Tombstones(catalog, name).clear(connection)
    seconds = time.perf_counter() - started
    return applied_table(table, loaded, seconds=seconds, unchanged=standing == load.load_id)


def applied_table(table: Table, loaded: LoadedTable, *, seconds: float, unchanged: bool) -> AppliedTable:
    """Tell what became of a table of a load, by what its snapshot says, whichever engine made that."""
    now = summary(table)
    rows, rejects = int(now["total-records"]) - int(now.get("total-position-deletes", "0")), int(now[REJECTS])
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return AppliedTable(
        table=loaded.contract.table.lake_name,
        rows_in=loaded.rows,
        rows=rows,
        rejects=rejects,
        duplicates=loaded.rows - rows - rejects,
        size_bytes=int(now["total-files-size"]),
        tenant_rows=tenant_rows(table),
        snapshot_id=snapshot.snapshot_id,
        seconds=seconds,
        unchanged=unchanged,
    )


def tenant_rows(table: Table) -> dict[str, int]:
    """Count the rows of a table's data files by tenant's number; empty if it is not kept by tenant."""
    by_partition = live_files(table).data_by_partition
    return {str(tenant): _rows(files) for tenant, files in by_partition.items() if tenant is not None}


def _write_good_rows(
    write: TableWrite, connection: duckdb.DuckDBPyConnection, loaded: LoadedTable
) -> tuple[tuple[DataFile, ...], int]:
    """Write the conforming rows, the newest per key; return their files and the number of rejects.

    A usual load, without rejects and with unique keys, is read once. Only where the
    counts do not add up is it read again.
    """
    if not loaded.files:
        return (), 0
    files = write.parquet(loaded.good_rows)
    rejects = 0 if _rows(files) == loaded.rows else loaded.count_rejects(connection)
    if _distinct_keys(write.table, connection, loaded.contract, files) != _rows(files):
        write.remove(files)
        files = write.parquet(latest(loaded.contract, loaded.good_rows))
    return files, rejects


def _rows(files: Sequence[DataFile]) -> int:
    return sum(file.record_count for file in files)


def _distinct_keys(
    table: Table, connection: duckdb.DuckDBPyConnection, contract: TableContract, files: Sequence[DataFile]
) -> int:
    key = ", ".join(identifier(name) for name in contract.key)
    ((keys,),) = connection.execute(
        f"SELECT COUNT(*) FROM (SELECT DISTINCT {key} FROM ({relation(table, files)}))"
    ).fetchall()
    return int(keys)
