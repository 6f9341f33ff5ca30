"""Spark as the jobs use it: UTC, ANSI arithmetic, and the lake's Iceberg tables, which it shares with DuckDB.

Tables are created and evolved by the same code on both engines, through pyiceberg
(`etl.engine.tables`, `etl.silver.evolve`); Spark computes rows and commits them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from py4j.protocol import Py4JJavaError
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn
from pyspark.sql.types import BooleanType

from etl.engine.catalog import CATALOG_NAME, catalog_errors
from etl.engine.json_text import is_json
from etl.engine.lake import LakeConfig
from etl.engine.spark_errors import SparkComputationError, SparkUnavailableError
from etl.engine.spark_sql import IS_JSON, quoted, renamed, spark_sql
from etl.engine.write import CommitConflictError

_PROPERTY = "snapshot-property."
_CONFLICTS = ("ValidationException", "CommitFailedException")

_SETTINGS = {
    # Integers that overflow, text that is no number and division by zero are errors, as in DuckDB.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # Years before 1582 as every other reader of Parquet means them.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    f"spark.sql.catalog.{CATALOG_NAME}": "org.apache.iceberg.spark.SparkCatalog",
    # pyiceberg changes tables beside Spark: it has to look anew each time.
    f"spark.sql.catalog.{CATALOG_NAME}.cache-enabled": "false",
    # Few partitions each hold millions of rows; adaptive execution cuts them to what the data needs.
    "spark.sql.adaptive.enabled": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkLake:
    """An open lake: a Spark session and the catalog of the tables it reads and writes."""

    session: SparkSession = field(repr=False)
    catalog: Catalog = field(repr=False)
    database_prefix: str = ""
    """Before a schema's name in Spark's catalog; Glue's databases of one account share a namespace."""

    def name(self, table: str) -> str:
        """Return how Spark SQL calls a table of the lake, e.g. of ``silver.orders``."""
        schema, _, name = table.partition(".")
        return f"{CATALOG_NAME}.{quoted(self.database_prefix + schema)}.{quoted(name)}"

    def rows(self, name: str, table: Table) -> DataFrame:
        """Return the rows of a table as it was loaded, whatever was committed to it since."""
        snapshot_id = snapshot_id_of(table)
        reader = self.session.read if snapshot_id is None else self.session.read.option("snapshot-id", snapshot_id)
        return reader.table(self.name(name))

    def sql(self, text: str) -> DataFrame:
        """Return the rows of a query in Spark's own words.

        Raises:
            SparkComputationError: Spark refuses it.
        """
        with spark_errors():
            return self.session.sql(text)

    def overwrite(self, name: str, table: Table, rows: DataFrame, properties: Mapping[str, str]) -> None:
        """Replace all rows of a table in one snapshot; it succeeds only if nobody committed since it was loaded.

        Args:
            name: As ``namespace.table``.
            table: As loaded; at the new snapshot afterwards.
            rows: Have the table's columns, by name.
            properties: Texts for the snapshot's summary.

        Raises:
            CommitConflictError: Someone else committed first.
            SparkComputationError: The rows cannot be computed.
            SparkUnavailableError: Spark or the store went away.
        """
        columns = [fn.col(quoted(each.name)) for each in table.schema().fields]
        writer = rows.select(*columns).writeTo(self.name(name))
        for key, value in properties.items():
            writer = writer.option(f"{_PROPERTY}{key}", value)
        standing = snapshot_id_of(table)
        if standing is not None:
            writer = writer.option("validate-from-snapshot-id", str(standing))
            writer = writer.option("isolation-level", "serializable")
        with spark_errors(table):
            writer.overwrite(fn.lit(True))  # noqa: FBT003 - Spark's constant
        with catalog_errors():
            table.refresh()


class SparkQueries:
    """Runs our SQL, written in DuckDB's dialect, over tables that stand for views: `etl.quality.execute.Queries`."""

    def __init__(self, session: SparkSession, views: Mapping[str, str]) -> None:
        """Use ``views``, by the name of the table that each stands for."""
        self._session = session
        self._views = views

    def execute(self, query: str, /) -> SparkRows:
        """Return the rows of a query; they are computed when they are fetched.

        Raises:
            SparkComputationError: Spark refuses it.
        """
        with spark_errors():
            return SparkRows(self._session.sql(spark_sql(renamed(query, self._views))))


class SparkRows:
    """What a query found."""

    def __init__(self, rows: DataFrame) -> None:
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples.

        Raises:
            SparkComputationError: They cannot be computed.
        """
        with spark_errors():
            return [tuple(row) for row in self._rows.collect()]


def snapshot_id_of(table: Table) -> int | None:
    """Return the table's current snapshot; None before the first."""
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else None


def jdbc_catalog(lake: LakeConfig) -> dict[str, str]:
    """Return Spark's settings for the Iceberg catalog in PostgreSQL that `etl.engine.catalog` opens.

    Raises:
        ValueError: The configuration names no catalog.
    """
    if lake.catalog_url is None:
        message = "this LakeConfig has no catalog_url"
        raise ValueError(message)
    url = urlsplit(lake.catalog_url)
    query = "&".join(f"{name}={value}" for name, value in parse_qsl(url.query) if name in {"sslmode", "sslrootcert"})
    catalog = f"spark.sql.catalog.{CATALOG_NAME}"
    settings = {
        f"{catalog}.catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        f"{catalog}.uri": f"jdbc:postgresql://{url.hostname}:{url.port or 5432}{url.path}{'?' if query else ''}{query}",
        f"{catalog}.jdbc.schema-version": "V1",
        f"{catalog}.warehouse": lake.warehouse,
    }
    if url.username:
        settings[f"{catalog}.jdbc.user"] = unquote(url.username)
    if url.password:
        settings[f"{catalog}.jdbc.password"] = unquote(url.password)
    return settings


def spark_session(settings: Mapping[str, str]) -> SparkSession:
    """Return a session, the running one if there is one, with the settings that the lake needs.

    Args:
        settings: More of Spark's settings: where the catalog is, jars, memory.
    """
    builder = SparkSession.builder.appName("lakeside")
    for name, value in {**_SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.udf.register(IS_JSON, is_json, BooleanType())
    return session


@contextmanager
def spark_errors(table: Table | None = None) -> Iterator[None]:
    """Turn Spark's errors into ours, without the rows they may show.

    Args:
        table: The one being committed to, if any.

    Raises:
        CommitConflictError: Someone else committed first.
        SparkComputationError: Spark refuses or cannot compute the query.
        SparkUnavailableError: Spark or the store went away.
    """
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        if table is not None and any(name in text for name in _CONFLICTS):
            raise CommitConflictError(table=".".join(table.name())) from error
        if isinstance(error, AnalysisException):
            raise SparkComputationError(_first_line(error)) from error
        if "ExecutorLostFailure" in text:
            raise SparkUnavailableError from error
        raise SparkComputationError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    """Return the first line of what Spark's innermost exception says."""
    java = getattr(error, "java_exception", None)
    if java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        return str(java.getMessage()).partition("\n")[0]
    return str(error).partition("\n")[0]
