"""The portable subset: SQL that means the same on DuckDB, Spark and Trino.

An allow-list, because what is missing from it is at worst an inconvenience, while what is
missing from a deny-list is a number that differs between two engines. The traps behind the
rules are measured ones: for example ``PERCENTILE_CONT`` through sqlglot answers 6.0 on
DuckDB and 2 on Spark, silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from etl.gold.model import MODEL_SCHEMA, SILVER_SCHEMA, NotPortableError
from etl.gold.shims import ARGUMENT_COUNTS

_ALLOWED: frozenset[type[exp.Expr]] = frozenset({
    # Shape of a query
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.With, exp.CTE, exp.Subquery,
    exp.Union, exp.Except, exp.Intersect, exp.Distinct, exp.Table, exp.TableAlias, exp.Alias, exp.Column,
    exp.Identifier, exp.Star, exp.Paren, exp.Order, exp.Ordered, exp.Window, exp.WindowSpec, exp.Filter, exp.Tuple,
    # Values and comparisons
    exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Interval, exp.Var,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT,
    exp.GTE, exp.Is, exp.In, exp.Between, exp.Like, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Exists, exp.Case, exp.If,
    exp.Coalesce, exp.Nullif, exp.Abs, exp.Round, exp.Floor, exp.Greatest, exp.Least,
    # Text
    exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.SplitPart, exp.MD5, exp.Concat, exp.ConcatWs, exp.DPipe,
    # Days
    exp.TimestampTrunc, exp.DateTrunc, exp.DateDiff, exp.LastDay, exp.Extract, exp.Unnest, exp.GenerateSeries,
    # Aggregates and windows
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.ArgMax, exp.ArgMin, exp.CountIf, exp.LogicalOr, exp.LogicalAnd,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue,
    exp.LastValue, exp.IgnoreNulls,
    # Our own words; `_anonymous` accepts no other
    exp.Anonymous,
})  # fmt: skip

_INSTEAD: dict[type[exp.Expr], str] = {
    exp.AtTimeZone: "write LOCAL_DAY(instant, zone)",
    exp.CurrentDate: "write LOCAL_DAY(AS_OF(), zone): models have no clock",
    exp.CurrentTimestamp: "write AS_OF(): models have no clock",
    exp.TryCast: "write CAST: silver holds typed values already",
    exp.Avg: "divide sums: CAST(SUM(x) AS DOUBLE) / NULLIF(CAST(COUNT(x) AS DOUBLE), 0)",
    exp.PercentileCont: "rank with PERCENT_RANK(): Spark answers differently without a word",
    exp.WithinGroup: "rank with PERCENT_RANK(): Spark answers differently without a word",
    exp.Median: "rank with PERCENT_RANK(): Trino has no MEDIAN",
    exp.Limit: "rank with ROW_NUMBER() and QUALIFY: LIMIT keeps arbitrary rows",
    exp.IntDiv: "divide as DOUBLE: Trino and DuckDB round // differently",
    exp.ArrayAgg: "aggregate without order, or rank with ROW_NUMBER(): Spark ignores the order",
    exp.GroupConcat: "aggregate in the reader: text aggregation has no common form",
}

_CAST_TYPES = frozenset(
    {
        exp.DType.BIGINT,
        exp.DType.BOOLEAN,
        exp.DType.DATE,
        exp.DType.DECIMAL,
        exp.DType.DOUBLE,
        exp.DType.INT,
        exp.DType.TEXT,
        exp.DType.VARCHAR,
    }
)

_SERIES = "CROSS JOIN UNNEST(GENERATE_SERIES(first, GREATEST(first, last), INTERVAL '1' DAY)) AS t (moment)"

_CLOCKS = frozenset({"NOW", "GETDATE", "TRANSACTION_TIMESTAMP"})


def line_of(node: exp.Expr) -> int:
    """Return the line of ``node`` in its file; of its nearest neighbour with a known place if it has none."""
    for near in (*node.walk(), *_ancestors(node)):
        line = near.meta.get("line")
        if isinstance(line, int):
            return line
    return 1


def check_portable(query: exp.Query, *, file: str) -> None:
    """Refuse the first construct, in reading order, that is outside the subset.

    Args:
        query: The parsed SELECT; node positions are lines of ``file``.
        file: Name of the model file, for the message.

    Raises:
        NotPortableError: With the line and what to write instead.
    """
    problems = [(line_of(node), problem) for node in query.walk() for problem in _problems(node)]
    if problems:
        line, problem = min(problems, key=lambda found: found[0])
        raise NotPortableError(problem, file=file, line=line)


def _problems(node: exp.Expr) -> Iterator[str]:
    if type(node) not in _ALLOWED:
        instead = _INSTEAD.get(type(node), "use a construct listed in docs/adr/0008-gold-models.md")
        yield f"{_name(node)} is not in the portable subset; {instead}"
    elif rule := _RULES.get(type(node)):
        problem = rule(node)
        if problem:
            yield problem


def _name(node: exp.Expr) -> str:
    """Return what a reader would call the node: a function's SQL name, else its kind in capitals."""
    if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
        return f"{node.sql_name()}()"
    return node.key.upper()


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    while node.parent is not None:
        node = node.parent
        yield node


def _anonymous(node: exp.Expr) -> str | None:
    name = node.name.upper()
    count = ARGUMENT_COUNTS.get(name)
    if name in _CLOCKS:
        return f"{name}() reads a clock, and models have none; write AS_OF()"
    if count is None:
        return f"{name}() is not in the portable subset; use a function listed in docs/adr/0008-gold-models.md"
    if len(node.expressions) != count:
        return f"{name} takes {count} arguments, not {len(node.expressions)}"
    return None


def _table(node: exp.Expr) -> str | None:
    if not isinstance(node.this, exp.Identifier):
        return "read from silver.<table>, gold.<model> or a WITH name, not from a table function"
    if node.args.get("catalog") or (node.text("db") not in {"", SILVER_SCHEMA, MODEL_SCHEMA}):
        return f"{node.sql()} is outside the lake; read from silver.<table> or gold.<model>"
    return None


def _star(node: exp.Expr) -> str | None:
    return None if isinstance(node.parent, exp.Count) else "name the columns instead of *"


def _group(node: exp.Expr) -> str | None:
    if node.args.get("all"):
        return "name the columns instead of GROUP BY ALL: Trino has none"
    if any(isinstance(key, exp.Literal) for key in node.expressions):
        return "name the columns instead of their positions in GROUP BY"
    return None


def _order(node: exp.Expr) -> str | None:
    inside_window = isinstance(node.parent, exp.Window)
    return None if inside_window else "ORDER BY belongs into OVER (...): a table has no order"


def _join(node: exp.Expr) -> str | None:
    if node.args.get("method"):
        return f"{node.args['method']} JOIN exists in few engines; write the condition in ON"
    return None


def _with(node: exp.Expr) -> str | None:
    return "WITH RECURSIVE does not exist in Spark 3; write the levels out" if node.args.get("recursive") else None


def _cast(node: exp.Expr) -> str | None:
    target = node.args["to"]
    if target.this not in _CAST_TYPES:
        return f"CAST AS {target.sql()} differs between engines; cast to bigint, decimal(p,s), double, date or text"
    return None


def _division(node: exp.Expr) -> str | None:
    dividend = node.this
    while isinstance(dividend, exp.Paren | exp.Mul):
        dividend = dividend.this
    if not (_is_cast_to(dividend, exp.DType.DOUBLE) and isinstance(node.expression, exp.Nullif)):
        return (
            "engines divide decimals and zeros differently; "
            "write CAST(x AS DOUBLE) / NULLIF(CAST(y AS DOUBLE), 0) and let the reader round"
        )
    return None


def _becomes_a_date(node: exp.Expr) -> str | None:
    if not _is_cast_to(node.parent, exp.DType.DATE):
        return "dates turn into timestamps here on some engines; write CAST(... AS DATE) around it"
    return None


def _plus_or_minus(node: exp.Expr) -> str | None:
    return _becomes_a_date(node) if isinstance(node.expression, exp.Interval) else None


def _date_diff(node: exp.Expr) -> str | None:
    if node.text("unit").upper() not in {"DAY", "SECOND"}:
        return "DATE_DIFF agrees for 'day' and 'second' only; count months with EXTRACT"
    return None


def _unnest(node: exp.Expr) -> str | None:
    """Accept one form: ``CROSS JOIN UNNEST(GENERATE_SERIES(..)) AS t (moment)``, each ``t.moment`` cast to a date."""
    alias = node.args.get("alias")
    names = alias.columns if alias is not None else []
    is_cross = isinstance(node.parent, exp.Join) and node.parent.kind.upper() == "CROSS"
    is_series = len(node.expressions) == 1 and isinstance(node.expressions[0], exp.GenerateSeries)
    if alias is None or not (is_cross and is_series and len(names) == 1):
        return f"a series of days has one common form; write {_SERIES}"
    select = node.find_ancestor(exp.Select)
    used = [] if select is None else [each for each in select.find_all(exp.Column) if each.name == names[0].name]
    if not all(_is_cast_to(each.parent, exp.DType.DATE) for each in used):
        return f"a series holds timestamps on some engines; write CAST({alias.name}.{names[0].name} AS DATE)"
    return None


def _series(node: exp.Expr) -> str | None:
    step = node.args.get("step")
    unit = step.text("unit").upper() if isinstance(step, exp.Interval) else ""
    if not (isinstance(node.parent, exp.Unnest) and unit in {"DAY", "WEEK", "MONTH"}):
        return f"a series of days has one common form; write {_SERIES}"
    if not isinstance(node.args["end"], exp.Greatest):
        return "Trino and Spark refuse a series that ends before it begins; write GREATEST(first, last) for its end"
    return None


def _floor(node: exp.Expr) -> str | None:
    if not _is_cast_to(node.parent, exp.DType.BIGINT):
        return "FLOOR has another type on each engine; write CAST(FLOOR(...) AS BIGINT)"
    return None


def _extract(node: exp.Expr) -> str | None:
    if node.name.upper() not in {"YEAR", "MONTH", "DAY", "QUARTER"}:
        return f"EXTRACT({node.name}) differs between engines; use YEAR, QUARTER, MONTH or DAY"
    return None


def _is_cast_to(node: exp.Expr | None, target: exp.DType) -> bool:
    return isinstance(node, exp.Cast) and node.args["to"].this == target


_RULES: dict[type[exp.Expr], Callable[[exp.Expr], str | None]] = {
    exp.Anonymous: _anonymous,
    exp.Table: _table,
    exp.Star: _star,
    exp.Group: _group,
    exp.Order: _order,
    exp.Join: _join,
    exp.With: _with,
    exp.Cast: _cast,
    exp.Div: _division,
    exp.TimestampTrunc: _becomes_a_date,
    exp.DateTrunc: _becomes_a_date,
    exp.Add: _plus_or_minus,
    exp.Sub: _plus_or_minus,
    exp.DateDiff: _date_diff,
    exp.Extract: _extract,
    exp.Unnest: _unnest,
    exp.GenerateSeries: _series,
    exp.Floor: _floor,
}
