"""Bring one table's changes into silver: a window of them in one snapshot, at a cost that grows with the changes.

The snapshot's summary carries how far the table is in the source's log. A window that is at
or below that does nothing, so a window may be repeated after any crash. Order of writing:
quarantine, then tombstones, then the snapshot; each is idempotent, and only the last moves
the watermark.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import TableContract
from etl.engine.live_files import LiveFiles, PartitionValue
from etl.engine.merge_on_read import GONE, is_settled, write_changes
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier, literal
from etl.engine.tables import FILE_COLUMN, POSITION_COLUMN, live_relation, located, partition_column, places
from etl.engine.write import table_write
from etl.silver.changes import LAST, STAGED, ChangeFiles, Staged, stage
from etl.silver.conform import typed
from etl.silver.evolve import COLUMNS, FILLS, IncompatibleContractError, evolve, pending_fills
from etl.silver.failpoint import Failpoint, Moment, ignore
from etl.silver.merge import IS_LIVE, KEYS, OUTCOME, carry_forward, collapse, find_keys
from etl.silver.quarantine import add_rejects, find_quarantine, quarantined_rows
from etl.silver.table import SilverTable
from etl.silver.tombstones import key_text

STORED = "stored_rows"
"""Temporary table: of each key in `KEYS` that silver holds, the key, where its row stands and its change sequence."""

_SEQ, _COMMITTED_AT = identifier(CHANGE_SEQ_FIELD), identifier(COMMITTED_AT_FIELD)
_LIVE = identifier(IS_LIVE)
_FILE, _POSITION = identifier(FILE_COLUMN), identifier(POSITION_COLUMN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of one table's changes in a window."""

    table: str
    """Lake name."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejects: int = 0
    snapshot_id: int
    watermark: str
    source_lsn: int
    """Every change of transactions that ended up to here is in silver."""
    seconds: float


def apply_changes(
    silver: SilverTable,
    catalog: Catalog,
    connection: duckdb.DuckDBPyConnection,
    changes: ChangeFiles,
    *,
    source_lsn: int,
    until: str = LAST,
    failpoint: Failpoint = ignore,
) -> Applied:
    """Apply the changes of some files of one contract to an open table, in one snapshot.

    Before: the files are verified; every earlier change of the table is applied. After: the
    table holds what the source's table held at the end of these changes, but for rejects.
    Idempotent: changes at or below the table's watermark are left out.

    Args:
        silver: The table; at its newest snapshot afterwards. After an error it is to be opened anew.
        catalog: Where quarantine and tombstones are.
        connection: A DuckDB session of one's own: its temporary tables are used.
        changes: What to apply.
        source_lsn: What the table is complete up to, once these are applied.
        until: Change sequence beyond which changes are left out, in a table that is to go no further.
        failpoint: Told of each moment passed.

    Raises:
        BronzeDamagedError: A file does not hold the rows that its manifest counts.
        IncompatibleContractError: The contract cannot hold what silver holds.
        CommitConflictError: Someone else changed the table meanwhile.
        CommitUnknownError: The catalog went away during a commit.
        CatalogUnavailableError: The catalog did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    started = time.perf_counter()
    contract = changes.contract
    follow_contract(silver, connection, contract, failpoint=failpoint)
    staged = stage(connection, changes, after=max(silver.watermark, silver.load_floor), until=until)
    work = Merge(silver, catalog, connection, contract=contract, staged=staged, failpoint=failpoint)
    with duckdb_errors():
        work.decide()
    rejects = staged.rejects + work.rejects
    if rejects:
        uris = staged.rejected_files if not work.rejects else {changes.store.uri(file.key) for file in changes.files}
        selects = [changes.rejected_rows(file=file) for file in changes.files if changes.store.uri(file.key) in uris]
        add_rejects(catalog, connection, silver.lake_name, load_id=silver.load_id, selects=selects)
        failpoint(Moment.QUARANTINED)
    work.bury()
    properties = silver.properties(
        watermark=max(silver.watermark, staged.last_change_seq),
        source_lsn=str(int(max(silver.source_lsn, source_lsn))),
        contract_version=str(contract.version),
        rejects=str(silver.rejects + rejects),
    )
    inserted, updated, deleted = work.commit(properties)
    return Applied(
        table=silver.lake_name,
        inserted=inserted,
        updated=updated,
        deleted=deleted,
        rejects=rejects,
        snapshot_id=silver.snapshot_id,
        watermark=silver.watermark,
        source_lsn=silver.source_lsn,
        seconds=time.perf_counter() - started,
    )


def follow_contract(
    silver: SilverTable,
    connection: duckdb.DuckDBPyConnection,
    contract: TableContract,
    *,
    failpoint: Failpoint = ignore,
) -> None:
    """Bring the open table's columns to the contract's, and its rows the values that a new column has in older rows.

    Raises:
        IncompatibleContractError: The contract cannot hold what silver holds, or is older than silver's.
        CommitConflictError: Someone else changed the table meanwhile.
        CommitUnknownError: The catalog went away during the commit.
        StoreFullError: No room for the files.
    """
    table = silver.table
    if contract.version < silver.contract_version:
        raise IncompatibleContractError(
            f"changes of {contract.table} were written under version {contract.version} of its contract, "
            f"but silver follows version {silver.contract_version} already"
        )
    if contract.version > silver.contract_version or COLUMNS not in table.properties:
        evolve(table, contract)
        failpoint(Moment.EVOLVED)
    fills = pending_fills(table)
    if not fills:
        return
    types = {column.name: column.type for column in contract.columns}
    values = []
    for field_id, text in fills.items():
        name = table.schema().find_field(field_id).name
        value = f"(SELECT {typed('text', types[name])} FROM (SELECT {literal(text)} AS text))"
        ((is_bad,),) = connection.execute(f"SELECT {value} IS NULL").fetchall()
        if is_bad:
            raise IncompatibleContractError(
                f"older rows of {contract.table} have a value in the new column {name} that is no {types[name]}"
            )
        values.append(f"{value} AS {identifier(name)}")
    with table_write(table, connection) as write:
        files = write.parquet(f"SELECT * REPLACE ({', '.join(values)}) FROM ({live_relation(table, silver.live)})")
        delta = RowDelta(
            add=files,
            remove=(*silver.live.data, *silver.live.deletes),
            properties=silver.properties(),
            remove_table_properties=(FILLS,),
        )
        silver.live = write.commit_delta(silver.live, delta, is_settled=is_settled)


class Merge:
    """Changes of one contract on their way into one table."""

    def __init__(
        self,
        silver: SilverTable,
        catalog: Catalog,
        connection: duckdb.DuckDBPyConnection,
        *,
        contract: TableContract,
        staged: Staged,
        is_late: bool = False,
        failpoint: Failpoint = ignore,
    ) -> None:
        """Prepare to merge what is staged.

        Args:
            silver: The open table.
            catalog: Where quarantine is.
            connection: Where `STAGED` is.
            contract: The version that the staged changes have.
            staged: What `stage` told.
            is_late: Whether silver may hold newer changes than these.
            failpoint: Told of each moment passed.
        """
        self._silver = silver
        self._catalog = catalog
        self._connection = connection
        self._contract = contract
        self._staged = staged
        self._is_late = is_late
        self._failpoint = failpoint
        self._key = ", ".join(identifier(name) for name in contract.key)
        self.rejects = 0
        """Changes that conform, but build on one that does not."""

    def decide(self) -> None:
        """Find out what becomes of every key: `OUTCOME`, `STORED` and `GONE`."""
        find_keys(self._connection, self._contract, self._staged)
        self._find_stored()
        collapse(self._connection, self._contract, self._staged, stored=STORED)
        if self._staged.has_unchanged:
            self.rejects = carry_forward(
                self._connection, self._contract, self._staged, stored_rows=self._stored_rows()
            )
        if self._is_late:
            self._drop_buried()
        self._drop_overtaken()

    def bury(self) -> None:
        """Write tombstones for the keys that end, before their rows go."""
        selects = []
        ((dead,),) = self._connection.execute(f"SELECT COUNT(*) FROM {OUTCOME} WHERE NOT {_LIVE}").fetchall()
        if dead:
            key = key_text(self._contract, of=OUTCOME)
            selects.append(f"SELECT {key} AS key, {_SEQ}, {_COMMITTED_AT} FROM {OUTCOME} WHERE NOT {_LIVE}")
        if self._staged.truncated_at:
            selects.append(
                f"SELECT CAST(NULL AS VARCHAR) AS key, {_SEQ}, {_COMMITTED_AT} FROM {STAGED} "
                f"WHERE {_SEQ} = {literal(self._staged.truncated_at)}"
            )
        if selects:
            self._silver.tombstones.add(self._connection, " UNION ALL ".join(selects))
            self._failpoint(Moment.TOMBSTONES_COMMITTED)

    def commit(self, properties: Mapping[str, str]) -> tuple[int, int, int]:
        """Make the snapshot; return how many rows it inserted, updated and deleted."""
        silver, truncated = self._silver, bool(self._staged.truncated_at)
        ((inserted, updated, deleted),) = self._connection.execute(
            f"SELECT COUNT(*) FILTER ({_LIVE} AND held.{_FILE} IS NULL), "
            f"COUNT(*) FILTER ({_LIVE} AND held.{_FILE} IS NOT NULL), "
            f"COUNT(*) FILTER (NOT {_LIVE} AND held.{_FILE} IS NOT NULL) "
            f"FROM {OUTCOME} LEFT JOIN {STORED} AS held USING ({self._key})"
        ).fetchall()
        if truncated:
            deleted = silver.rows
        live = LiveFiles(snapshot_id=silver.snapshot_id, manifests=()) if truncated else silver.live
        with table_write(silver.table, self._connection) as write:
            add, remove = write_changes(
                write,
                self._connection,
                live,
                new_rows=f"SELECT * FROM {OUTCOME} WHERE {_LIVE}",
                new_partitions=self._new_partitions() if inserted or updated else (),
                has_gone=bool(updated or deleted) and not truncated,
            )
            if truncated:
                remove = (*silver.live.data, *silver.live.deletes)
            self._failpoint(Moment.FILES_WRITTEN)
            delta = RowDelta(add=add, remove=remove, properties=properties, expire=silver.expired)
            silver.live = write.commit_delta(silver.live, delta, is_settled=is_settled)
        self._failpoint(Moment.COMMITTED)
        return inserted, updated, deleted

    def _find_stored(self) -> None:
        """Find the rows that silver holds of the keys: their columns are read, and no others."""
        files = () if self._staged.truncated_at else self._files_to_search()
        columns = [*self._contract.key, CHANGE_SEQ_FIELD]
        rows = located(self._silver.table, [file.file_path for file in files], deletes={}, columns=columns)
        found = f"SELECT held.* FROM ({rows}) AS held JOIN {KEYS} USING ({self._key})"
        gone = sorted({each.file_path for file in files for each in self._silver.live.deletes_of(file)})
        if gone:
            found = f"SELECT * FROM ({found}) AS held ANTI JOIN ({places(gone)}) AS gone USING ({_FILE}, {_POSITION})"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {STORED} AS {found}")

    def _files_to_search(self) -> tuple[DataFile, ...]:
        """Return the data files that may hold one of the keys: those of the keys' tenants, if the key tells them."""
        tenant = partition_column(self._silver.table)
        if tenant is None or tenant not in self._contract.key:
            return self._silver.live.data
        tenants = self._connection.execute(f"SELECT DISTINCT {identifier(tenant)} FROM {KEYS}").fetchall()
        by_partition = self._silver.live.data_by_partition
        return tuple(file for (value,) in tenants for file in by_partition.get(value, ()))

    def _stored_rows(self) -> str:
        """Return a SELECT over silver's rows of the keys, but for those of which a newer change lies in quarantine.

        What is staged itself does not count: it may be there from an attempt before, and is looked at row by row.
        """
        paths = [path for (path,) in self._connection.execute(f"SELECT DISTINCT {_FILE} FROM {STORED}").fetchall()]
        rows = located(self._silver.table, paths, deletes={})
        held = f"SELECT held.* FROM ({rows}) AS held SEMI JOIN {STORED} USING ({_FILE}, {_POSITION})"
        quarantine = find_quarantine(self._catalog, self._silver.lake_name) if self._silver.rejects else None
        if quarantine is None:
            return held
        refused = quarantined_rows(quarantine)
        key = key_text(self._contract, of="held")
        return (
            f"SELECT * FROM ({held}) AS held WHERE NOT EXISTS (SELECT 1 FROM ({refused}) AS refused "
            f"WHERE refused.key = {key} AND refused.change_seq > held.{_SEQ} "
            f"AND refused.change_seq NOT IN (SELECT {_SEQ} FROM {STAGED} WHERE {_SEQ} IS NOT NULL))"
        )

    def _drop_buried(self) -> None:
        """Take out of `OUTCOME` the keys that a newer change ended."""
        buried = self._silver.tombstones.relation
        if buried is None:
            return
        newest = f"SELECT key, MAX({_SEQ}) AS seq FROM ({buried}) GROUP BY key"
        self._connection.execute(
            f"DELETE FROM {OUTCOME} USING ({newest}) AS buried "
            f"WHERE buried.key = {key_text(self._contract, of=OUTCOME)} AND buried.seq > {OUTCOME}.{_SEQ}"
        )
        self._connection.execute(
            f"DELETE FROM {OUTCOME} WHERE {_SEQ} < (SELECT MAX({_SEQ}) FROM ({buried}) WHERE key IS NULL)"
        )

    def _drop_overtaken(self) -> None:
        """Take out of `OUTCOME` what silver holds as new or newer; put the rows that the others replace into `GONE`."""
        same = " AND ".join(f"{OUTCOME}.{identifier(name)} = held.{identifier(name)}" for name in self._contract.key)
        self._connection.execute(
            f"DELETE FROM {OUTCOME} USING {STORED} AS held WHERE {same} AND held.{_SEQ} >= {OUTCOME}.{_SEQ}"
        )
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {GONE} AS "
            f"SELECT {_FILE}, {_POSITION} FROM {STORED} SEMI JOIN {OUTCOME} USING ({self._key})"
        )

    def _new_partitions(self) -> list[PartitionValue]:
        tenant = partition_column(self._silver.table)
        if tenant is None:
            return [None]
        found = self._connection.execute(f"SELECT DISTINCT {identifier(tenant)} FROM {OUTCOME} WHERE {_LIVE}")
        return [value for (value,) in found.fetchall()]
