"""Loads a source into bronze, and reads bronze as silver does."""

from __future__ import annotations

import duckdb

from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import LoadManifest
from etl.bronze.reader import bronze_relation_sql, check_rows, verify
from etl.contracts.store import read_contract
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectStore
from etl.replicate.full_load import FullLoad, full_load
from tests.integration.etl.conftest import Source


def load(source: Source, store: ObjectStore, *tables: str, request_id: str = "r1", **options: int) -> FullLoad:
    return full_load(
        source_url=source.url,
        store=store,
        tables=[TableId.parse(table) for table in tables],
        request_id=request_id,
        **options,
    )


def contract_of(store: ObjectStore, manifest: LoadManifest, table: TableId) -> TableContract:
    (version,) = {file.contract_version for file in manifest.files_of(table)}
    return read_contract(store, table, version)


def read(store: ObjectStore, manifest: LoadManifest, table: TableId, select: str = "*") -> list[tuple]:
    """Read a table of a load as silver does: verified, then by DuckDB, then counted."""
    files = manifest.files_of(table)
    if not files:
        return []
    verify(store, files)
    relation = bronze_relation_sql(contract_of(store, manifest, table), [store.uri(file.key) for file in files])
    with duckdb.connect() as engine:
        counts = dict(engine.execute(f"SELECT filename, count(*) FROM {relation} GROUP BY 1").fetchall())
        check_rows(files, counts, store)
        return engine.execute(f"SELECT {select} FROM {relation}").fetchall()


def visible_loads(store: ObjectStore) -> list[LoadManifest]:
    return [LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX)]
