"""A checked query over gold, rewritten for Athena: one tenant's rows of one publication, whatever it asks.

Every ``gold.<model>`` becomes a common table expression over that model's pinned snapshot,
narrowed to the tenant by a bound parameter. The query itself then names nothing else, so a
forgotten predicate returns less, never another tenant's rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from etl.contracts.publication import Publication, TablePin
from etl.engine.gold_select import GOLD, GoldSelect
from etl.engine.sql import identifier
from etl.ports.query_engine import QueryRefusedError, Value

TENANT_COLUMN = "tenant_id"
_MAX_PARAMETER_CHARACTERS = 1024
"""Source: Athena API reference, ``ExecutionParameters``."""
_REMEMBERED = 512
_NAME = "lakeside_parameter_"


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaSelect:
    """What Athena is asked."""

    sql: str
    """In Trino's dialect; ``?`` for each parameter."""
    parameters: tuple[str, ...]
    """SQL constants as text: first the tenant, once per table, then the query's own."""


def athena_select(
    select: GoldSelect,
    *,
    tenant_id: int,
    publication: Publication,
    parameters: Sequence[Value],
    database: str,
    tenant_tables: Mapping[str, bool],
) -> AthenaSelect:
    """Rewrite a query that passed `gold_select`.

    Args:
        select: The query.
        tenant_id: Whose rows it may see.
        publication: Which snapshots it reads.
        parameters: Values of its placeholders, in order.
        database: Athena's name for the schema ``gold``.
        tenant_tables: By qualified table: whether it is kept by tenant.

    Raises:
        QueryRefusedError: A table is not published or not kept by tenant, a parameter is
            missing, left over or too long, or Athena has no words for the query.
    """
    pins = {pin.table: pin for pin in publication.pins}
    tables = sorted(select.tables)
    for table in tables:
        if table not in pins:
            raise QueryRefusedError(f"{table} is not part of the publication.")
        if not tenant_tables.get(table, False):
            raise QueryRefusedError(f"{table} holds rows of the whole platform, which no tenant may read.")
    translated = _trino(select.sql)
    if translated.placeholders != len(parameters):
        raise QueryRefusedError(
            f"The query has {translated.placeholders} placeholders, but {len(parameters)} values were given."
        )
    body = translated.body
    own = [f"{_cte(table)} AS ({_rows(pins[table], database)})" for table in tables]
    sql = f"WITH {', '.join(own)}{body}" if body.startswith(", ") else f"WITH {', '.join(own)} {body}"
    if not own:
        sql = f"WITH {body[2:]}" if body.startswith(", ") else body
    bound = [constant(parameters[number]) for number in translated.order]
    return AthenaSelect(sql=sql, parameters=(str(int(tenant_id)),) * len(tables) + tuple(bound))


def constant(value: Value) -> str:
    """Return a value as an SQL constant of Trino's.

    Raises:
        QueryRefusedError: Its text is longer than Athena takes, or cannot stand in a constant.
    """
    text = _constant(value)
    if len(text) > _MAX_PARAMETER_CHARACTERS:
        raise QueryRefusedError(f"A parameter has at most {_MAX_PARAMETER_CHARACTERS} characters.")
    return text


def _constant(value: Value) -> str:  # noqa: C901, PLR0911 - one case a type
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return f"DOUBLE '{value!r}'" if math.isfinite(value) else f"{_NOT_FINITE[repr(value)]}()"
        case Decimal():
            if not value.is_finite():
                raise QueryRefusedError("A decimal parameter is a number.")
            return f"DECIMAL '{value:f}'"
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            moment = f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
            return f"TIMESTAMP '{moment}'" if value.tzinfo is None else f"TIMESTAMP '{moment} UTC'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case str():
            if "\0" in value:
                raise QueryRefusedError("A parameter has no zero byte.")
            return "'" + value.replace("'", "''") + "'"


_NOT_FINITE = {"nan": "nan", "inf": "infinity", "-inf": "-infinity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Translated:
    """A query in Trino's dialect, over our table expressions."""

    body: str
    """What begins with a comma continues our WITH: the query has table expressions of its own."""
    placeholders: int
    """How many the query had."""
    order: tuple[int, ...]
    """Which of them each ``?`` of the body is: Trino puts OFFSET before LIMIT, for instance."""


@lru_cache(maxsize=_REMEMBERED)
def _trino(sql: str) -> _Translated:
    """Translate a query.

    Raises:
        QueryRefusedError: Athena has no words for it.
    """
    numbered, placeholders = _with_names(sql)
    query = sqlglot.parse_one(numbered, read="duckdb")
    for table in list(query.find_all(exp.Table)):
        if table.db == GOLD:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
            named = exp.Table(this=exp.to_identifier(_bare_cte(table.name), quoted=True), alias=alias.copy())
            table.replace(named)
    for column in query.find_all(exp.Column):
        if column.text("db") == GOLD:  # gold.orders.total: the table is called orders now.
            column.set("db", None)
    own = query.args.get("with_")
    if own is not None:
        query.set("with_", None)
    try:
        body = query.sql(dialect="trino", unsupported_level=sqlglot.ErrorLevel.RAISE)
        if own is not None:
            tables = ", ".join(
                cte.sql(dialect="trino", unsupported_level=sqlglot.ErrorLevel.RAISE) for cte in own.expressions
            )
            body = f", {tables} {body}"
    except SqlglotError as error:
        raise QueryRefusedError("The query uses something that Athena has no words for.") from error
    body, order = _without_names(body)
    return _Translated(body=body, placeholders=placeholders, order=order)


def _with_names(sql: str) -> tuple[str, int]:
    """Give every placeholder a name, by which it is found again wherever the translation puts it; count them."""
    places = [
        token.start for token in sqlglot.tokenize(sql, read="duckdb") if token.token_type is TokenType.PLACEHOLDER
    ]
    for number, place in reversed(list(enumerate(places))):
        sql = f"{sql[:place]}${_NAME}{number}{sql[place + 1 :]}"
    return sql, len(places)


def _without_names(sql: str) -> tuple[str, tuple[int, ...]]:
    """Return the query with ``?`` again, and the number of each, in order."""
    tokens = sqlglot.tokenize(sql, read="trino")
    found = [
        (colon.start, name.end + 1, int(name.text.removeprefix(_NAME)))
        for colon, name in pairwise(tokens)
        if colon.token_type is TokenType.COLON and name.text.startswith(_NAME)
    ]
    for start, end, _ in reversed(found):
        sql = f"{sql[:start]}?{sql[end:]}"
    return sql, tuple(number for _, _, number in found)


def _bare_cte(model: str) -> str:
    """Return the name of a model's table expression; no name that a query may define has a dot."""
    return f"{GOLD}.{model}"


def _cte(table: str) -> str:
    return identifier(_bare_cte(table.partition(".")[2]))


def _rows(pin: TablePin, database: str) -> str:
    model = pin.table.partition(".")[2]
    return (
        f"SELECT * FROM {identifier(database)}.{identifier(model)} FOR VERSION AS OF {int(pin.snapshot_id)} "
        f"WHERE {identifier(TENANT_COLUMN)} = ?"
    )
