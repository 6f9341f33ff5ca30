"""Remove from bronze what nobody needs any more, by age, and never before its time.

Silver's rows of a table *rest upon* the full load that they go back to, and upon every
change since: with these alone silver can be built anew. So, however old it is, bronze keeps

- the newest full load, the newest that begins a slot, and every load that a table rests
  upon or that a table has not got to silver yet;
- every flush that has a change of a table beyond the load it rests upon, and every flush
  after the first such one: what follows a position is whole or it is not there;
- the newest flush, from which the replicator goes on, and every contract.

What else is older than bronze is kept goes: files first and the manifest that names them
last, so that an interrupted removal is found and finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl.bronze.layout import (
    CHANGES_PREFIX,
    LOADS_PREFIX,
    file_manifest_key,
    fingerprints_key,
    load_number,
    table_prefix,
)
from etl.bronze.manifest import ChangeManifest, LoadManifest
from etl.bronze.window import read_change_manifest
from etl.contracts.table import TableId
from etl.maintain.sweep import Failpoint, ignore
from etl.ports.object_store import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class BronzePruned:
    """What was removed, or is to be."""

    loads: int
    flushes: int
    orphans: int
    """Files of loads that never ended."""
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """Objects to remove, the last one naming the others."""

    keys: tuple[str, ...]
    size_bytes: int


def prune_bronze(
    store: ObjectStore,
    rests_upon: Mapping[str, str],
    *,
    now: datetime,
    keep: timedelta,
    safe_age: timedelta,
    dry_run: bool = False,
    failpoint: Failpoint = ignore,
) -> BronzePruned:
    """Remove what is older than bronze is kept and nobody needs; see the module.

    Args:
        store: Bronze.
        rests_upon: By a table's lake name, the id of the load that silver's rows go back to.
        now: The time.
        keep: How long bronze is kept at least.
        safe_age: How long a load may last: files of none, that are older, are a dead one's.
        dry_run: Only tell.
        failpoint: Told of each object before it is removed.

    Raises:
        BronzeDamagedError: A flush's manifest cannot be read; nothing was removed.
        StoreUnavailableError: The store did not answer.
    """
    loads = [LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX)]
    bases = {table: rests_upon.get(table.lake_name, "") for load in loads for table in load.tables}
    going_loads = [_files_of_load(load) for load in _loads_to_remove(loads, bases, before=now - keep)]
    going_flushes = [_files_of_flush(key, flush) for key, flush in _flushes_to_remove(store, bases, before=now - keep)]
    orphans = list(_orphans(store, loads, before=now - max(safe_age, keep)))
    going = [*going_flushes, *going_loads, *orphans]
    if not dry_run:
        for each in going:
            for key in each.keys:
                failpoint(key)
                store.delete(key)
    return BronzePruned(
        loads=len(going_loads),
        flushes=len(going_flushes),
        orphans=len(orphans),
        files=sum(len(each.keys) for each in going),
        size_bytes=sum(each.size_bytes for each in going),
    )


def _loads_to_remove(
    loads: list[LoadManifest], bases: Mapping[TableId, str], *, before: datetime
) -> Iterator[LoadManifest]:
    newest = max((load.load_id for load in loads), default="")
    first_of_slots = {
        max(load.load_id for load in loads if load.slot == slot and load.begins_slot)
        for slot in {load.slot for load in loads if load.slot and load.begins_slot}
    }
    for load in loads:
        is_old = datetime.fromisoformat(load.snapshot_at) < before
        is_replaced = all(bases[table] > load.load_id for table in load.tables)
        if is_old and is_replaced and load.load_id != newest and load.load_id not in first_of_slots:
            yield load


def _flushes_to_remove(
    store: ObjectStore, bases: Mapping[TableId, str], *, before: datetime
) -> Iterator[tuple[str, ChangeManifest]]:
    """Give the oldest flushes up to the first that is needed, is young or is the last one."""
    positions = {table: int(load_id, 16) if load_id else 0 for table, load_id in bases.items()}
    held: tuple[str, ChangeManifest] | None = None  # Given once another follows it.
    for info in store.list(CHANGES_PREFIX):
        if held is not None:
            yield held
        flush = read_change_manifest(store, info.key)
        is_needed = any(flush.last_lsn > positions.get(file.table, 0) for file in flush.files)
        if is_needed or datetime.fromisoformat(flush.committed_to) >= before:
            return
        held = info.key, flush


def _files_of_load(load: LoadManifest) -> _Going:
    data = [key for file in load.files for key in (file.key, file_manifest_key(file.key))]
    return _Going(
        keys=(*data, fingerprints_key(load.load_id), f"{LOADS_PREFIX}{load.load_id}.json"),
        size_bytes=sum(file.size_bytes for file in load.files),
    )


def _files_of_flush(key: str, flush: ChangeManifest) -> _Going:
    return _Going(
        keys=(*(file.key for file in flush.files), key), size_bytes=sum(file.size_bytes for file in flush.files)
    )


def _orphans(store: ObjectStore, loads: list[LoadManifest], *, before: datetime) -> Iterator[_Going]:
    """Give the files of loads that died before they were whole."""
    known = {file.key for load in loads for file in load.files}
    for table in sorted({table for load in loads for table in load.tables}):
        for info in store.list(f"{table_prefix(table)}LOAD"):
            if load_number(info.key) is not None and info.key not in known and _is_older(info, before):
                yield _Going(keys=(file_manifest_key(info.key), info.key), size_bytes=info.size_bytes)


def _is_older(info: ObjectInfo, before: datetime) -> bool:
    return info.written_at is not None and info.written_at <= before
