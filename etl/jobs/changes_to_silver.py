"""Job: bring the changes that are in bronze into silver, every table of a slot."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import LoadManifest
from etl.bronze.window import ChangeLog
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.errors import LakehouseError
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from etl.silver.applier import ChangeApplier, Outcome, TableOutcome

_FLUSHES = 256
"""Flushes that are applied at once: a bound on what a job that is far behind holds in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesToSilver:
    """What the job needs to know."""

    lake: LakeConfig
    slot: str
    """Whose changes."""
    until_lsn: int | None = None
    """Leave out flushes that end after it."""
    leave_out: tuple[str, ...] = ()
    """Tables, as ``schema.name`` or ``name``, not to touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTable:
    """What became of one table."""

    table: str
    """Lake name."""
    outcome: str
    """See `etl.silver.applier.Outcome`."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejects: int = 0
    snapshot_id: int | None = None
    watermark: str = ""
    complete_lsn: int = 0
    seconds: float = 0.0
    error: str = ""
    """Class of the error, if it failed."""
    message: str = ""
    guidance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesResult:
    """What became of every table, by name."""

    slot: str
    last_lsn: int
    """End of the last flush that was read."""
    committed_to: str
    """When the source committed the latest change that was read, ISO 8601; empty if there was none."""
    tables: tuple[ChangedTable, ...]
    seconds: float


def run(arguments: ChangesToSilver, progress: Progress, *, store: ObjectStore | None = None) -> ChangesResult:
    """Apply what bronze has; a table that fails stops no other and is told of in the result.

    Args:
        arguments: Which lake, which slot.
        progress: Told ``lsn`` after each part.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.

    Raises:
        WindowBrokenError: Flushes are missing, doubled or another slot's.
        LakehouseError: The lake cannot be opened.
    """
    started = time.perf_counter()
    store = store or DirectoryStore(Path(arguments.lake.bronze_root))
    leave_out = {TableId.parse(name) for name in arguments.leave_out}
    found: dict[TableId, ChangedTable] = {}
    with (
        open_catalog(arguments.lake) as catalog,
        duckdb_session(arguments.lake) as connection,
        ChangeApplier(
            catalog,
            connection,
            store,
            slot=arguments.slot,
            tables=replicated_tables(store, arguments.slot),
            threads=arguments.lake.threads,
        ) as applier,
    ):
        log = ChangeLog(store, slot=arguments.slot, after_lsn=applier.start())
        committed_to = ""
        while True:
            window = log.read(until_lsn=arguments.until_lsn, most=_FLUSHES)
            failed = {table for table, each in found.items() if each.outcome == Outcome.FAILED}
            for outcome in applier.apply(window, leave_out=leave_out | failed):
                if outcome.table not in failed:
                    found[outcome.table] = _added(found.get(outcome.table), outcome)
            committed_to = max(committed_to, window.committed_to)
            progress.update(lsn=log.position)
            if not window.manifests:
                break
        applier.remember()
    return ChangesResult(
        slot=arguments.slot,
        last_lsn=log.position,
        committed_to=committed_to,
        tables=tuple(found[table] for table in sorted(found)),
        seconds=time.perf_counter() - started,
    )


def replicated_tables(store: ObjectStore, slot: str) -> tuple[TableId, ...]:
    """Return the tables of all full loads that a slot's changes continue, or that were taken without a slot.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    loads = (LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX))
    return tuple(sorted({table for load in loads if load.slot in {slot, ""} for table in load.tables}))


def _added(before: ChangedTable | None, outcome: TableOutcome) -> ChangedTable:
    """Return a table's result after one more part."""
    applied, error = outcome.applied, outcome.error
    so_far = before or ChangedTable(table=outcome.table.lake_name, outcome=Outcome.IDLE)
    is_news = outcome.outcome is not Outcome.IDLE or before is None
    return ChangedTable(
        table=so_far.table,
        outcome=outcome.outcome.value if is_news else so_far.outcome,
        inserted=so_far.inserted + (applied.inserted if applied else 0),
        updated=so_far.updated + (applied.updated if applied else 0),
        deleted=so_far.deleted + (applied.deleted if applied else 0),
        rejects=so_far.rejects + (applied.rejects if applied else 0),
        snapshot_id=applied.snapshot_id if applied else so_far.snapshot_id,
        watermark=applied.watermark if applied else so_far.watermark,
        complete_lsn=max(so_far.complete_lsn, outcome.complete_lsn),
        seconds=so_far.seconds + (applied.seconds if applied else 0.0),
        error=type(error).__name__ if error else "",
        message=str(error) if error else "",
        guidance=error.guidance if isinstance(error, LakehouseError) else "",
    )
