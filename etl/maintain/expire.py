"""Have tables forget old snapshots, so that their metadata stays small and their files can go."""

from __future__ import annotations

from datetime import UTC, datetime

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from etl.engine.catalog import catalog_errors
from etl.engine.tables import load_table
from etl.engine.write import CommitConflictError
from etl.silver.summary import LOAD_ID

NEWEST_KEPT = 3
"""Snapshots that a table keeps whatever their age."""


def expired(table: Table, *, before: datetime) -> tuple[int, ...]:
    """Return the snapshots that a table may forget.

    It keeps those since a time and the one that was current then, the newest few, those
    that have a name, and the one that the current full load made: reconciliation compares it.
    """
    by_age = sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0)
    older = [snapshot for snapshot in by_age if _made_at(snapshot) <= before]
    kept = {snapshot.snapshot_id for snapshot in (*by_age[-NEWEST_KEPT:], *older[-1:], *_load(by_age))}
    kept |= {reference.snapshot_id for reference in table.metadata.refs.values()}
    return tuple(snapshot.snapshot_id for snapshot in older if snapshot.snapshot_id not in kept)


def expire(catalog: Catalog, name: str, *, before: datetime, dry_run: bool = False) -> tuple[int, ...]:
    """Have a table forget what it may; return which snapshots that are.

    No file is removed: `etl.maintain.sweep` does that once nobody reaches it.

    Raises:
        TableMissingError: There is no such table.
        CommitConflictError: Someone else changed the table at this moment.
        CatalogUnavailableError: No answer.
    """
    table = load_table(catalog, name)
    going = expired(table, before=before)
    if going and not dry_run:
        try:
            with catalog_errors():
                table.maintenance.expire_snapshots().by_ids(list(going)).commit()
        except CommitFailedException as error:
            raise CommitConflictError(table=name) from error
    return going


def _made_at(snapshot: Snapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)


def _load(by_age: list[Snapshot]) -> list[Snapshot]:
    """Return the snapshot that the newest full load made; none of a table that no load fills."""
    loads = [snapshot.summary.additional_properties.get(LOAD_ID) if snapshot.summary else None for snapshot in by_age]
    newest = loads[-1] if loads else None
    return [] if newest is None else [by_age[loads.index(newest)]]
