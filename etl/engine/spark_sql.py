"""SQL of ours in Spark's words: written once in DuckDB's dialect, within the subset that both read alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp

IS_JSON = "lakeside_is_json"
"""A function that `etl.engine.spark` registers: Spark's own also take text that is not JSON."""


@lru_cache(maxsize=256)
def spark_sql(sql: str) -> str:
    """Return a query in Spark's dialect.

    Args:
        sql: In DuckDB's.

    Raises:
        UnsupportedError: Spark has no words for a part of it.
    """
    return for_spark(sqlglot.parse_one(sql, dialect="duckdb")).sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def for_spark(query: exp.Expr) -> exp.Expr:
    """Return a copy of a query, parsed in DuckDB's dialect, that sqlglot writes for Spark without changing its meaning.

    ``JSON_VALID`` becomes the function that is registered. ``DATE_DIFF('second', ...)`` counts
    the seconds that began, as in DuckDB, where Spark would count those that passed.
    """
    return query.copy().transform(_shim)


def renamed(sql: str, names: Mapping[str, str], *, dialect: str = "duckdb") -> str:
    """Return a query that reads views in place of tables.

    Args:
        sql: Names tables as ``schema.table``.
        names: By such a name: the view to read.
        dialect: That the query is written in, and stays in.
    """
    query = sqlglot.parse_one(sql, dialect=dialect)
    for table in [*query.find_all(exp.Table)]:
        view = names.get(f"{table.db}.{table.name}") if table.db else None
        if view is not None:
            table.replace(exp.alias_(exp.to_table(view), table.alias or table.name, table=True))
    return query.sql(dialect)


def quoted(name: str) -> str:
    """Return a name as Spark quotes it: ``a`b`` gives ```a``b```."""
    return "`" + name.replace("`", "``") + "`"


def _shim(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DateDiff) and node.text("unit").upper() == "SECOND":
        for part in ("this", "expression"):
            if not isinstance(node.args[part], exp.TimestampTrunc):
                node.set(part, exp.TimestampTrunc(this=node.args[part].copy(), unit=exp.var("SECOND")))
        return node
    if isinstance(node, exp.Anonymous | exp.Func) and _name(node) == "JSON_VALID":
        argument = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        return exp.Anonymous(this=IS_JSON, expressions=[argument.copy()])
    return node


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return node.sql_name() if isinstance(node, exp.Func) else ""
