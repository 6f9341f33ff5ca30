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

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.contracts.publication import Publication, TablePin
from etl.engine.gold_select import GOLD, GoldSelect
from etl.engine.sql import identifier
from etl.ports.query_engine import QueryRefusedError, Value

TENANT_COLUMN = "tenant_id"
_MAX_PARAMETER_CHARACTERS = 1024
"""Source: Athena API reference, ``ExecutionParameters``."""
_REMEMBERED = 512


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
    body, placeholders = _trino(select.sql)
    if placeholders != len(parameters):
        raise QueryRefusedError(f"The query has {placeholders} placeholders, but {len(parameters)} values were given.")
    own = [f"{_cte(table)} AS ({_rows(pins[table], database)})" for table in tables]
    sql = f"WITH {', '.join(own)}{body}" if body.startswith(", ") else f"WITH {', '.join(own)} {body}"
    if not own:
        sql = f"WITH {body[2:]}" if body.startswith(", ") else body
    constants = (str(int(tenant_id)),) * len(tables) + tuple(map(constant, parameters))
    return AthenaSelect(sql=sql, parameters=constants)


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


@lru_cache(maxsize=_REMEMBERED)
def _trino(sql: str) -> tuple[str, int]:
    """Return the query in Trino's dialect, over our table expressions, and how many placeholders it has.

    What begins with a comma continues our WITH: the query has table expressions of its own.

    Raises:
        QueryRefusedError: Athena has no words for it.
    """
    query = sqlglot.parse_one(sql, read="duckdb")
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
    counted = sum(1 for _ in query.find_all(exp.Placeholder))
    counted += sum(1 for _ in own.find_all(exp.Placeholder)) if own is not None else 0
    return body, counted


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
