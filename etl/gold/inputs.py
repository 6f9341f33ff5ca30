"""Tables that models read, each at one snapshot: whole, or some tenants' rows; and whose rows changed since another."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from etl.engine.live_files import LiveFiles, live_files
from etl.engine.sql import identifier
from etl.engine.tables import live_relation, partition_column
from etl.gold.model import SILVER_SCHEMA, TENANT_COLUMN
from etl.silver.changed import changed_rows
from etl.silver.summary import COMPACTION

Tenants = frozenset[int]

_TENANTS_TABLE = f"{SILVER_SCHEMA}.tenants"
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A table at its current snapshot."""

    name: str
    """Qualified, e.g. ``silver.orders``."""
    table: Table
    files: FilePlans

    @property
    def snapshot_id(self) -> int:
        """The snapshot; 0 stands for a table nothing was ever committed to."""
        return snapshot_id(self.table)

    @property
    def tenant_column(self) -> str | None:
        """The column that says whose a row is; None for a table that is nobody's."""
        if partition_column(self.table) == TENANT_COLUMN:
            return TENANT_COLUMN
        return "id" if self.name == _TENANTS_TABLE else None

    def relation(self, tenants: Tenants | None = None) -> str:
        """Return a SELECT over the table: some tenants' rows, or all if None or if the rows are nobody's."""
        live = self.files.of(self.table)
        if tenants is None or self.tenant_column is None:
            return live_relation(self.table, live)
        if partition_column(self.table) == TENANT_COLUMN:
            chosen = [file for tenant in sorted(tenants) for file in live.data_by_partition.get(tenant, ())]
            return live_relation(self.table, live, chosen)
        listed = ", ".join(map(str, sorted(tenants)))
        return f"SELECT * FROM ({live_relation(self.table, live)}) WHERE {identifier(self.tenant_column)} IN ({listed})"

    def tenants_changed_since(self, since: int, connection: duckdb.DuckDBPyConnection) -> Tenants | None:
        """Return the tenants whose rows may differ from those at another snapshot; None for everybody's.

        Files are compared, by partition, without being read. Only where that does not tell,
        in a table without partitions or across a compaction, are changed rows asked.
        """
        if since == self.snapshot_id:
            return frozenset()
        column = self.tenant_column
        if column is None or not self.snapshot_id or self.table.snapshot_by_id(since) is None:
            return None
        if partition_column(self.table) == TENANT_COLUMN and not self._was_compacted_since(since):
            return _known(_differing_partitions(self.files.of(self.table, since), self.files.of(self.table)))
        rows = changed_rows(self.table, since)
        if rows is None:
            return None
        found = connection.execute(f"SELECT DISTINCT {identifier(column)} FROM ({rows})").fetchall()
        return _known(frozenset(tenant for (tenant,) in found))

    def _was_compacted_since(self, since: int) -> bool:
        return any(
            snapshot.summary is not None and COMPACTION in snapshot.summary.additional_properties
            for snapshot in _back_to(self.table, since)
        )


class FilePlans:
    """The files of snapshots, read once each; safe to share between threads."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._plans: OrderedDict[tuple[str, int], LiveFiles] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, table: Table, at: int | None = None) -> LiveFiles:
        """Return the files of a table's snapshot, the current one if None."""
        wanted = snapshot_id(table) if at is None else at
        return self._remembered(table, wanted, lambda: live_files(table, snapshot_id=wanted or None))

    def remember(self, table: Table, live: LiveFiles) -> None:
        """Take the files of the table's current snapshot from who knows them, e.g. because it has just committed."""
        with self._lock:
            self._keep((str(table.metadata.table_uuid), snapshot_id(table)), live)

    def _remembered(self, table: Table, at: int, read: Callable[[], LiveFiles]) -> LiveFiles:
        key = (str(table.metadata.table_uuid), at)
        with self._lock:
            if key not in self._plans:
                self._keep(key, read())
            self._plans.move_to_end(key)
            return self._plans[key]

    def _keep(self, key: tuple[str, int], live: LiveFiles) -> None:
        self._plans[key] = live
        while len(self._plans) > _REMEMBERED:
            self._plans.popitem(last=False)


def snapshot_id(table: Table) -> int:
    """Return the table's current snapshot; 0 stands for a table nothing was ever committed to."""
    return table.metadata.current_snapshot_id or 0


def _differing_partitions(old: LiveFiles, new: LiveFiles) -> frozenset[object]:
    before = {file.file_path: partition for partition, file in _placed(old)}
    after = {file.file_path: partition for partition, file in _placed(new)}
    return frozenset({**before, **after}[path] for path in before.keys() ^ after.keys())


def _placed(live: LiveFiles) -> Iterator[tuple[object, DataFile]]:
    for by_partition in (live.data_by_partition, live.deletes_by_partition):
        for partition, files in by_partition.items():
            for file in files:
                yield partition, file


def _known(tenants: frozenset[object]) -> Tenants | None:
    """Return the tenants; None if a row is nobody's, and so may be anybody's."""
    return frozenset(tenant for tenant in tenants if isinstance(tenant, int)) if None not in tenants else None


def _back_to(table: Table, since: int) -> Iterator[Snapshot]:
    """Yield the snapshots from the current one back to another, without it."""
    snapshot = table.current_snapshot()
    while snapshot is not None and snapshot.snapshot_id != since:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None
