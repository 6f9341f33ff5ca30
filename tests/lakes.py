"""Lakes for tests: real folders, a real catalog, loads made by the product's own jobs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyiceberg.table import Table

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import fields
from etl.bronze.manifest import LoadManifest
from etl.contracts.publication import TablePin
from etl.contracts.store import record_contract
from etl.contracts.table import TableContract
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import data_files, ensure_table, load_table, summary
from etl.engine.types import iceberg_schema
from etl.engine.write import table_write
from etl.jobs import bronze_to_silver, full_load, reconcile
from etl.jobs.bronze_to_silver import BronzeToSilver, SilverResult
from etl.jobs.full_load import FullLoadArguments, FullLoadResult
from etl.jobs.progress import Progress
from etl.jobs.reconcile import Reconcile, ReconcileResult
from etl.replicate.landing import commit_load, land_table, next_file_number
from etl.replicate.lsn import Lsn, change_seq
from etl.replicate.snapshot import Block

MEMORY_LIMIT_BYTES = 256 * 1024 * 1024


def lake_in(folder: Path, catalog_url: str, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> LakeConfig:
    """Describe a lake in a folder of the test's own."""
    return LakeConfig(
        lake_uri=str(folder / "lake"), catalog_url=catalog_url, memory_limit_bytes=memory_limit_bytes, threads=2
    )


def load(lake: LakeConfig, source_url: str, tables: Sequence[str]) -> FullLoadResult:
    """Land a full load in bronze."""
    arguments = FullLoadArguments(
        lake_uri=lake.lake_uri, tables=tuple(tables), request_id=uuid.uuid4().hex, source_url=source_url
    )
    return full_load.run(arguments, Progress())


def land(lake: LakeConfig, contract: TableContract, *rows: str, lsn: int = 1) -> str:
    """Land CSV rows of the test's own, between the header and the end of one file, as a full load."""
    store = DirectoryStore(Path(lake.bronze_root))
    contract = record_contract(store, contract)
    header = Block(text=",".join(fields(contract)).encode() + b"\n", rows=0)
    text = "".join(f"{row}\n" for row in rows).encode()
    files = land_table(
        store,
        contract,
        iter([header, Block(text=text, rows=len(rows))]),
        first_number=next_file_number(store, contract.table),
        sequence=change_seq(lsn),
    )
    manifest = LoadManifest(
        load_id=Lsn(lsn).hex,
        request_id=uuid.uuid4().hex,
        lsn=lsn,
        snapshot_at="2026-01-01T00:00:00+00:00",
        files=files,
        tables=(contract.table,),
    )
    commit_load(store, manifest)
    return manifest.load_id


def apply(lake: LakeConfig, load_id: str) -> SilverResult:
    """Bring a load into silver."""
    return bronze_to_silver.run(BronzeToSilver(lake=lake, load_id=load_id), Progress())


def compare(lake: LakeConfig, load_id: str) -> ReconcileResult:
    """Compare a load in silver with what the source held."""
    return reconcile.run(Reconcile(lake=lake, load_id=load_id), Progress())


def write_table(lake: LakeConfig, name: str, columns: Mapping[str, str], select: str) -> TablePin:
    """Replace a table's rows by those of a SELECT, as a job would; pin what came of it."""
    schema = iceberg_schema(columns.items())
    partition = "tenant_id" if "tenant_id" in columns else None
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        table = ensure_table(catalog, name, schema, partition_by=partition)
        with table_write(table, connection) as write:
            write.commit(add=write.parquet(select), delete=data_files(table), properties={})
        snapshot = table.current_snapshot()
        assert snapshot is not None
        return TablePin(
            table=name,
            metadata_location=table.metadata_location,
            snapshot_id=snapshot.snapshot_id,
            rows=int(summary(table)["total-records"]),
        )


def silver(lake: LakeConfig, table: str) -> Table:
    """Open a table as any reader of Iceberg would."""
    return table_of(lake, f"silver.{table}")


def table_of(lake: LakeConfig, name: str) -> Table:
    """Open a table by its qualified name."""
    with open_catalog(lake) as catalog:
        return load_table(catalog, name)
