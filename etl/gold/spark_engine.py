"""Gold models on Spark: the same SQL in Spark's words, committed to the same Iceberg tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table
from pyspark.sql import DataFrame

from etl.contracts.types import LogicalType
from etl.engine.spark import SparkLake, SparkQueries, spark_errors
from etl.engine.spark_errors import SparkComputationError
from etl.engine.spark_sql import quoted, renamed
from etl.engine.types import iceberg_schema
from etl.gold import transforms
from etl.gold.compile import CompiledModel
from etl.gold.results import ModelComputationError
from etl.quality.execute import CheckResult, run_checks

_SPARK: dict[str, str] = {
    LogicalType.TEXT: "string",
    LogicalType.JSON: "string",
    LogicalType.TIMESTAMP: "timestamp_ntz",
    LogicalType.TIMESTAMPTZ: "timestamp",
}
"""Logical types that Spark calls otherwise."""


class SparkEngine:
    """Computes models over tables that are pinned to the snapshots they had when they were shown.

    Spark plans queries of several threads side by side, so one engine serves all.
    """

    def __init__(self, lake: SparkLake) -> None:
        """Use a lake's session; nothing is shown yet."""
        self._lake = lake
        self._views: dict[str, str] = {}
        """By the name of a table, the session's view that models read in its place."""
        self._computed: dict[str, DataFrame] = {}

    def show(self, tables: Mapping[str, Table]) -> None:
        """Make tables readable by their names, at their current snapshots."""
        for name, table in tables.items():
            self._show(name, self._lake.rows(name, table))

    def latest_commit(self, tables: Sequence[str]) -> datetime | None:
        """Return the latest source commit time in shown tables of silver; None if they are empty."""
        latest = " UNION ALL ".join(
            f"SELECT MAX(_committed_at) AS moment FROM {quoted(self._views[name])}" for name in tables
        )
        with spark_errors():
            # As text: a Python process of another zone would take it for a local time.
            (row,) = self._lake.sql(f"SELECT CAST(MAX(moment) AS STRING) AS moment FROM ({latest})").collect()
        return None if row.moment is None else datetime.fromisoformat(f"{row.moment}+00:00")

    def compute(self, compiled: CompiledModel, *, as_of: datetime) -> int:
        """Compute a model's rows, readable under the name of its table, and return their number.

        Nothing is committed; Spark's workers keep the rows.

        Raises:
            ModelComputationError: Spark cannot.
        """
        model = compiled.model
        sql = renamed(compiled.sql("spark", as_of=as_of), self._views, dialect="spark")
        try:
            with spark_errors():
                rows = self._lake.sql(sql)
                if model.transform is not None:
                    rows = self._transformed(compiled, rows)
                rows = rows.persist()
                count = int(rows.count())
        except SparkComputationError as error:
            raise ModelComputationError(f"{model.file} cannot be computed: {error}") from error
        self._computed[model.table] = rows
        self._show(model.table, rows)
        return count

    def check(self, compiled: CompiledModel, *, as_of: datetime, history: Sequence[int]) -> tuple[CheckResult, ...]:
        """Run the model's checks on the computed rows; see `etl.quality.execute.run_checks`.

        Raises:
            SparkComputationError: Spark refused a check's SQL.
        """
        model = compiled.model
        return run_checks(
            SparkQueries(self._lake.session, self._views),
            compiled.checks,
            table=model.table,
            key=model.grain,
            file=model.file,
            as_of=as_of,
            history=history,
        )

    def drop(self, table: str) -> None:
        """Forget the computed rows."""
        self._computed.pop(table).unpersist()
        self._lake.session.catalog.dropTempView(self._views.pop(table))

    def commit(self, table: Table, compiled: CompiledModel, properties: Mapping[str, str]) -> None:
        """Replace the table's rows by the computed ones in one snapshot; models read that from now on.

        Raises:
            CommitConflictError: Someone else committed first.
            SparkUnavailableError: Spark or the store went away.
        """
        name = compiled.model.table
        self._lake.overwrite(name, table, self._computed[name], properties)
        self._show(name, self._lake.rows(name, table))
        self._computed.pop(name).unpersist()

    def _show(self, name: str, rows: DataFrame) -> None:
        view = name.replace(".", "__")
        rows.createOrReplaceTempView(view)
        self._views[name] = view

    def _transformed(self, compiled: CompiledModel, rows: DataFrame) -> DataFrame:
        """Give a model's transform what its SELECT gathered, here, and return what it makes of it."""
        model = compiled.model
        assert model.transform is not None
        gathered = [row.asDict() for row in rows.collect()]
        made = transforms.load(model.transform).transform(pa.Table.from_pylist(gathered, schema=_arrow(model.selected)))
        columns = [(column.name, column.type) for column in model.columns]
        shape = ", ".join(f"{quoted(name)} {_SPARK.get(kind, kind)}" for name, kind in columns)
        values = [tuple(row[name] for name, _ in columns) for row in made.to_pylist()]
        return self._lake.session.createDataFrame(values, schema=shape)


def _arrow(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    """Return columns as DuckDB would give them to Arrow."""
    schema = schema_to_pyarrow(iceberg_schema(columns), include_field_ids=False)
    return pa.schema(
        [(field.name, pa.string() if pa.types.is_large_string(field.type) else field.type) for field in schema]
    )
