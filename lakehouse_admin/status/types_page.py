"""Draws `docs/types.md`: what becomes of each PostgreSQL type, asked of the code that decides it."""

from __future__ import annotations

from collections.abc import Mapping

from etl.contracts.source import logical_type
from etl.contracts.table import TableId
from etl.contracts.types import LogicalType, family
from etl.engine.types import iceberg_type
from etl.ports.replicator import UnsupportedColumnError

_HEAD = """\
# Types

Written by `manage.py lakehouse types` from the tables that decide it; a test compares. A domain is treated as the type
beneath it. What the lake has no type for travels as the text that PostgreSQL prints in its ISO forms, exact to the
last digit.

| PostgreSQL | in the contract | in silver (Iceberg) | values that silver refuses |
|---|---|---|---|
"""

_TAIL = """
A row with a value that silver refuses is put into quarantine, whole and with the reason; nothing is rounded or clipped.
Bronze has it as it was. A column whose type cannot be carried at all is refused when its table is added
(`manage.py lakehouse check-source`), and so are these:

| what | why | then |
|---|---|---|
| a table without primary key | its rows cannot be told apart | `ALTER TABLE ... ADD PRIMARY KEY (...)` |
| a replica identity without the key | a delete would not say which row it means | `... REPLICA IDENTITY FULL` |
| a deferrable primary key | so would this | `... REPLICA IDENTITY FULL` |
| an unlogged table | the source sends no changes of it | `ALTER TABLE ... SET LOGGED` |
| a view, a materialized view, a foreign table | it has no changes | name the tables beneath it |
| a virtual generated column | changes do not carry it | make it stored |
| a stored generated column before PostgreSQL 18 | changes do not carry it | upgrade, or leave the table out |
| columns that differ only by case, or from a field of bronze | engines ignore case | rename one |
| tables that would have one name in the lake | `public."a__b"` and `a.b` | rename one |
| a row of more than 16 MiB as text | readers refuse it | shorten it |
"""

_ONE = TableId(schema="public", name="example")
_TEXTS = (
    "text",
    "varchar",
    "bpchar",
    "uuid",
    "interval",
    "time",
    "timetz",
    "inet",
    "cidr",
    "macaddr",
    "bit",
    "varbit",
    "xml",
    "tsvector",
    "point",
    "int4range",
    "tstzmultirange",
    "pg_lsn",
)
_SHOWN: Mapping[str, str] = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "bpchar": "character(n), without its padding",
    "varchar": "character varying(n)",
    "": "enums, arrays, composite types, types of extensions",
}
"""By name in ``pg_catalog``: what people call it."""

_NUMBERS = ("bool", "int2", "int4", "int8", "oid", "float4", "float8")
_OTHERS = ("date", "timestamp", "timestamptz", "json", "jsonb", "bytea")
_NUMERICS = ((12, 2), (38, 10), (5, -2), (2, 4), (60, 20))
_NO_MODIFIER = -1

REFUSED_VALUES: Mapping[LogicalType, tuple[str, ...]] = {
    LogicalType.DECIMAL: ("NaN",),
    LogicalType.DATE: ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01"),
    LogicalType.TIMESTAMP: ("infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00"),
    LogicalType.TIMESTAMPTZ: ("infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00"),
}
"""By family: texts of values that PostgreSQL's type holds and silver's does not."""


def types_page() -> str:
    """Return the page as Markdown."""
    rows = [_row(_SHOWN.get(name, name), name) for name in (*_NUMBERS, *_OTHERS)]
    rows += [_row(f"numeric({digits},{scale})", "numeric", _modifier(digits, scale)) for digits, scale in _NUMERICS]
    rows += [_row(shown, name) for shown, name in (("numeric", "numeric"), ("money", "money"))]
    rows += [_row(_SHOWN.get(name, name), name) for name in (*_TEXTS, "")]
    return _HEAD + "\n".join(rows) + "\n" + _TAIL


def _row(shown: str, base_type: str, modifier: int = _NO_MODIFIER) -> str:
    try:
        logical = logical_type(_ONE, "price", base_type, modifier)
    except UnsupportedColumnError:
        return f"| {shown} | refused | | its text depends on the server's locale: use `numeric(19,2)` |"
    refused = ", ".join(f"`{value}`" for value in REFUSED_VALUES.get(family(logical), ()))
    return f"| {shown} | `{logical}` | `{iceberg_type(logical)}` | {refused} |"


def _modifier(digits: int, scale: int) -> int:
    """Return how PostgreSQL keeps precision and scale: the scale in 11 bits with sign, 4 added."""
    return (digits << 16 | scale & 0x7FF) + 4
