"""Job: copy the source's tables into bronze, as of one LSN."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etl.bronze.directory import DirectoryStore
from etl.contracts.table import TableId
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from etl.quality.fingerprint import Fingerprint, source_fingerprint_sql
from etl.replicate.changes import find_position
from etl.replicate.full_load import FullLoad, full_load
from etl.replicate.replicator import begin, resync
from etl.replicate.session import ReplicatorConfig

_BEGIN_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLoadArguments:
    """What the job needs to know."""

    lake_uri: str
    """Root of the lake: an absolute folder."""
    tables: tuple[str, ...]
    """``schema.name``, or ``name`` in schema ``public``."""
    request_id: str
    """A repeated request gets the load it already has."""
    source_url: str = field(repr=False)
    """Role that may replicate and read every row."""
    with_source_fingerprints: bool = True
    """Whether to fingerprint the source in the same snapshot, for reconciliation."""
    slot: str = ""
    """The permanent slot that the load begins; if it has begun already, its changes go on around the load.
    Empty for a load that nothing continues."""
    slot_tables: tuple[str, ...] = ()
    """Every table whose changes the slot is to bring; ``tables`` if empty."""
    takes_new: bool = True
    """Whether to take a new load even if the slot has begun; if not, the result is the load it began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTable:
    """One table of the load."""

    table: str
    rows: int
    files: int
    size_bytes: int
    """Compressed."""
    fingerprint: Fingerprint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLoadResult:
    """What was landed; the rest is in the load manifest."""

    load_id: str
    lsn: int
    snapshot_at: str
    """Source time up to which the load is complete, ISO 8601 with zone."""
    tables: tuple[LoadedTable, ...]
    seconds: float


def run(arguments: FullLoadArguments, progress: Progress, *, store: ObjectStore | None = None) -> FullLoadResult:
    """Land one full load and return what it holds.

    Args:
        arguments: What to load, from where, to where.
        progress: Told ``rows`` by table.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.

    Raises:
        Whatever `full_load`, `begin` and `resync` of `etl.replicate` raise.
    """
    started = time.monotonic()
    rows = dict.fromkeys(map(TableId.parse, arguments.tables), 0)

    def on_rows(table: TableId, more: int) -> None:
        rows[table] += more
        progress.update(rows={str(table): count for table, count in rows.items()})

    load = _load(arguments, list(rows), on_rows, store or DirectoryStore(Path(arguments.lake_uri) / "bronze"))
    return _result(load, seconds=time.monotonic() - started)


def _load(
    arguments: FullLoadArguments,
    tables: Sequence[TableId],
    on_rows: Callable[[TableId, int], None],
    store: ObjectStore,
) -> FullLoad:
    fingerprint_sql = source_fingerprint_sql if arguments.with_source_fingerprints else None
    if not arguments.slot:
        return full_load(
            source_url=arguments.source_url,
            store=store,
            tables=tables,
            request_id=arguments.request_id,
            fingerprint_sql=fingerprint_sql,
            on_rows=on_rows,
        )
    config = ReplicatorConfig(
        source_url=arguments.source_url,
        tables=tuple(map(TableId.parse, arguments.slot_tables)) or tuple(tables),
        slot=arguments.slot,
    )
    if not arguments.takes_new or find_position(store, config.slot) is None:
        return begin(
            config,
            store,
            request_id=arguments.request_id,
            fingerprint_sql=fingerprint_sql,
            on_rows=on_rows,
            patience_seconds=_BEGIN_PATIENCE_SECONDS,
        )
    return resync(
        config,
        store,
        () if set(tables) == set(config.tables) else tables,
        request_id=arguments.request_id,
        fingerprint_sql=fingerprint_sql,
        on_rows=on_rows,
    )


def _result(load: FullLoad, *, seconds: float) -> FullLoadResult:
    tables = []
    for table in load.manifest.tables:
        files = load.manifest.files_of(table)
        tables.append(
            LoadedTable(
                table=str(table),
                rows=sum(file.rows for file in files),
                files=len(files),
                size_bytes=sum(file.size_bytes for file in files),
                fingerprint=load.fingerprints.get(table),
            )
        )
    return FullLoadResult(
        load_id=load.manifest.load_id,
        lsn=load.manifest.lsn,
        snapshot_at=load.manifest.snapshot_at,
        tables=tuple(tables),
        seconds=seconds,
    )
