"""The only SQL that readers may send: one SELECT over gold, made of listed constructs.

An allow-list of syntax nodes, because what is missing from it is at worst an
inconvenience. It is the first of three nets: the engine also shows a tenant nothing but
their own files, and refuses any other file (`lakehouse_admin.adapters`). What runs is the
parsed tree written out again, never the text that came in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.ports.query_engine import QueryRefusedError

GOLD = "gold"

_MAX_CHARACTERS = 20_000
_REMEMBERED_QUERIES = 512
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")

_ALLOWED: frozenset[type[exp.Expr]] = frozenset({
    # Shape of a query
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.With, exp.CTE, exp.Subquery,
    exp.Union, exp.Except, exp.Intersect, exp.Distinct, exp.Table, exp.TableAlias, exp.Alias, exp.Column,
    exp.Identifier, exp.Star, exp.Paren, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Window, exp.WindowSpec,
    exp.Filter, exp.Tuple, exp.GroupingSets, exp.Rollup,
    # Values and comparisons
    exp.Literal, exp.Boolean, exp.Null, exp.Placeholder, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv,
    exp.Mod, exp.Interval, exp.Var, exp.Cast, exp.DataType, exp.DataTypeParam, exp.And, exp.Or, exp.Not, exp.EQ,
    exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.Exists, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Abs, exp.Round,
    exp.Floor, exp.Ceil, exp.Sqrt, exp.Greatest, exp.Least,
    # Text
    exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.SplitPart, exp.Concat, exp.ConcatWs, exp.DPipe,
    # Days
    exp.TimestampTrunc, exp.DateTrunc, exp.DateDiff, exp.LastDay, exp.Extract, exp.TimeToStr,
    # Aggregates and windows
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg, exp.Median, exp.ArgMax, exp.ArgMin, exp.CountIf, exp.LogicalOr,
    exp.LogicalAnd, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.Ntile, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.IgnoreNulls,
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldSelect:
    """A query that passed."""

    sql: str
    """In DuckDB's dialect, names as they came, ``?`` for each parameter."""
    tables: frozenset[str]
    """The ``gold.<model>`` it reads."""


@lru_cache(maxsize=_REMEMBERED_QUERIES)
def gold_select(sql: str) -> GoldSelect:
    """Parse and check a query written in DuckDB's dialect.

    Raises:
        QueryRefusedError: It is not one SELECT, reads something else than ``gold.<model>``, or uses a
            construct that is not listed.
    """
    if len(sql) > _MAX_CHARACTERS:
        raise QueryRefusedError(f"A query has at most {_MAX_CHARACTERS} characters.")
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise QueryRefusedError("The query is not SQL that this engine reads.") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryRefusedError("A query is exactly one SELECT.")
    query = statements[0]
    for node in query.walk():
        if type(node) not in _ALLOWED:
            raise QueryRefusedError(f"The query uses {node.key.upper()}, which is not among the listed constructs.")
    names = _names_of_ctes(query)
    tables = frozenset(_table(table, names) for table in query.find_all(exp.Table)) - {""}
    return GoldSelect(sql=query.sql(dialect="duckdb"), tables=tables)


def _names_of_ctes(query: exp.Query) -> set[str]:
    """Return the names that WITH defines.

    Only plain names: one like ``a.parquet`` would let a file pass for it elsewhere in the query.

    Raises:
        QueryRefusedError: A name is not plain, or the definition is recursive.
    """
    for clause in query.find_all(exp.With):
        if clause.args.get("recursive"):
            raise QueryRefusedError("A query has no WITH RECURSIVE.")
    names = {cte.alias for cte in query.find_all(exp.CTE)}
    for name in names:
        if not _PLAIN_NAME.fullmatch(name):
            raise QueryRefusedError("Names after WITH have small letters, digits and underscores only.")
    return names


def _table(table: exp.Table, names: set[str]) -> str:
    """Return ``gold.<model>``, or nothing for a name that WITH defines.

    Raises:
        QueryRefusedError: It is neither.
    """
    if isinstance(table.this, exp.Identifier) and not table.catalog:
        if not table.db and table.name in names:
            return ""
        if table.db == GOLD and _PLAIN_NAME.fullmatch(table.name):
            return f"{GOLD}.{table.name}"
    raise QueryRefusedError("A query reads tables named gold.<model> and nothing else.")
