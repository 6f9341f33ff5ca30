"""Tombstones: which keys are gone, and since which change, so that an older change brings none of them back.

Changes are applied in order, so only one that comes late, a replayed reject, asks for them. A
table without deletes has none. A truncate is one tombstone without a key.
"""

from __future__ import annotations

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import TableContract
from etl.contracts.types import LogicalType
from etl.engine.live_files import LiveFiles, live_files
from etl.engine.merge_on_read import is_settled, write_changes
from etl.engine.row_delta import RowDelta
from etl.engine.sql import identifier
from etl.engine.tables import ensure_table, live_relation, load_table
from etl.engine.types import iceberg_schema
from etl.engine.write import table_write
from etl.ports.catalog import TableMissingError
from etl.silver.evolve import METADATA_PROPERTIES

TOMBSTONES = "tombstones"
"""The namespace."""

_COLUMNS = (
    ("key", LogicalType.TEXT),
    (CHANGE_SEQ_FIELD, LogicalType.TEXT),
    (COMMITTED_AT_FIELD, LogicalType.TIMESTAMPTZ),
)


class Tombstones:
    """The tombstones of one silver table, open."""

    def __init__(self, catalog: Catalog, lake_name: str) -> None:
        """Open them, if there are any.

        Raises:
            CatalogUnavailableError: No answer.
        """
        self._catalog = catalog
        self._name = f"{TOMBSTONES}.{lake_name}"
        self._table: Table | None = None
        self._live = LiveFiles(snapshot_id=None, manifests=())
        try:
            self._open(load_table(catalog, self._name))
        except TableMissingError:
            return

    @property
    def relation(self) -> str | None:
        """A SELECT of ``key``, change sequence and commit time; None if there are none."""
        return live_relation(self._table, self._live) if self._table is not None and self._live.data else None

    def add(self, connection: duckdb.DuckDBPyConnection, select: str) -> None:
        """Add the rows of a SELECT of `_COLUMNS`: ``key`` as `key_text` gives it, NULL for a truncate.

        Raises:
            CommitConflictError: Someone else changed the table meanwhile.
            CommitUnknownError: The catalog went away during the commit.
            StoreFullError: No room.
        """
        if self._table is None:
            schema = iceberg_schema(_COLUMNS)
            properties = METADATA_PROPERTIES
            self._open(ensure_table(self._catalog, self._name, schema, partition_by=None, properties=properties))
        assert self._table is not None
        with table_write(self._table, connection) as write:
            add, remove = write_changes(
                write, connection, self._live, new_rows=select, new_partitions=[None], has_gone=False
            )
            expire = tuple(snapshot.snapshot_id for snapshot in self._table.snapshots()[:-1])
            delta = RowDelta(add=add, remove=remove, properties={}, expire=expire)
            self._live = write.commit_delta(self._live, delta, is_settled=is_settled)

    def clear(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Forget all: a full load is the whole truth about what was before it.

        Raises:
            CommitConflictError: Someone else changed the table meanwhile.
            CommitUnknownError: The catalog went away during the commit.
        """
        if self._table is None or not self._live.data:
            return
        with table_write(self._table, connection) as write:
            delta = RowDelta(add=(), remove=self._live.data, properties={})
            self._live = write.commit_delta(self._live, delta, is_settled=is_settled)

    def _open(self, table: Table) -> None:
        self._table, self._live = table, live_files(table)


def key_text(contract: TableContract, *, of: str) -> str:
    """Return the SQL expression for the key of a row of relation ``of`` as one text: a JSON list of texts.

    Neither a renamed nor a widened column changes it.
    """
    values = ", ".join(f"CAST({of}.{identifier(name)} AS VARCHAR)" for name in contract.key)
    return f"CAST(TO_JSON([{values}]) AS VARCHAR)"
