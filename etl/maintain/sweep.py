"""Remove the files of a table that nobody reaches: of snapshots that were forgotten, and of writers that died.

A file goes only if nobody reached it when we looked and it is older than the safe age, which
a writer's work or a reader's question never lasts. So no lock is needed, and whatever is
interrupted leaves files that the next sweep finds again: nothing is noted anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pyiceberg.catalog import Catalog

from etl.contracts.publication import TablePin
from etl.engine.tables import load_table
from etl.maintain.folder import StoredFile, stored_files, table_folder
from etl.maintain.reach import Reach, RetainedBy

Failpoint = Callable[[str], None]
"""Told of each file before it is removed; a test raises from it."""


def ignore(_path: str) -> None:
    """Let every file be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep of one table found."""

    table: str
    files: int
    """Removed, or to be removed."""
    size_bytes: int
    kept_files: int
    kept_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptFile:
    """One file of a table, and why it stays or goes."""

    file: StoredFile
    retained_by: RetainedBy


def look_through(
    catalog: Catalog,
    name: str,
    *,
    pins: Collection[TablePin],
    now: datetime,
    safe_age: timedelta,
    reach: Reach,
    forgotten: Collection[int] = (),
) -> list[SweptFile]:
    """Return every file of a table, and why it stays or goes.

    Args:
        catalog: Of the lake.
        name: ``namespace.table``.
        pins: Of every publication that is kept; those of other tables are ignored.
        now: The time.
        safe_age: How long a writer's work or a reader's question may last.
        reach: What is known of the table's manifests.
        forgotten: Snapshots to take as forgotten although the table still names them.

    Raises:
        TableMissingError: There is no such table.
        FolderSharedError: Its files do not lie in a folder of its own.
        PinBrokenError: What has to be read to tell is gone.
        CatalogUnavailableError: No answer.
    """
    # In this order: whatever is committed after the listing adds files that were not listed, or keeps some that
    # the table had when it was loaded.
    folder = table_folder(load_table(catalog, name), catalog.properties["warehouse"])
    files = list(stored_files(folder))
    table = load_table(catalog, name)
    own = [pin for pin in pins if pin.table == name]
    reached = reach.reached(table, files, pins=own, since=now - safe_age, forgotten=forgotten)
    return [SweptFile(file=file, retained_by=_why(file, reached.get(file.path), now - safe_age)) for file in files]


def sweep(
    catalog: Catalog,
    name: str,
    *,
    pins: Collection[TablePin],
    now: datetime,
    safe_age: timedelta,
    reach: Reach | None = None,
    forgotten: Collection[int] = (),
    dry_run: bool = False,
    failpoint: Failpoint = ignore,
) -> Swept:
    """Remove the files of a table that nobody reaches; see `look_through`.

    Raises:
        TableMissingError: There is no such table.
        FolderSharedError: Its files do not lie in a folder of its own.
        PinBrokenError: What has to be read to tell is gone.
        CatalogUnavailableError: No answer.
    """
    found = look_through(
        catalog, name, pins=pins, now=now, safe_age=safe_age, reach=reach or Reach(), forgotten=forgotten
    )
    going = [each.file for each in found if each.retained_by is RetainedBy.NOTHING]
    if not dry_run:
        for file in _leaves_first(going):
            failpoint(file.path)
            Path(file.path).unlink(missing_ok=True)
    return Swept(
        table=name,
        files=len(going),
        size_bytes=sum(file.size_bytes for file in going),
        kept_files=len(found) - len(going),
        kept_bytes=sum(each.file.size_bytes for each in found) - sum(file.size_bytes for file in going),
    )


def _why(file: StoredFile, reached: RetainedBy | None, before: datetime) -> RetainedBy:
    if reached is not None:
        return reached
    return RetainedBy.NOTHING if file.written_at <= before else RetainedBy.AGE


def _leaves_first(files: Iterable[StoredFile]) -> list[StoredFile]:
    """Order files so that an interrupted sweep leaves none whose names nobody holds any more."""
    suffixes = (".parquet", ".avro", ".json")
    ranks = {suffix: rank for rank, suffix in enumerate(suffixes)}
    return sorted(files, key=lambda file: (ranks.get(Path(file.path).suffix, 0), file.path))
