"""Try the rows in quarantine once more: what conforms now goes where it belongs, unless newer changes overtook it.

A row is read under the contract that silver follows now: one that did not fit its column
fits a wider one. What silver holds as newer, or has a tombstone of, is left as it is: an
older change brings no row back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
from pyiceberg.catalog import Catalog

from etl.bronze.layout import CHANGE_SEQ_FIELD, OLD_KEY_FIELD, OP_FIELD, OWN_FIELDS, UNCHANGED_FIELD
from etl.contracts.store import read_contract
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.live_files import live_files
from etl.engine.session import duckdb_errors, duckdb_session
from etl.engine.sql import identifier, literal
from etl.engine.tables import live_relation
from etl.ports.object_store import ObjectStore
from etl.silver.apply_changes import Merge
from etl.silver.changes import REJECTED, STAGED, Staged
from etl.silver.conform import REASON_COLUMN, conformed_changes, listed, old_key_columns
from etl.silver.failpoint import Failpoint, Moment, ignore
from etl.silver.quarantine import drop_rejects, find_quarantine
from etl.silver.table import SilverTable

_REFUSED, _RESOLVED = "refused_rows", "resolved_rows"
"""Temporary tables: what is in quarantine, and where the rows stand that need no more to be in it."""

_FILE, _ROW = "file\n", "row\n"
_NO_LIMIT = 2**63 - 1
_SEQ, _OP, _REASON = identifier(CHANGE_SEQ_FIELD), identifier(OP_FIELD), identifier(REASON_COLUMN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a table's quarantine."""

    table: str
    """Lake name."""
    resolved: int = 0
    """Rows that left quarantine: applied, or overtaken by newer changes."""
    remaining: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    snapshot_id: int


def replay(
    silver: SilverTable,
    catalog: Catalog,
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    table: TableId,
    *,
    failpoint: Failpoint = ignore,
) -> Replayed:
    """Apply what conforms of a table's quarantine, and take it out of there. Idempotent.

    Args:
        silver: The open table; at its newest snapshot afterwards.
        catalog: Where its quarantine and tombstones are.
        connection: A DuckDB session of one's own: its temporary tables are used.
        store: Bronze, for the contracts.
        table: The table at the source.
        failpoint: Told of each moment passed.

    Raises:
        ObjectMissingError: A contract is not recorded.
        CommitConflictError: Someone else changed the table meanwhile: replay again.
        CommitUnknownError: The catalog went away during a commit.
        CatalogUnavailableError: The catalog did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    quarantine = find_quarantine(catalog, silver.lake_name)
    if quarantine is None:
        return Replayed(table=silver.lake_name, snapshot_id=silver.snapshot_id)
    live = live_files(quarantine)
    contract = read_contract(store, table, silver.contract_version)
    with duckdb_errors():
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_REFUSED} AS SELECT * FROM ({live_relation(quarantine, live)}) "
            f"WHERE load_id = {literal(silver.load_id)}"
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_RESOLVED} (file VARCHAR, row BIGINT)")
    remaining = _count(connection, f"SELECT COUNT(*) FROM {_REFUSED}")
    total = Replayed(table=silver.lake_name, remaining=remaining, snapshot_id=silver.snapshot_id)
    # The load's rows, which all have one change sequence, come before every change.
    for part in (f"change_seq <= {literal(silver.load_floor)}", f"change_seq > {literal(silver.load_floor)}"):
        with duckdb_errors():
            staged = _stage(connection, contract, list(_selects(connection, store, contract, part)))
            if staged is None:
                continue
            work = Merge(
                silver, catalog, connection, contract=contract, staged=staged, is_late=True, failpoint=failpoint
            )
            work.decide()
            resolved = _resolve(connection)
        if not resolved:
            continue
        work.bury()
        inserted, updated, deleted = work.commit(silver.properties(rejects=str(total.remaining - resolved)))
        total = Replayed(
            table=silver.lake_name,
            resolved=total.resolved + resolved,
            remaining=total.remaining - resolved,
            inserted=total.inserted + inserted,
            updated=total.updated + updated,
            deleted=total.deleted + deleted,
            snapshot_id=silver.snapshot_id,
        )
    if total.resolved:
        drop_rejects(quarantine, connection, live, gone=f"SELECT * FROM {_RESOLVED}")
        failpoint(Moment.QUARANTINED)
    return total


def replay_tables(lake: LakeConfig, store: ObjectStore, tables: Sequence[TableId]) -> tuple[Replayed, ...]:
    """Replay the quarantines of some tables, in the order given; leave out those without a row in it.

    Raises:
        TableNotLoadedError: A table has a quarantine, but no full load.
        LakehouseError: Whatever else `replay` raises.
    """
    found = []
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        for table in tables:
            if find_quarantine(catalog, table.lake_name) is None:
                continue
            silver = SilverTable(catalog, table.lake_name)
            with connection.cursor() as cursor:
                replayed = replay(silver, catalog, cursor, store, table)
            if replayed.resolved or replayed.remaining:
                found.append(replayed)
    return tuple(found)


def _selects(connection: duckdb.DuckDBPyConnection, store: ObjectStore, now: TableContract, part: str) -> Iterator[str]:
    """Give SELECTs of a part of the refused rows as a bronze relation of changes has them, by today's names."""
    found = f"SELECT DISTINCT contract_version FROM {_REFUSED} WHERE {part} AND contract_version IS NOT NULL ORDER BY 1"
    for (version,) in connection.execute(found).fetchall():
        fields = ", ".join(_fields(read_contract(store, now.table, version), now))
        raw = "CAST(CAST(raw AS JSON) AS MAP(VARCHAR, VARCHAR)) AS raw"
        yield (
            f"SELECT file AS {identifier(_FILE)}, row AS {identifier(_ROW)}, {fields} "
            f"FROM (SELECT file, row, {raw} FROM {_REFUSED} WHERE {part} AND contract_version = {version})"
        )


def _fields(then: TableContract, now: TableContract) -> Iterator[str]:
    """Give the expression of each field; a column is the same if its number at the source is."""
    for name in OWN_FIELDS:
        yield f"raw[{literal(name)}] AS {identifier(name)}"
    old_names = {column.attnum: column.name for column in then.columns}
    for column in now.columns:
        old_name = old_names.get(column.attnum)
        value = f"raw[{literal(old_name)}]" if old_name else "NULL" if column.fill is None else literal(column.fill)
        yield f"{value} AS {identifier(column.name)}"
    renamed = {
        old_names[column.attnum]: column.name
        for column in now.columns
        if old_names.get(column.attnum, column.name) != column.name
    }
    unchanged, old_key = f"raw[{literal(UNCHANGED_FIELD)}]", f"raw[{literal(OLD_KEY_FIELD)}]"
    if renamed:
        new_of = ", ".join(f"{literal(listed(old))}: {literal(listed(new))}" for old, new in renamed.items())
        unchanged = (
            f"ARRAY_TO_STRING(LIST_TRANSFORM(STRING_SPLIT({unchanged}, ','), "
            f"lambda name: COALESCE(MAP {{{new_of}}}[name], name)), ',')"
        )
        old_values = f"CAST(CAST({old_key} AS JSON) AS MAP(VARCHAR, VARCHAR))"
        keys = ", ".join(
            f"{literal(name)}, {old_values}[{literal(old_names[now.column(name).attnum])}]" for name in now.key
        )
        old_key = f"CASE WHEN {old_key} IS NOT NULL THEN CAST(JSON_OBJECT({keys}) AS VARCHAR) END"
    yield f"{unchanged} AS {identifier(UNCHANGED_FIELD)}"
    yield f"{old_key} AS {identifier(OLD_KEY_FIELD)}"


def _stage(connection: duckdb.DuckDBPyConnection, contract: TableContract, selects: list[str]) -> Staged | None:
    """Put the rows into `STAGED`, typed; None if none of them conforms."""
    if not selects:
        return None
    typed = conformed_changes(contract, f"({' UNION ALL '.join(selects)})", keep=[_FILE, _ROW])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {STAGED} AS {typed} LIMIT {_NO_LIMIT}")
    # A truncate that was refused ends nothing any more: what it should have ended may be long gone, or new.
    connection.execute(f"DELETE FROM {STAGED} WHERE {_OP} = 'T'")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {REJECTED} ({_SEQ} VARCHAR, reason VARCHAR)")
    ((rows, good, last, unchanged, old_keys),) = connection.execute(
        f"SELECT COUNT(*), COUNT(*) FILTER ({_REASON} IS NULL), MAX({_SEQ}), COUNT({identifier(UNCHANGED_FIELD)}), "
        f"COUNT({identifier(old_key_columns(contract)[0])}) FROM {STAGED}"
    ).fetchall()
    if not good:
        return None
    return Staged(
        rows=rows,
        rejects=rows - good,
        rejected_files=frozenset(),
        last_change_seq=last,
        truncated_at="",
        has_unchanged=bool(unchanged),
        has_old_keys=bool(old_keys),
    )


def _resolve(connection: duckdb.DuckDBPyConnection) -> int:
    """Add the staged rows that need no more to be in quarantine to `_RESOLVED`; return how many."""
    good = (
        f"FROM {STAGED} WHERE {_REASON} IS NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {REJECTED} AS later WHERE later.{_SEQ} = {STAGED}.{_SEQ})"
    )
    connection.execute(f"INSERT INTO {_RESOLVED} SELECT {identifier(_FILE)}, {identifier(_ROW)} {good}")
    return _count(connection, f"SELECT COUNT(*) {good}")


def _count(connection: duckdb.DuckDBPyConnection, select: str) -> int:
    ((count,),) = connection.execute(select).fetchall()
    return int(count)
