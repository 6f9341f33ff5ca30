"""`QueryEngine` on Athena: pinned snapshots by ``FOR VERSION AS OF``, bound parameters, a workgroup's limits.

A question is asked once: its idempotency token is made of the tenant, the publication, the
query and its values, so a repetition within the same minute, from whichever process, is
the same execution. What takes too long is cancelled, so that it stops costing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, LiteralString
from zoneinfo import ZoneInfo

from etl.contracts.publication import Publication
from etl.engine.gold_select import gold_select
from etl.ports.query_engine import (
    QueryRefusedError,
    QueryResult,
    QueryUnavailableError,
    SnapshotGoneError,
    Value,
)
from lakehouse_admin.adapters.aws.athena_select import AthenaSelect, athena_select
from lakehouse_admin.adapters.aws.errors import PermissionDeniedError, aws_errors

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import ColumnInfoTypeDef, QueryExecutionTypeDef, RowTypeDef

_PAGE_ROWS = 1_000
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_STARTS = 2
_USER_ERROR = 2
"""`AthenaError.ErrorCategory`: 1 is the system's, 2 the query's, 3 another service's."""
_PAUSES_SECONDS = (0.1, 0.15, 0.25, 0.4)
"""Between looks at a query; the last one repeats. Athena answers gold in about a second."""


class QueryTooLargeError(QueryRefusedError):
    """The query would read more than the workgroup allows one query."""

    guidance: ClassVar[str] = (
        "Narrow the question, for instance to fewer days, or raise the workgroup's limit on bytes scanned."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaConfig:
    """Where queries run and what they may take."""

    workgroup: str
    """Holds the result location, the encryption and the limit on bytes scanned."""
    catalog: str
    database: str
    """Athena's name for the schema ``gold``."""
    timeout_seconds: float = 20.0
    """Longest a query may wait for its turn and run."""
    max_rows: int = 100_000
    """Longest answer."""


class AthenaQueryEngine:
    """Asks Athena; safe to share between threads."""

    def __init__(
        self,
        client: AthenaClient,
        config: AthenaConfig,
        *,
        tenant_tables: Callable[[], Mapping[str, bool]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Remember what to ask with; nothing is asked yet.

        Args:
            client: boto3's Athena client.
            config: Where queries run.
            tenant_tables: Tells, by qualified gold table, whether it is kept by tenant.
            now: The clock.
            monotonic: The clock that deadlines are measured by.
            sleep: Waits between looks at a query.
        """
        self._client = client
        self._config = config
        self._tenant_tables = tenant_tables
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep

    def query(
        self,
        sql: LiteralString,
        *,
        tenant_id: int,
        publication: Publication,
        parameters: Sequence[Value] = (),
    ) -> QueryResult:
        """Answer ``sql`` from the tenant's rows of the publication; see `QueryEngine.query`.

        Raises:
            QueryTooLargeError: It would read more than the workgroup allows.
            OperatorError: Whatever `aws_errors` raises for a person to mend.
        """
        started = self._monotonic()
        select = athena_select(
            gold_select(sql),
            tenant_id=tenant_id,
            publication=publication,
            parameters=parameters,
            database=self._config.database,
            tenant_tables=self._tenant_tables(),
        )
        execution = self._run(select, tenant_id, publication, deadline=started + self._config.timeout_seconds)
        columns, rows = self._results(execution["QueryExecutionId"])
        return QueryResult(
            columns=columns,
            rows=rows,
            seconds=self._monotonic() - started,
            bytes_scanned=execution.get("Statistics", {}).get("DataScannedInBytes"),
        )

    def _run(
        self, select: AthenaSelect, tenant_id: int, publication: Publication, *, deadline: float
    ) -> QueryExecutionTypeDef:
        """Run the query to its success.

        A token that was used before may name an execution that failed, or that another
        process gave up on: such a one is left alone, and the query asked anew.
        """
        for number in range(_STARTS):
            execution_id = self._start(select, _token(select, tenant_id, publication, self._now(), number))
            execution, looks = self._wait(execution_id, deadline)
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return execution
            is_last = number + 1 == _STARTS
            if looks > 1 or is_last or (state == "FAILED" and not _is_retryable(execution)):
                _raise_ours(execution)
        raise AssertionError("the last start returns or raises")

    def _start(self, select: AthenaSelect, token: str) -> str:
        with aws_errors("Athena cannot be asked", unavailable=QueryUnavailableError):
            if select.parameters:
                started = self._client.start_query_execution(
                    QueryString=select.sql,
                    ExecutionParameters=list(select.parameters),
                    ClientRequestToken=token,
                    QueryExecutionContext={"Catalog": self._config.catalog, "Database": self._config.database},
                    WorkGroup=self._config.workgroup,
                )
            else:
                started = self._client.start_query_execution(
                    QueryString=select.sql,
                    ClientRequestToken=token,
                    QueryExecutionContext={"Catalog": self._config.catalog, "Database": self._config.database},
                    WorkGroup=self._config.workgroup,
                )
        return started["QueryExecutionId"]

    def _wait(self, execution_id: str, deadline: float) -> tuple[QueryExecutionTypeDef, int]:
        """Return the ended execution, and how many looks it took.

        Raises:
            QueryUnavailableError: It did not end in time, and was cancelled.
        """
        looks = 0
        while True:
            with aws_errors("Athena does not tell how a query is doing", unavailable=QueryUnavailableError):
                execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            looks += 1
            if execution["Status"]["State"] in _ENDED:
                return execution, looks
            if self._monotonic() >= deadline:
                self._cancel(execution_id)
                raise QueryUnavailableError("The query took too long; narrow it, then ask again.")
            self._sleep(_PAUSES_SECONDS[min(looks, len(_PAUSES_SECONDS)) - 1])

    def _cancel(self, execution_id: str) -> None:
        with aws_errors("A query cannot be cancelled", unavailable=QueryUnavailableError):
            self._client.stop_query_execution(QueryExecutionId=execution_id)

    def _results(self, execution_id: str) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
        """Return column names and typed rows; the first row of the first page is the header.

        Raises:
            QueryRefusedError: It returns too many rows, or values that are not plain.
        """
        columns: tuple[str, ...] = ()
        rows: list[tuple[Value, ...]] = []
        for number, (infos, page) in enumerate(self._pages(execution_id)):
            if number == 0:
                columns = tuple(info["Name"] for info in infos)
                page = page[1:]  # noqa: PLW2901 - the header is no row
            casts = [_CASTS.get(info["Type"]) for info in infos]
            for info, cast in zip(infos, casts, strict=True):
                if cast is None:
                    raise QueryRefusedError(f"A query returns plain values, not {info['Type']}.")
            rows += [_row(row, casts) for row in page]
            if len(rows) > self._config.max_rows:
                raise QueryRefusedError(
                    f"A query returns at most {self._config.max_rows} rows; aggregate, or add a LIMIT."
                )
        return columns, tuple(rows)

    def _pages(self, execution_id: str) -> Iterator[tuple[Sequence[ColumnInfoTypeDef], Sequence[RowTypeDef]]]:
        pages = self._client.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution_id, PaginationConfig={"PageSize": _PAGE_ROWS}
        )
        with aws_errors("A query's answer cannot be read", unavailable=QueryUnavailableError):
            for page in pages:
                result = page["ResultSet"]
                yield result["ResultSetMetadata"]["ColumnInfo"], result["Rows"]


def _token(select: AthenaSelect, tenant_id: int, publication: Publication, now: datetime, number: int) -> str:
    """Return the idempotency token of a question: 64 characters; the tenant is in it, for the id alone is no proof."""
    question = repr((tenant_id, publication.number, select.sql, select.parameters, f"{now:%Y%m%d%H%M}", number))
    return hashlib.sha256(question.encode()).hexdigest()


def _is_retryable(execution: QueryExecutionTypeDef) -> bool:
    return execution["Status"].get("AthenaError", {}).get("Retryable", False)


def _raise_ours(execution: QueryExecutionTypeDef) -> None:
    """Raise what an execution's end means.

    Raises:
        QueryTooLargeError: The workgroup's limit ended it.
        SnapshotGoneError: A pinned snapshot, or a file of it, is gone.
        PermissionDeniedError: The role may not read what it reads.
        QueryRefusedError: The query does not compute.
        QueryUnavailableError: Athena failed, or somebody cancelled it.
    """
    status = execution["Status"]
    said = status.get("StateChangeReason", "")
    lower = said.lower()
    error = status.get("AthenaError", {})
    if "bytes scanned limit" in lower:
        raise QueryTooLargeError
    if status["State"] == "CANCELLED":
        raise QueryUnavailableError("The query was cancelled; ask again.")
    if any(words in lower for words in _GONE):
        raise SnapshotGoneError
    if "access denied" in lower or "accessdenied" in lower or "insufficient permissions" in lower:
        raise PermissionDeniedError(f"Athena may not read the lake: {_first_line(said)}")
    if error.get("ErrorCategory") == _USER_ERROR and not error.get("Retryable", False):
        raise QueryRefusedError(f"The query cannot be computed: {_first_line(said)}")
    raise QueryUnavailableError(f"Athena failed: {_first_line(said)}")


_GONE = ("iceberg_missing_metadata", "iceberg snapshot id does not exist", "iceberg_filesystem_error", "nosuchkey")


def _first_line(said: str) -> str:
    return said.partition("\n")[0] or "no reason given"


def _row(row: RowTypeDef, casts: Sequence[Callable[[str], Value] | None]) -> tuple[Value, ...]:
    return tuple(
        None if cast is None or "VarCharValue" not in datum else cast(datum["VarCharValue"])
        for datum, cast in zip(row["Data"], casts, strict=True)
    )


def _boolean(text: str) -> bool:
    return text == "true"


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _timestamp_with_zone(text: str) -> datetime:
    """Read ``2026-01-01 00:30:00.000000 UTC``; Iceberg keeps instants in UTC, and Trino shows them so."""
    moment, _, zone = text.rpartition(" ")
    if zone in {"UTC", "Z", "+00:00"}:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    if zone[:1] in {"+", "-"}:
        return datetime.fromisoformat(f"{moment}{zone}").astimezone(UTC)
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


_CASTS: Mapping[str, Callable[[str], Value]] = {
    "varchar": str,
    "char": str,
    "string": str,
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "double": float,
    "float": float,
    "real": float,
    "decimal": Decimal,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp_with_zone,
    "unknown": str,
}
"""By Athena's name of a column's type: what its text means."""
