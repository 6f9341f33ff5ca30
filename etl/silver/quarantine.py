"""Quarantine: the zone of rows that were refused, each with its reason and as it came.

A table that never had a reject has none. A row is known by its file and its number there,
so that the same file met twice is not quarantined twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.contracts.table import TableId
from etl.contracts.types import LogicalType
from etl.engine.catalog import catalog_errors, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.live_files import LiveFiles, live_files
from etl.engine.merge_on_read import is_settled, write_changes
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_session
from etl.engine.tables import ensure_table, live_relation, load_table, snapshot_relation
from etl.engine.types import iceberg_schema, iceberg_type
from etl.engine.write import table_write
from etl.ports.catalog import TableMissingError

QUARANTINE = "quarantine"

COLUMNS = (
    ("load_id", LogicalType.TEXT),
    ("file", LogicalType.TEXT),
    ("row", LogicalType.BIGINT),
    ("reason", LogicalType.TEXT),
    ("raw", LogicalType.JSON),
    ("change_seq", LogicalType.TEXT),
    ("key", LogicalType.JSON),
    ("contract_version", LogicalType.INTEGER),
)
"""Load that the table goes back to; file and row from 1; first reason; fields as texts; place among the changes;
key as far as it conforms; version of the contract that the row was written under."""


def quarantine_name(lake_name: str) -> str:
    """Return the qualified name of a table's quarantine."""
    return f"{QUARANTINE}.{lake_name}"


def find_quarantine(catalog: Catalog, lake_name: str) -> Table | None:
    """Return a table's quarantine; None if it never had a reject.

    Raises:
        CatalogUnavailableError: No answer.
    """
    try:
        return load_table(catalog, quarantine_name(lake_name))
    except TableMissingError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRows:
    """Rows of one table that were refused for one reason."""

    table: str
    """Lake name."""
    reason: str
    rows: int
    first: str
    """Where the first of them stands: file and row, from 1."""


def waiting_rows(lake: LakeConfig, tables: Sequence[TableId]) -> tuple[WaitingRows, ...]:
    """Count what is in the quarantines of some tables, by reason, in the order given.

    Raises:
        CatalogUnavailableError: No answer.
    """
    found = []
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        for table in tables:
            quarantine = find_quarantine(catalog, table.lake_name)
            if quarantine is None:
                continue
            counts = connection.execute(
                "SELECT reason, COUNT(*), MIN_BY(file || ', row ' || row, (change_seq, file, row)) "
                f"FROM ({quarantined_rows(quarantine)}) GROUP BY reason ORDER BY 2 DESC, 1"
            ).fetchall()
            found += [
                WaitingRows(table=table.lake_name, reason=reason, rows=rows, first=first)
                for reason, rows, first in counts
            ]
    return tuple(found)


def add_rejects(
    catalog: Catalog, connection: duckdb.DuckDBPyConnection, lake_name: str, *, load_id: str, selects: Sequence[str]
) -> None:
    """Put rows into quarantine that are not in it yet.

    Args:
        catalog: Where quarantine is.
        connection: Reads the rows.
        lake_name: The table's.
        load_id: The load that the table goes back to.
        selects: SELECTs of the rows: `COLUMNS` without the load.

    Raises:
        CommitConflictError: Someone else changed the quarantine meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        StoreFullError: No room.
    """
    table = ensure_table(catalog, quarantine_name(lake_name), iceberg_schema(COLUMNS), partition_by=None)
    _add_missing_columns(table)
    live = live_files(table)
    known = live_relation(table, live)
    new = (
        f"SELECT '{load_id}' AS load_id, found.* FROM ({' UNION ALL '.join(selects)}) AS found "
        f"WHERE NOT EXISTS (SELECT 1 FROM ({known}) AS known WHERE known.file = found.file AND known.row = found.row)"
    )
    with table_write(table, connection) as write:
        add, remove = write_changes(write, connection, live, new_rows=new, new_partitions=[None], has_gone=False)
        write.commit_delta(live, RowDelta(add=add, remove=remove, properties={}), is_settled=is_settled)


def keep_rejects(
    catalog: Catalog, connection: duckdb.DuckDBPyConnection, lake_name: str, *, select: str | None
) -> None:
    """Make quarantine hold exactly the rows of a SELECT with `COLUMNS`; for no rows none is made.

    Raises:
        CommitConflictError: Someone else changed the quarantine meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        StoreFullError: No room.
    """
    if select is None:
        table = find_quarantine(catalog, lake_name)
        if table is None:
            return
    else:
        table = ensure_table(catalog, quarantine_name(lake_name), iceberg_schema(COLUMNS), partition_by=None)
        _add_missing_columns(table)
    live = live_files(table)
    with table_write(table, connection) as write:
        files = write.parquet(select) if select is not None else ()
        delta = RowDelta(add=files, remove=(*live.data, *live.deletes), properties={})
        write.commit_delta(live, delta, is_settled=is_settled)


def drop_rejects(table: Table, connection: duckdb.DuckDBPyConnection, live: LiveFiles, *, gone: str) -> None:
    """Take rows out of quarantine.

    Args:
        table: The quarantine.
        connection: Reads and writes it.
        live: Its files.
        gone: A SELECT of ``file`` and ``row``.

    Raises:
        CommitConflictError: Someone else changed the quarantine meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        StoreFullError: No room.
    """
    kept = f"SELECT * FROM ({live_relation(table, live)}) AS known ANTI JOIN ({gone}) AS gone USING (file, row)"
    with table_write(table, connection) as write:
        delta = RowDelta(add=write.parquet(kept), remove=(*live.data, *live.deletes), properties={})
        write.commit_delta(live, delta, is_settled=is_settled)


def quarantined_rows(table: Table) -> str:
    """Return a SELECT over a quarantine's rows."""
    return snapshot_relation(table)


def _add_missing_columns(table: Table) -> None:
    present = {field.name for field in table.schema().fields}
    missing = [(name, kind) for name, kind in COLUMNS if name not in present]
    if missing:
        with catalog_errors(), table.update_schema() as update:
            for name, kind in missing:
                update.add_column((name,), iceberg_type(kind))
