"""Bring a full load into silver on Spark: what `etl.silver.apply` does, with its rules and its results."""

from __future__ import annotations

import time

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from etl.bronze.layout import CHANGE_SEQ_FIELD, fields
from etl.bronze.manifest import FileManifest
from etl.bronze.reader import check_rows
from etl.engine.catalog import catalog_errors
from etl.engine.spark import SparkLake, spark_errors
from etl.engine.spark_sql import quoted, spark_sql
from etl.engine.sql import identifier
from etl.engine.tables import ensure_table, load_table, summary
from etl.engine.types import iceberg_schema
from etl.ports.catalog import TableMissingError
from etl.silver.apply import AppliedTable, StaleLoadError, applied_table
from etl.silver.conform import REASON_COLUMN, conformed, latest, reasons
from etl.silver.evolve import FILLS, evolve, new_table_properties, silver_schema
from etl.silver.load import OPERATIONS, LoadedTable
from etl.silver.quarantine import COLUMNS, quarantine_name
from etl.silver.spark_bronze import FILE_COLUMN, ROW_COLUMN, bronze_rows, readable, rows_by_file
from etl.silver.summary import CONTRACT_VERSION, LOAD_ID, REJECTS, SOURCE_LSN, WATERMARK
from etl.silver.table import SILVER
from etl.silver.tombstones import TOMBSTONES

_RAW, _SEQ = "raw\n", "seq\n"
"""Names beside the contract's columns; no field of bronze is called so."""


def apply_load_on_spark(lake: SparkLake, loaded: LoadedTable) -> AppliedTable:
    """Replace one table's silver rows by those of a full load; see `etl.silver.apply.apply_load`.

    Before: the load's files are verified.

    Raises:
        BronzeDamagedError: The files do not hold the rows that their manifests count.
        IncompatibleContractError: The contract cannot hold what silver holds.
        StaleLoadError: Silver holds a newer load.
        CommitConflictError: Someone else changed the table meanwhile.
        CatalogUnavailableError: The catalog did not answer.
        SparkComputationError: Spark could not compute the rows.
        SparkUnavailableError: Spark or the store went away.
    """
    started = time.perf_counter()
    contract, load = loaded.contract, loaded.load
    name = contract.table.lake_name
    table_name = f"{SILVER}.{name}"
    table = ensure_table(
        lake.catalog,
        table_name,
        silver_schema(contract),
        partition_by=contract.tenant_column,
        properties=new_table_properties(contract),
    )
    standing = summary(table).get(LOAD_ID, "")
    if standing > load.load_id:
        raise StaleLoadError(table=name, load_id=load.load_id, silver_load_id=standing)
    if standing < load.load_id:
        evolve(table, contract)
        with readable(contract):
            rejects = _count_rejects(lake, loaded)
            _keep_rejects(lake, loaded, rejects)
            properties = {
                LOAD_ID: load.load_id,
                WATERMARK: loaded.watermark,
                SOURCE_LSN: str(load.lsn),
                CONTRACT_VERSION: str(contract.version),
                REJECTS: str(sum(rejects.values())),
            }
            rows = _good_rows(lake, loaded) if loaded.files else lake.rows(table_name, table).limit(0)
            lake.overwrite(table_name, table, rows, properties)
        _clear(lake, f"{TOMBSTONES}.{name}")
    if FILLS in table.properties:  # Also of a load whose process was killed before it came here.
        with catalog_errors(), table.transaction() as transaction:
            transaction.remove_properties(FILLS)
    seconds = time.perf_counter() - started
    return applied_table(table, loaded, seconds=seconds, unchanged=standing == load.load_id)


def _good_rows(lake: SparkLake, loaded: LoadedTable) -> DataFrame:
    """Return the conforming rows, the newest per key, with silver's columns."""
    typed = conformed(loaded.contract, _shown(lake, loaded, loaded.files), operations=OPERATIONS)
    conforming = f"SELECT * FROM ({typed}) WHERE {identifier(REASON_COLUMN)} IS NULL"
    return lake.sql(spark_sql(latest(loaded.contract, conforming)))


def _count_rejects(lake: SparkLake, loaded: LoadedTable) -> dict[str, int]:
    """Count the rows that do not conform, by file's key, and check that the files give every row they should.

    Raises:
        BronzeDamagedError: A file gives more or fewer rows than were written.
    """
    if not loaded.files:
        return {}
    found = reasons(loaded.contract, _shown(lake, loaded, loaded.files), operations=OPERATIONS, keep=[FILE_COLUMN])
    file, reason = identifier(FILE_COLUMN), identifier(REASON_COLUMN)
    counted = f"SELECT {file} AS file, COUNT(*) AS all_rows, COUNT({reason}) AS rejects FROM ({found}) GROUP BY {file}"
    with spark_errors():
        counts = lake.sql(spark_sql(counted)).collect()
    rows = rows_by_file({row.file: row.all_rows for row in counts}, loaded.store, loaded.files)
    check_rows(loaded.files, rows, loaded.store)
    rejects = rows_by_file({row.file: row.rejects for row in counts}, loaded.store, loaded.files)
    return {file.key: rejects[loaded.store.uri(file.key)] for file in loaded.files}


def _keep_rejects(lake: SparkLake, loaded: LoadedTable, rejects: dict[str, int]) -> None:
    """Make quarantine hold exactly the load's rejected rows; for no rows none is made."""
    name = quarantine_name(loaded.contract.table.lake_name)
    parts = [_rejected_rows(lake, loaded, file) for file in loaded.files if rejects[file.key]]
    if not parts:
        _clear(lake, name)
        return
    table = ensure_table(lake.catalog, name, iceberg_schema(COLUMNS), partition_by=None)
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.unionByName(part)
    lake.overwrite(name, table, rows, {})


def _rejected_rows(lake: SparkLake, loaded: LoadedTable, file: FileManifest) -> DataFrame:
    """Return a file's rows that do not conform, with quarantine's columns."""
    contract = loaded.contract
    names = fields(contract)
    texts = bronze_rows(lake.session, loaded.store, [file], names)
    raw = fn.to_json(fn.struct(*(fn.col(quoted(name)) for name in names)), {"ignoreNullFields": "false"})
    view = f"rejects_{file.key}"
    texts.withColumn(_RAW, raw).withColumn(_SEQ, fn.col(CHANGE_SEQ_FIELD)).createOrReplaceTempView(quoted(view))
    found = reasons(contract, identifier(view), operations=OPERATIONS, keep=[ROW_COLUMN, _RAW, _SEQ])
    rows = lake.sql(spark_sql(f"SELECT * FROM ({found}) WHERE {identifier(REASON_COLUMN)} IS NOT NULL"))
    return rows.select(
        fn.lit(loaded.load.load_id).alias("load_id"),
        fn.lit(file.key).alias("file"),
        fn.col(quoted(ROW_COLUMN)).cast("bigint").alias("row"),
        fn.col(REASON_COLUMN).alias("reason"),
        fn.col(quoted(_RAW)).alias("raw"),
        fn.col(quoted(_SEQ)).alias("change_seq"),
        fn.lit(None).cast("string").alias("key"),
        fn.lit(contract.version).cast("int").alias("contract_version"),
    )


def _shown(lake: SparkLake, loaded: LoadedTable, files: tuple[FileManifest, ...]) -> str:
    """Make a view of files' rows as text; return its name, to stand after FROM."""
    view = f"bronze_{loaded.contract.table.lake_name}"
    bronze_rows(lake.session, loaded.store, files, fields(loaded.contract)).createOrReplaceTempView(view)
    return identifier(view)


def _clear(lake: SparkLake, name: str) -> None:
    """Remove all rows of a table, if there is one and it has any."""
    try:
        table = load_table(lake.catalog, name)
    except TableMissingError:
        return
    if int(summary(table).get("total-records", "0")):
        lake.overwrite(name, table, lake.rows(name, table).limit(0), {})
