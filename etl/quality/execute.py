"""Run checks on a table that stands open in DuckDB: how many rows break each, and which, by their keys.

Checks that look at one row at a time share one scan of their table; the others are a query each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol

import duckdb
from sqlglot import exp

from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier, qualified
from etl.errors import OperatorError
from etl.gold.compile import CompiledCheck, check_sql
from etl.gold.shims import expand
from etl.quality.checks import Check, Dimension, Severity
from etl.quality.volume import judge

SAMPLED_ROWS = 20
"""Rows at fault whose keys are kept, per check."""

_WHOLE_ROWS_ONLY = ("joins", "group", "having", "qualify", "distinct", "with_", "windows", "laterals")


class Rows(Protocol):
    """What a query found."""

    def fetchall(self) -> list[Any]:
        """Return the rows as tuples."""


class Queries(Protocol):
    """A session to ask, in DuckDB's dialect: DuckDB's own, or Spark's (`etl.engine.spark.SparkQueries`)."""

    def execute(self, query: str, /) -> Rows:
        """Run a query."""


class CheckNotComputedError(OperatorError):
    """The engine could not run a check."""

    guidance: ClassVar[str] = "Correct the check in the file named in the message, then retry the run."


class Verdict(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    WARNED = "warned"
    """Rows break it, and it only warns."""
    BLOCKED = "blocked"
    """Rows break it, so nothing is published."""
    NOT_JUDGED = "not_judged"
    """There was nothing to judge by; the explanation says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check on one version of a table."""

    table: str
    name: str
    dimension: Dimension
    severity: Severity
    verdict: Verdict
    failing_rows: int = 0
    explanation: str = ""
    """What a person needs beside the number; empty where the number says it."""
    sample: tuple[Mapping[str, int | str], ...] = ()
    """Keys of some rows at fault; never another column, so no personal data."""


def run_checks(
    connection: Queries,
    checks: Sequence[CompiledCheck],
    *,
    table: str,
    key: Sequence[str],
    file: str,
    as_of: datetime,
    history: Sequence[int] = (),
    rows_elsewhere: int = 0,
) -> tuple[CheckResult, ...]:
    """Run a table's checks, in their order.

    Args:
        connection: A session in which every table that the checks read can be queried by its qualified name.
        checks: What to run.
        table: Qualified name of the checked table.
        key: Columns that name a row at fault.
        file: Where the checks stand, for messages.
        as_of: What ``AS_OF()`` means.
        history: The table's row counts in earlier published runs, oldest first, for `volume`.
        rows_elsewhere: The table's rows that stay as they are and are not looked at; they count for `volume`.

    Raises:
        CheckNotComputedError: The engine refused a check's SQL.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
    """
    looked_at = _LookedAt(table=table, key=key, as_of=as_of, history=history, rows_elsewhere=rows_elsewhere)
    failing = _count_together(connection, checks, looked_at)
    results = []
    for check in checks:
        try:
            with duckdb_errors():
                results.append(_result(connection, check, looked_at, failing.get(check.check.name)))
        except duckdb.Error as error:
            first_line = str(error).partition("\n")[0]
            raise CheckNotComputedError(f"{file}:{check.check.line}: check {check.check.name}: {first_line}") from error
    return tuple(results)


def blocking(results: Sequence[CheckResult]) -> str:
    """Name the results that forbid publication, with their numbers; empty if none does."""
    blocked = [each for each in results if each.verdict is Verdict.BLOCKED]
    return ", ".join(f"{each.name} ({_fault(each)})" for each in blocked)


def _fault(result: CheckResult) -> str:
    """Say what was found: a number of rows, or the explanation where no row is at fault."""
    if not result.failing_rows:
        return result.explanation.removesuffix(".")
    return "1 row" if result.failing_rows == 1 else f"{result.failing_rows:,} rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _LookedAt:
    """The table whose checks are run, and what they are told besides."""

    table: str
    key: Sequence[str]
    as_of: datetime
    history: Sequence[int]
    rows_elsewhere: int


def _result(connection: Queries, compiled: CompiledCheck, looked_at: _LookedAt, failing: int | None) -> CheckResult:
    check = compiled.check
    sql = check_sql(compiled, "duckdb", as_of=looked_at.as_of)
    if check.volume is not None:
        return _judged(connection, check, sql, looked_at)
    if failing is None:
        ((failing,),) = connection.execute(f"SELECT COUNT(*) FROM ({sql})").fetchall()
    return _found(
        check,
        looked_at,
        verdict=_verdict(check, is_broken=bool(failing)),
        failing_rows=int(failing),
        sample=_sample(connection, compiled, sql, looked_at.key) if failing else (),
    )


def _judged(connection: Queries, check: Check, sql: str, looked_at: _LookedAt) -> CheckResult:
    """Compare the table's row count with its history: no row of it is at fault."""
    assert check.volume is not None
    ((rows,),) = connection.execute(sql).fetchall()
    judgement = judge(int(rows) + looked_at.rows_elsewhere, looked_at.history, check.volume)
    is_unusual = judgement.is_unusual
    verdict = Verdict.NOT_JUDGED if is_unusual is None else _verdict(check, is_broken=is_unusual)
    return _found(check, looked_at, verdict=verdict, explanation=judgement.explanation)


def _verdict(check: Check, *, is_broken: bool) -> Verdict:
    if not is_broken:
        return Verdict.PASSED
    return Verdict.BLOCKED if check.severity is Severity.BLOCK else Verdict.WARNED


def _found(
    check: Check,
    looked_at: _LookedAt,
    *,
    verdict: Verdict,
    failing_rows: int = 0,
    explanation: str = "",
    sample: tuple[Mapping[str, int | str], ...] = (),
) -> CheckResult:
    return CheckResult(
        table=looked_at.table,
        name=check.name,
        dimension=check.dimension,
        severity=check.severity,
        verdict=verdict,
        failing_rows=failing_rows,
        explanation=explanation,
        sample=sample,
    )


def _count_together(connection: Queries, checks: Sequence[CompiledCheck], looked_at: _LookedAt) -> dict[str, int]:
    """Count the rows at fault of all row-level checks in one scan; nothing if that fails, to be asked one by one."""
    conditions = {check.check.name: condition for check in checks if (condition := _row_condition(check, looked_at))}
    if not conditions:
        return {}
    counts = ", ".join(f"COUNT(*) FILTER (WHERE {condition})" for condition in conditions.values())
    try:
        with duckdb_errors():
            (found,) = connection.execute(f"SELECT {counts} FROM {qualified(looked_at.table)}").fetchall()
    except duckdb.Error:
        return {}
    return dict(zip(conditions, map(int, found), strict=True))


def _row_condition(compiled: CompiledCheck, looked_at: _LookedAt) -> str | None:
    """Return the WHERE of a check that looks at one row of its own table at a time; None for any other."""
    query = compiled.query
    if not isinstance(query, exp.Select) or not query.args.get("where") or compiled.inputs != {looked_at.table}:
        return None
    if any(query.args.get(part) for part in _WHOLE_ROWS_ONLY) or len(list(query.find_all(exp.Select))) > 1:
        return None
    if any(column.table for column in query.find_all(exp.Column)) or query.find(exp.Window, exp.AggFunc):
        return None
    where = expand(query, as_of=looked_at.as_of).args["where"]
    condition: str = where.this.sql("duckdb", comments=False)
    return condition


def _sample(
    connection: Queries, compiled: CompiledCheck, sql: str, key: Sequence[str]
) -> tuple[Mapping[str, int | str], ...]:
    """Return the keys of some rows at fault, smallest first; none where the check does not return them."""
    returned = [name for name in key if name in {each.alias_or_name for each in compiled.query.selects}]
    if not returned:
        return ()
    names = ", ".join(identifier(name) for name in returned)
    rows = connection.execute(f"SELECT DISTINCT {names} FROM ({sql}) ORDER BY {names} LIMIT {SAMPLED_ROWS}").fetchall()
    return tuple(
        {name: _plain(value) for name, value in zip(returned, row, strict=True) if value is not None} for row in rows
    )


def _plain(value: object) -> int | str:
    return value if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
