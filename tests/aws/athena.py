"""Athena, whose answers DuckDB computes: Trino's SQL is read by sqlglot and run over the test's own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import sqlglot
from sqlglot import TokenType, exp

from tests.aws.service import Clock, FakeService, Fault

WORKGROUP = "lakeside-dev"
DATABASE = "lakeside_dev_gold"

_TYPES: dict[str, str] = {
    "VARCHAR": "varchar", "BIGINT": "bigint", "INTEGER": "integer", "HUGEINT": "bigint", "DOUBLE": "double",
    "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", '"NULL"': "unknown",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}  # fmt: skip


@dataclass
class Execution:
    """A query and its fate."""

    id: str
    sql: str
    parameters: list[str]
    states: list[str]
    """What each look finds, the last one for ever."""
    token: str
    reason: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    looks: int = 0
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.states[min(self.looks, len(self.states)) - 1] if self.looks else self.states[0]


class FakeAthena(FakeService):
    name = "athena"

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.executions: dict[str, Execution] = {}
        self.script: Callable[[Execution], None] = lambda _execution: None
        """May change a new execution's fate."""
        self.lake = duckdb.connect()
        self.lake.execute("SET TimeZone = 'UTC'")
        self.lake.execute(f"CREATE SCHEMA {DATABASE}")
        self.snapshots: dict[tuple[str, int], str] = {}
        """The DuckDB table that holds a model's snapshot."""
        self.bytes_scanned = 10_485_760

    def add(self, model: str, snapshot_id: int, select: str) -> None:
        """Commit a snapshot of a model."""
        name = f"{model}_{snapshot_id}"
        self.lake.execute(f"CREATE TABLE {DATABASE}.{name} AS {select}")
        self.snapshots[model, snapshot_id] = name

    def start_query_execution(
        self,
        *,
        QueryString: str,
        ClientRequestToken: str,
        QueryExecutionContext: dict[str, str],
        WorkGroup: str,
        ExecutionParameters: list[str] | None = None,
    ) -> dict[str, Any]:
        if WorkGroup != WORKGROUP:
            raise Fault("InvalidRequestException", f"WorkGroup {WorkGroup} is not found.")
        assert QueryExecutionContext == {"Catalog": "AwsDataCatalog", "Database": DATABASE}
        for known in self.executions.values():
            if known.token == ClientRequestToken:
                if (known.sql, known.parameters) != (QueryString, ExecutionParameters or []):
                    raise Fault("InvalidRequestException", "Idempotent parameters do not match")
                return {"QueryExecutionId": known.id}
        execution = Execution(
            id=f"{len(self.executions):08d}-0000-4000-8000-000000000000",
            sql=QueryString,
            parameters=ExecutionParameters or [],
            states=["QUEUED", "RUNNING", "SUCCEEDED"],
            token=ClientRequestToken,
        )
        self.executions[execution.id] = execution
        self._compute(execution)
        self.script(execution)
        return {"QueryExecutionId": execution.id}

    def get_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:
        execution = self._execution(QueryExecutionId)
        execution.looks += 1
        state = execution.state
        status: dict[str, Any] = {"State": state, "SubmissionDateTime": self.clock.now()}
        if state in {"FAILED", "CANCELLED"}:
            status |= {"StateChangeReason": execution.reason}
            status |= {"AthenaError": execution.error} if execution.error else {}
        return {
            "QueryExecution": {
                "QueryExecutionId": execution.id,
                "Query": execution.sql,
                "WorkGroup": WORKGROUP,
                "Status": status,
                "Statistics": {"DataScannedInBytes": self.bytes_scanned, "EngineExecutionTimeInMillis": 5},
            }
        }

    def stop_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:
        execution = self._execution(QueryExecutionId)
        execution.states, execution.looks = ["CANCELLED"], 1
        execution.reason = "Query cancelled by user"
        return {}

    def get_query_results(
        self,
        *,
        QueryExecutionId: str,
        MaxResults: int = 1000,
        NextToken: str = "0",
    ) -> dict[str, Any]:
        execution = self._execution(QueryExecutionId)
        if execution.state != "SUCCEEDED":
            raise Fault("InvalidRequestException", f"Query has not yet finished. Current state: {execution.state}")
        header = [{"Data": [{"VarCharValue": name} for name, _ in execution.columns]}]
        rows = header + [{"Data": [_datum(value) for value in row]} for row in execution.rows]
        start = int(NextToken)
        infos = [{"Name": name, "Type": kind} for name, kind in execution.columns]
        more = {"NextToken": str(start + MaxResults)} if start + MaxResults < len(rows) else {}
        return {
            "ResultSet": {"Rows": rows[start : start + MaxResults], "ResultSetMetadata": {"ColumnInfo": infos}},
            **more,
        }

    def _execution(self, execution_id: str) -> Execution:
        if execution_id not in self.executions:
            raise Fault("InvalidRequestException", f"QueryExecution {execution_id} was not found")
        return self.executions[execution_id]

    def _relation(self, table: str, snapshot: int) -> str:
        """Return what holds a table's rows as of a snapshot."""
        if (table, snapshot) not in self.snapshots:
            raise KeyError(f"ICEBERG_INVALID: Iceberg snapshot ID does not exist: {snapshot}")
        return self.snapshots[table, snapshot]

    def _compute(self, execution: Execution) -> None:
        try:
            query = sqlglot.parse_one(_with_constants(execution.sql, execution.parameters), read="trino")
            for table in query.find_all(exp.Table):
                version = table.args.get("version")
                if version is None:
                    continue
                relation = self._relation(table.name, int(version.expression.name))
                table.set("version", None)
                table.set("this", exp.to_identifier(relation, quoted=True))
            cursor = self.lake.execute(query.sql("duckdb"))
            execution.columns = [(name, _athena_type(str(kind))) for name, kind, *_ in cursor.description or []]
            execution.rows = cursor.fetchall()
        except (duckdb.Error, KeyError) as error:
            execution.states = ["FAILED"]
            execution.reason = str(error)
            execution.error = {"ErrorCategory": 2, "ErrorType": 1006, "Retryable": False}


def _with_constants(sql: str, constants: list[str]) -> str:
    """Put each constant where its ``?`` stands in the text that was sent, as Athena does."""
    tokens = sqlglot.tokenize(sql, read="trino")
    places = [token.start for token in tokens if token.token_type is TokenType.PLACEHOLDER]
    for place, constant in reversed(list(zip(places, constants, strict=True))):
        sql = f"{sql[:place]}{constant}{sql[place + 1 :]}"
    return sql


def _athena_type(kind: str) -> str:
    return "decimal" if kind.startswith("DECIMAL") else _TYPES.get(kind, kind.lower())


def _datum(value: Any) -> dict[str, str]:
    match value:
        case None:
            return {}
        case bool():
            return {"VarCharValue": str(value).lower()}
        case datetime() if value.tzinfo is not None:
            return {"VarCharValue": f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"}
        case datetime():
            return {"VarCharValue": f"{value:%Y-%m-%d %H:%M:%S.%f}"}
        case date() | Decimal() | int() | float() | str():
            return {"VarCharValue": str(value)}
        case _:
            return {"VarCharValue": repr(value)}
