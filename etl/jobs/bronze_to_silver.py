"""Job: bring one full load from bronze into silver, every table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.bronze.reader import verify
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from etl.silver.apply import AppliedTable, apply_load
from etl.silver.load import LoadedTable, loaded_table


@dataclass(frozen=True, slots=True, kw_only=True)
class BronzeToSilver:
    """What the job needs to know."""

    lake: LakeConfig
    load_id: str
    """Names the `LoadManifest` in bronze."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilverResult:
    """What became of each table, in the load's order."""

    load_id: str
    tables: tuple[AppliedTable, ...]


def run(arguments: BronzeToSilver, progress: Progress, *, store: ObjectStore | None = None) -> SilverResult:
    """Apply the load; tables it already reached are left alone, so a repetition resumes.

    Args:
        arguments: Which load, which lake.
        progress: Told ``rows`` of each finished table.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.

    Raises:
        ObjectMissingError: The load, or one of its files, is gone.
        BronzeDamagedError: A file is not what was written.
        LakehouseError: Whatever else `etl.silver.apply.apply_load` raises.
    """
    store = store or DirectoryStore(Path(arguments.lake.bronze_root))
    load = LoadManifest.from_json(store.get(load_manifest_key(arguments.load_id)))
    verify(store, load.files)
    done: dict[TableId, AppliedTable] = {}
    lock = threading.Lock()
    with open_catalog(arguments.lake) as catalog, duckdb_session(arguments.lake) as connection:

        def apply(loaded: LoadedTable) -> None:
            with connection.cursor() as cursor:
                applied = apply_load(catalog, cursor, loaded)
            with lock:
                done[loaded.contract.table] = applied
                progress.update(rows={each.table: each.rows for each in done.values()})

        tables = [loaded_table(store, load, table) for table in load.tables]
        tables.sort(key=lambda loaded: loaded.rows, reverse=True)
        with ThreadPoolExecutor(arguments.lake.threads, thread_name_prefix="silver") as pool:
            for _ in pool.map(apply, tables):
                pass
    return SilverResult(load_id=load.load_id, tables=tuple(done[table] for table in load.tables))
