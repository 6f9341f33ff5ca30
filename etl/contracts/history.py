"""A table's recorded contracts, and which of them its bronze files were written under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.contracts.store import contract_versions, read_contract
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractHistory:
    """What bronze knows of one table's shape."""

    table: TableId
    versions: tuple[TableContract, ...]
    """Oldest first; none before the first load."""
    load_id: str | None
    """The newest full load that holds the table."""
    files: tuple[FileManifest, ...]
    """The table's files in that load; each names the version it was written under."""


def contract_histories(store: ObjectStore, tables: Sequence[TableId]) -> tuple[ContractHistory, ...]:
    """Return what bronze knows of each table, in the order asked.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    newest = _newest_loads(store, set(tables))
    histories = []
    for table in tables:
        load = newest.get(table)
        histories.append(
            ContractHistory(
                table=table,
                versions=tuple(read_contract(store, table, number) for number in contract_versions(store, table)),
                load_id=load.load_id if load else None,
                files=load.files_of(table) if load else (),
            )
        )
    return tuple(histories)


def _newest_loads(store: ObjectStore, wanted: set[TableId]) -> dict[TableId, LoadManifest]:
    """Return the newest full load that holds each table, reading no more of them than that takes."""
    found: dict[TableId, LoadManifest] = {}
    for info in sorted(store.list(LOADS_PREFIX), key=lambda info: info.key, reverse=True):
        if not wanted - found.keys():
            break
        load = LoadManifest.from_json(store.get(info.key))
        for table in set(load.tables) & wanted:
            found.setdefault(table, load)
    return found
