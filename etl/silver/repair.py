"""Put a silver table's wrong rows right: what bronze says of their keys takes their place, in one snapshot.

Everything else of the table, and how far it is in the source's log, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import duckdb
from pyiceberg.catalog import Catalog

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.store import read_contract
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.live_files import PartitionValue
from etl.engine.merge_on_read import GONE, is_settled, write_changes
from etl.engine.row_delta import RowDelta
from etl.engine.scratch import scratch_catalog, scratch_folder
from etl.engine.session import duckdb_errors, duckdb_session
from etl.engine.sql import identifier
from etl.engine.tables import FILE_COLUMN, POSITION_COLUMN, live_relation, located, partition_column
from etl.engine.write import table_write
from etl.errors import OperatorError
from etl.ports.object_store import ObjectStore
from etl.quality.fingerprint import silver_hashes_sql, silver_key_sql
from etl.silver.applier import ChangeApplier
from etl.silver.rebuild import from_bronze
from etl.silver.table import SilverTable
from etl.silver.tombstones import key_text

_WRONG, _HELD, _RIGHT = "wrong_keys", "held_rows", "right_rows"
"""Temporary tables: keys (as one text) whose rows differ; where silver has rows of them; the rows it should have."""

_KEY = identifier("key text\n")
_FILE, _POSITION = identifier(FILE_COLUMN), identifier(POSITION_COLUMN)


class NotRepairableError(OperatorError):
    """A table's wrong rows cannot be put right from bronze."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync <table>`: it loads the table anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of one table."""

    table: str
    """Lake name."""
    keys: int
    """Whose rows were wrong."""
    removed: int
    """Rows that went, among them those that were replaced."""
    added: int
    """Rows that came in their place, or were missing."""
    lsn: int
    """The position of the source's log that the table is complete up to, before as after."""
    snapshot_id: int


def repair(
    catalog: Catalog,
    connection: duckdb.DuckDBPyConnection,
    lake: LakeConfig,
    store: ObjectStore,
    table: TableId,
    *,
    slot: str,
    committing: Callable[[Repaired], AbstractContextManager[object]] = nullcontext,
) -> Repaired:
    """Compare a silver table with bronze at the position where it stands, and put the keys right that differ.

    Before: nobody else writes silver. After: silver's rows are those that bronze says, but for
    rows in quarantine. Idempotent: a table that is right is left alone.

    Args:
        catalog: Of the lake.
        connection: A DuckDB session of one's own: its temporary tables are used.
        lake: Where scratch tables go.
        store: Bronze.
        table: What to repair.
        slot: Whose changes continue the loads; empty if nothing does.
        committing: Gives, for what is about to be done, a context to commit in; an error on its entry leaves the
            table as it was.

    Raises:
        TableNotLoadedError: Silver has no such table.
        NotRepairableError: Bronze cannot say what the rows should be.
        CommitConflictError: Someone else changed the table meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        CatalogUnavailableError: The catalog did not answer.
        StoreUnavailableError: Bronze did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room.
    """
    silver = SilverTable(catalog, table.lake_name)
    with ChangeApplier(catalog, connection, store, slot=slot, tables=[table], threads=1) as applier:
        lsn = applier.complete()[table]
    with scratch_folder(lake) as folder, scratch_catalog(folder) as scratch, duckdb_errors():
        layer = from_bronze(scratch, connection, store, [table], slot=slot, lsn=lsn)
        if table in layer.problems:
            raise NotRepairableError(f"{table} cannot be repaired: {layer.problems[table]}")
        right = layer.tables[table]
        names = [{field.name for field in each.table.schema().fields} for each in (silver, right)]
        if names[0] != names[1]:
            raise NotRepairableError(f"{table} has other columns in silver than in bronze.")
        contract = read_contract(store, table, silver.contract_version)
        planned = Repaired(
            table=silver.lake_name,
            keys=_find(connection, contract, silver, right),
            removed=_count(connection, _HELD),
            added=_count(connection, _RIGHT),
            lsn=int(lsn),
            snapshot_id=silver.snapshot_id,
        )
        if not planned.keys:
            return planned
        with committing(planned):
            _bury(connection, contract, silver, right)
            _commit(connection, silver, planned)
    return replace(planned, snapshot_id=silver.snapshot_id)


def repair_table(
    lake: LakeConfig,
    store: ObjectStore,
    table: TableId,
    *,
    slot: str,
    committing: Callable[[Repaired], AbstractContextManager[object]] = nullcontext,
) -> Repaired:
    """Open the lake and `repair` one table.

    Raises:
        Whatever `repair` raises.
    """
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        return repair(catalog, connection, lake, store, table, slot=slot, committing=committing)


def _find(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, silver: SilverTable, right: SilverTable
) -> int:
    """Fill the temporary tables; return how many keys differ."""
    paths = [file.file_path for file in silver.live.data]
    deletes = {file.file_path: silver.live.deletes_of(file) for file in silver.live.data}
    held = located(silver.table, paths, deletes=deletes)
    rebuilt = live_relation(right.table, right.live)
    key = silver_key_sql(contract)
    both = (
        f"SELECT key, h, 1 AS n FROM ({silver_hashes_sql(contract, rebuilt)}) "
        f"UNION ALL SELECT key, h, -1 AS n FROM ({silver_hashes_sql(contract, held)})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_WRONG} AS SELECT DISTINCT key AS {_KEY} "
        f"FROM (SELECT key FROM ({both}) GROUP BY key, h HAVING SUM(n) <> 0)"
    )
    chosen = f"SEMI JOIN {_WRONG} USING ({_KEY})"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_HELD} AS SELECT * FROM (SELECT *, {key} AS {_KEY} FROM ({held})) {chosen}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_RIGHT} AS SELECT * FROM (SELECT *, {key} AS {_KEY} FROM ({rebuilt})) {chosen}"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT {_FILE}, {_POSITION} FROM {_HELD}")
    return _count(connection, _WRONG)


def _bury(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, silver: SilverTable, right: SilverTable
) -> None:
    """Give silver the tombstones that it lacks of the keys whose rows go, before they go."""
    known, buried = silver.tombstones.relation, right.tombstones.relation
    if buried is None:
        return
    seq, committed_at = identifier(CHANGE_SEQ_FIELD), identifier(COMMITTED_AT_FIELD)
    going = f"SELECT {key_text(contract, of=_HELD)} AS key FROM {_HELD} ANTI JOIN {_RIGHT} USING ({_KEY})"
    select = f"SELECT key, {seq}, {committed_at} FROM ({buried}) AS buried WHERE key IN ({going})"
    if known is not None:
        select = f"SELECT * FROM ({select}) AS lacking ANTI JOIN ({known}) AS known USING (key, {seq})"
    ((lacking,),) = connection.execute(f"SELECT COUNT(*) FROM ({select})").fetchall()
    if lacking:
        silver.tombstones.add(connection, select)


def _commit(connection: duckdb.DuckDBPyConnection, silver: SilverTable, planned: Repaired) -> None:
    """Make the snapshot."""
    with table_write(silver.table, connection) as write:
        add, remove = write_changes(
            write,
            connection,
            silver.live,
            new_rows=f"SELECT * EXCLUDE ({_KEY}) FROM {_RIGHT}",
            new_partitions=_partitions(connection, silver) if planned.added else (),
            has_gone=bool(planned.removed),
        )
        delta = RowDelta(add=add, remove=remove, properties=silver.properties(), expire=silver.expired)
        silver.live = write.commit_delta(silver.live, delta, is_settled=is_settled)


def _partitions(connection: duckdb.DuckDBPyConnection, silver: SilverTable) -> list[PartitionValue]:
    """Return the partitions of the rows that come."""
    column = partition_column(silver.table)
    if column is None:
        return [None]
    return [value for (value,) in connection.execute(f"SELECT DISTINCT {identifier(column)} FROM {_RIGHT}").fetchall()]


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
    return int(count)
