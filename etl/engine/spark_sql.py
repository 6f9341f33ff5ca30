"""SQL of ours in Spark's words: written once in DuckDB's dialect, within the subset that both read alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp

IS_JSON = "lakeside_is_json"
"""A function that `etl.engine.spark` registers."""


@lru_cache(maxsize=256)
def spark_sql(sql: str) -> str:
    """Return a query of `etl.silver` in Spark's dialect.

    Raises:
        UnsupportedError: Spark has no words for a part of it.
    """
    tree = sqlglot.parse_one(sql, dialect="duckdb").transform(_shim)
    return tree.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def renamed(query: exp.Query, names: Mapping[str, str]) -> exp.Query:
    """Return a copy of a query that reads views in place of tables.

    Args:
        query: Names tables as ``schema.table``.
        names: By such a name: the view to read.
    """
    copy = query.copy()
    for table in copy.find_all(exp.Table):
        view = names.get(f"{table.db}.{table.name}") if table.db else None
        if view is not None:
            alias = table.alias or table.name
            table.replace(exp.alias_(exp.to_table(view), alias, table=True))
    return copy


def _shim(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous | exp.Func) and _name(node) == "JSON_VALID":
        argument = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        return exp.Anonymous(this=IS_JSON, expressions=[argument.copy()])
    return node


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return node.sql_name() if isinstance(node, exp.Func) else ""
