"""Job: maintain the lake: compact, forget snapshots, remove what nobody reaches, prune bronze.

Each part stands alone and may be interrupted: the next maintenance goes on with what it
finds. A table that cannot be maintained stops no other, and is told of in the result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from pyiceberg.catalog import Catalog

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import LoadManifest
from etl.contracts.publication import TablePin
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, summary
from etl.errors import OperatorError
from etl.jobs.progress import Progress
from etl.maintain.bronze import BronzePruned, prune_bronze
from etl.maintain.compact import compact_gold, compact_silver
from etl.maintain.expire import expire
from etl.maintain.storage import table_names
from etl.maintain.sweep import sweep
from etl.ports.object_store import ObjectStore
from etl.silver.summary import LOAD_ID
from etl.silver.table import SILVER

_GOLD = "gold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintain:
    """What the job needs to know."""

    lake: LakeConfig
    pins: tuple[TablePin, ...]
    """Of every publication that is kept."""
    safe_age_seconds: int
    """No file is removed that is younger, or that a reader who began so long ago may need."""
    bronze_keep_seconds: int
    """How long bronze is kept at least."""
    dry_run: bool = False
    """Only tell what would be done."""
    now: str | None = None
    """The time, ISO 8601 with zone; the machine's if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainedTable:
    """What was done to one table, or would be."""

    table: str
    compacted_partitions: int = 0
    forgotten_snapshots: int = 0
    removed_files: int = 0
    removed_bytes: int = 0
    kept_files: int = 0
    kept_bytes: int = 0
    problem: str = ""
    """Why it was not maintained, and what to do about that; empty if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainResult:
    """What was done, or would be, table by table."""

    tables: tuple[MaintainedTable, ...]
    bronze: BronzePruned
    dry_run: bool
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person has to look at."""
        return tuple(each.problem for each in self.tables if each.problem)


def run(arguments: Maintain, progress: Progress, *, store: ObjectStore | None = None) -> MaintainResult:
    """Maintain the lake.

    Args:
        arguments: Which lake, and what has to stay.
        progress: Told the table at hand, and how many are done.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.

    Raises:
        CatalogUnavailableError: The catalog did not answer.
        StoreUnavailableError: Bronze did not answer.
        BronzeDamagedError: A flush's manifest cannot be read.
        ValueError: ``now`` is no time.
    """
    started = time.perf_counter()
    now = datetime.fromisoformat(arguments.now) if arguments.now else datetime.now(UTC)
    store = store or DirectoryStore(Path(arguments.lake.bronze_root))
    done: list[MaintainedTable] = []
    with open_catalog(arguments.lake) as catalog, duckdb_session(arguments.lake) as connection:
        names = table_names(catalog)
        lake = _Lake(
            catalog=catalog,
            connection=connection,
            store=store,
            sources=_tables_by_lake_name(store),
            arguments=arguments,
            now=now,
        )
        for name in names:
            progress.update(table=name, done=len(done), of=len(names))
            done.append(lake.maintain(name))
        pruned = prune_bronze(
            store,
            _rests_upon(catalog, names),
            now=now,
            keep=timedelta(seconds=arguments.bronze_keep_seconds),
            safe_age=timedelta(seconds=arguments.safe_age_seconds),
            dry_run=arguments.dry_run,
        )
    return MaintainResult(
        tables=tuple(done), bronze=pruned, dry_run=arguments.dry_run, seconds=time.perf_counter() - started
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lake:
    """What is open while the job runs."""

    catalog: Catalog
    connection: duckdb.DuckDBPyConnection
    store: ObjectStore
    sources: Mapping[str, TableId]
    """The source's tables by lake name."""
    arguments: Maintain
    now: datetime

    def maintain(self, name: str) -> MaintainedTable:
        """Maintain one table; what a person has to correct first is told of in the result."""
        safe_age, dry_run = timedelta(seconds=self.arguments.safe_age_seconds), self.arguments.dry_run
        try:
            compacted = self._compact(name)
            forgotten = expire(self.catalog, name, before=self.now - safe_age, dry_run=dry_run)
            swept = sweep(
                self.catalog,
                name,
                pins=self.arguments.pins,
                now=self.now,
                safe_age=safe_age,
                forgotten=forgotten,
                dry_run=dry_run,
            )
        except OperatorError as error:
            return MaintainedTable(table=name, problem=f"{error} {error.guidance}")
        return MaintainedTable(
            table=name,
            compacted_partitions=compacted,
            forgotten_snapshots=len(forgotten),
            removed_files=swept.files,
            removed_bytes=swept.size_bytes,
            kept_files=swept.kept_files,
            kept_bytes=swept.kept_bytes,
        )

    def _compact(self, name: str) -> int:
        namespace, _, table = name.partition(".")
        dry_run = self.arguments.dry_run
        if namespace == SILVER and table in self.sources:
            return compact_silver(self.catalog, self.connection, self.store, self.sources[table], dry_run=dry_run)
        if namespace == _GOLD:
            return compact_gold(self.catalog, self.connection, name, dry_run=dry_run)
        return 0


def _tables_by_lake_name(store: ObjectStore) -> dict[str, TableId]:
    loads = (LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX))
    return {table.lake_name: table for load in loads for table in load.tables}


def _rests_upon(catalog: Catalog, names: tuple[str, ...]) -> dict[str, str]:
    """Return the load that each silver table's rows go back to, by lake name."""
    silver = [name for name in names if name.startswith(f"{SILVER}.")]
    return {
        name.partition(".")[2]: load_id
        for name in silver
        if (load_id := summary(load_table(catalog, name)).get(LOAD_ID))
    }
