"""Gold models on DuckDB: views over silver's files, models as tables in memory, Parquet files of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import duckdb
from pyiceberg.table import Table

from etl.engine.session import duckdb_errors
from etl.engine.sql import qualified
from etl.engine.tables import data_files, snapshot_relation
from etl.engine.write import table_write
from etl.gold.compile import CompiledModel
from etl.gold.compute import compute
from etl.gold.model import MODEL_SCHEMA, SILVER_SCHEMA, ModelComputationError
from etl.quality.execute import CheckResult, run_checks


class DuckdbEngine:
    """A `ModelEngine`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Use a session of `etl.engine.session`, or a cursor of one."""
        self._connection = connection

    @contextmanager
    def fork(self) -> Iterator[DuckdbEngine]:
        """Return one with a cursor of its own; see `ModelEngine.fork`."""
        with self._connection.cursor() as cursor:
            yield DuckdbEngine(cursor)

    def show(self, tables: Mapping[str, Table]) -> None:
        """Make views; see `ModelEngine.show`."""
        for schema in (SILVER_SCHEMA, MODEL_SCHEMA):
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, table in tables.items():
            self._connection.execute(f"CREATE VIEW {qualified(name)} AS {snapshot_relation(table)}")

    def latest_commit(self, tables: Sequence[str]) -> datetime | None:
        """See `ModelEngine.latest_commit`."""
        latest = " UNION ALL ".join(f"SELECT MAX(_committed_at) AS moment FROM {qualified(name)}" for name in tables)
        ((moment,),) = self._connection.execute(f"SELECT MAX(moment) FROM ({latest})").fetchall()
        assert moment is None or isinstance(moment, datetime)
        return moment

    def compute(self, compiled: CompiledModel, *, as_of: datetime) -> int:
        """Fill a table in memory; see `ModelEngine.compute`."""
        try:
            with duckdb_errors():
                return compute(self._connection, compiled, as_of=as_of)
        except duckdb.Error as error:
            first_line = str(error).partition("\n")[0]
            raise ModelComputationError(f"{compiled.model.file} cannot be computed: {first_line}") from error

    def check(self, compiled: CompiledModel, *, as_of: datetime, history: Sequence[int]) -> tuple[CheckResult, ...]:
        """See `ModelEngine.check`."""
        model = compiled.model
        return run_checks(
            self._connection,
            compiled.checks,
            table=model.table,
            key=model.grain,
            file=model.file,
            as_of=as_of,
            history=history,
        )

    def drop(self, table: str) -> None:
        """See `ModelEngine.drop`."""
        self._connection.execute(f"DROP TABLE {qualified(table)}")

    def commit(self, table: Table, compiled: CompiledModel, properties: Mapping[str, str]) -> None:
        """See `ModelEngine.commit`."""
        name = qualified(compiled.model.table)
        ((rows,),) = self._connection.execute(f"SELECT COUNT(*) FROM {name}").fetchall()
        with table_write(table, self._connection) as write:
            files = write.parquet(f"SELECT * FROM {name}") if rows else ()
            write.commit(add=files, delete=data_files(table), properties=properties)
