"""The transforms on Spark, under the names and with the results of the jobs that run on DuckDB.

In a Glue job, `run` finds Spark and the Glue Data Catalog by itself. `run_on` takes any lake
that Spark can open, such as one whose catalog is in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.engine.spark import SparkLake, spark_session
from etl.gold.results import GoldIncompleteError
from etl.gold.spark_materialise import materialise_on_spark
from etl.jobs.bronze_to_silver import SilverResult
from etl.jobs.progress import Progress
from etl.jobs.silver_to_gold import GoldResult
from etl.ports.job_runner import JobRefusedError
from etl.ports.object_store import ObjectStore
from etl.silver.load import loaded_table
from etl.silver.spark_bronze import verify
from etl.silver.spark_load import apply_load_on_spark

JOBS = ("bronze_to_silver", "silver_to_gold")


def run(name: str, arguments: Mapping[str, object], store: ObjectStore) -> SilverResult | GoldResult:
    """Run a job inside AWS Glue.

    Args:
        name: One of `JOBS`.
        arguments: What `etl.jobs.<name>` documents, ``lake_uri`` and ``database_prefix``.
        store: Bronze.

    Raises:
        JobRefusedError: There is no such job on Spark, or an argument is missing.
        LakehouseError: Whatever else the job raises.
    """
    from awsglue.context import GlueContext  # noqa: PLC0415 - there is one in AWS Glue alone
    from pyspark.context import SparkContext  # noqa: PLC0415

    from etl.engine.glue_catalog import PrefixedGlueCatalog, glue_settings  # noqa: PLC0415 - needs boto3

    warehouse = f"{_text(arguments, 'lake_uri')}/warehouse"
    prefix = _text(arguments, "database_prefix")
    # The extension that MERGE and time travel need is read when a session begins: Glue begins it.
    GlueContext(SparkContext.getOrCreate())
    session = spark_session(glue_settings(warehouse))
    lake = SparkLake(session=session, catalog=PrefixedGlueCatalog(warehouse, prefix=prefix), database_prefix=prefix)
    return run_on(lake, name, arguments, store, Progress())


def run_on(
    lake: SparkLake, name: str, arguments: Mapping[str, object], store: ObjectStore, progress: Progress
) -> SilverResult | GoldResult:
    """Run a job on a lake that is open.

    Args:
        lake: The lake.
        name: One of `JOBS`.
        arguments: ``load_id``, or ``as_of`` if wanted; others are ignored.
        store: Bronze.
        progress: Told what the job of that name tells.

    Raises:
        JobRefusedError: There is no such job on Spark, or an argument is missing.
        LakehouseError: Whatever else the job raises.
    """
    match name:
        case "bronze_to_silver":
            return _bronze_to_silver(lake, _text(arguments, "load_id"), store, progress)
        case "silver_to_gold":
            as_of = arguments.get("as_of")
            return _silver_to_gold(lake, datetime.fromisoformat(str(as_of)) if as_of else None, progress)
    raise JobRefusedError(f"There is no job {name} on Spark; there are: {', '.join(JOBS)}.")


def _bronze_to_silver(lake: SparkLake, load_id: str, store: ObjectStore, progress: Progress) -> SilverResult:
    load = LoadManifest.from_json(store.get(load_manifest_key(load_id)))
    verify(lake.session, store, load.files)
    done = []
    for table in load.tables:
        done.append(apply_load_on_spark(lake, loaded_table(store, load, table)))
        progress.update(rows={each.table: each.rows for each in done})
    return SilverResult(load_id=load.load_id, tables=tuple(done))


def _silver_to_gold(lake: SparkLake, as_of: datetime | None, progress: Progress) -> GoldResult:
    try:
        return GoldResult(models=materialise_on_spark(lake, progress, as_of=as_of))
    except GoldIncompleteError as error:
        return GoldResult(models=error.results, problem=str(error))


def _text(arguments: Mapping[str, object], name: str) -> str:
    """Return an argument that has to be a text.

    Raises:
        JobRefusedError: It is missing or none.
    """
    value = arguments.get(name)
    if not isinstance(value, str):
        raise JobRefusedError(f"The job needs the argument {name}.")
    return value
