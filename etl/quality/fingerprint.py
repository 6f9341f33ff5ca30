"""A table's content in three numbers, computed by PostgreSQL and by DuckDB alike.

Every row becomes one text, which tells any two different rows apart; its MD5 gives two
numbers of 60 bits; the fingerprint is the number of rows and the two sums. Sums do not
depend on row order, and unlike XOR they see a row that stands there twice.

The two sides share this rule and the contract, nothing else: the source's text comes from
PostgreSQL's own values, silver's from the typed values in its Parquet files.

A row's text is its fields joined by ``|``: ``~`` for NULL; a number, time or truth value as
both engines print it; a text as its length in characters, then itself. A double is its 64
bits, but for the values that PostgreSQL calls equal: every NaN, and zero of either sign
(DuckDB's Parquet dictionaries keep only one of the two).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.contracts.table import Column, TableContract
from etl.contracts.types import LogicalType, decimal_shape, family
from etl.engine.sql import identifier

_PREFIXED = {LogicalType.TEXT, LogicalType.JSON}
_PRINTED_ALIKE = {
    LogicalType.INTEGER,
    LogicalType.BIGINT,
    LogicalType.DECIMAL,
    LogicalType.DATE,
    LogicalType.TIMESTAMP,
    LogicalType.TIMESTAMPTZ,
}
"""What PostgreSQL's ``concat_ws`` prints as a cast to text would."""

_BUCKET_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A table's content: equal fingerprints, equal rows."""

    rows: int
    hash_hi: int
    """Sum of the first 60 bits of the rows' hashes."""
    hash_lo: int
    """Sum of the 60 bits after those."""

    @property
    def hash(self) -> str:
        """The two sums as one short text, to show and store."""
        return f"{self.hash_hi:x}-{self.hash_lo:x}"


def source_fingerprint_sql(contract: TableContract) -> str:
    """Return PostgreSQL's query for (rows, hash_hi, hash_lo), to run in a session of `open_source`."""
    return f"SELECT {_SOURCE_FOLD} FROM ({_source_rows(contract)}) AS hashed"


def silver_fingerprint_sql(contract: TableContract, relation: str) -> str:
    """Return DuckDB's query for (rows, hash_hi, hash_lo) over a SELECT of silver's rows, time zone UTC."""
    return f"SELECT {_SILVER_FOLD} FROM ({_silver_rows(contract, relation)})"


def source_buckets_sql(contract: TableContract) -> str:
    """Return PostgreSQL's query for (bucket, rows, hash_hi, hash_lo): 256 buckets of keys."""
    return f"SELECT {_BUCKET}, {_SOURCE_FOLD} FROM ({_source_rows(contract, with_key=True)}) AS hashed GROUP BY 1"


def silver_buckets_sql(contract: TableContract, relation: str) -> str:
    """Return DuckDB's query for (bucket, rows, hash_hi, hash_lo)."""
    return f"SELECT {_BUCKET}, {_SILVER_FOLD} FROM ({_silver_rows(contract, relation, with_key=True)}) GROUP BY 1"


def source_rows_sql(contract: TableContract, bucket: str) -> str:
    """Return PostgreSQL's query for (key, hash) of every row in a bucket."""
    return f"SELECT key, h FROM ({_source_rows(contract, with_key=True)}) AS hashed WHERE {_BUCKET} = '{bucket}'"


def silver_rows_sql(contract: TableContract, relation: str, bucket: str) -> str:
    """Return DuckDB's query for (key, hash) of every row in a bucket."""
    return f"SELECT key, h FROM ({_silver_rows(contract, relation, with_key=True)}) WHERE {_BUCKET} = '{bucket}'"


def silver_key_sql(contract: TableContract) -> str:
    """Return DuckDB's expression for a row's key, as `silver_hashes_sql` gives it."""
    return _silver_text(_key_columns(contract))


def silver_hashes_sql(contract: TableContract, relation: str) -> str:
    """Return DuckDB's query for (key, h): key and hash of every row."""
    return _silver_rows(contract, relation, with_key=True)


_BUCKET = f"substr(md5(key), 1, {_BUCKET_DIGITS})"

_SOURCE_FOLD = (
    "count(*), coalesce(sum(('x' || h)::bit(60)::bigint), 0), coalesce(sum(('x' || substr(h, 16))::bit(60)::bigint), 0)"
)
"""A cast to ``bit(60)`` keeps the first 15 digits."""

_SILVER_FOLD = (
    "count(*), coalesce(sum(('0x' || substr(h, 1, 15))::BIGINT), 0), "
    "coalesce(sum(('0x' || substr(h, 16, 15))::BIGINT), 0)"
)


def _source_rows(contract: TableContract, *, with_key: bool = False) -> str:
    """Return (h) or (key, h) of every row; OFFSET 0 keeps the hash from being computed once per use."""
    key = f"{_source_text(_key_columns(contract))} AS key, " if with_key else ""
    table = f"{identifier(contract.table.schema)}.{identifier(contract.table.name)}"
    row = _source_text(contract.columns)
    return f"SELECT {key}md5(convert_to({row}, 'UTF8')) AS h FROM {table} OFFSET 0"


def _silver_rows(contract: TableContract, relation: str, *, with_key: bool = False) -> str:
    key = f"{_silver_text(_key_columns(contract))} AS key, " if with_key else ""
    return f"SELECT {key}md5({_silver_text(contract.columns)}) AS h FROM ({relation})"


def _key_columns(contract: TableContract) -> tuple[Column, ...]:
    return tuple(contract.column(name) for name in contract.key)


def _source_text(columns: Sequence[Column]) -> str:
    return f"concat_ws('|', {', '.join(_source_field(column) for column in columns)})"


def _silver_text(columns: Sequence[Column]) -> str:
    return f"concat_ws('|', {', '.join(_silver_field(column) for column in columns)})"


def _source_field(column: Column) -> str:
    """Return one or two arguments of ``concat_ws``, which skips a NULL text after its ``~``."""
    name = identifier(column.name)
    kind = family(column.type)
    if kind in _PREFIXED:
        text = f"{name}::text"
        length = f"length({text})"
        return f"coalesce({length}::text, '~'), {text}" if column.nullable else f"{length}, {text}"
    if kind in _PRINTED_ALIKE and not column.nullable:
        return name
    match kind:
        case LogicalType.DOUBLE:
            bits = f"('x' || encode(float8send({name}::float8), 'hex'))::bit(64)::text"
            text = f"CASE {name}::float8 WHEN 'NaN' THEN 'NaN' WHEN 0 THEN '0' ELSE {bits} END"
        case LogicalType.BINARY:
            text = f"encode({name}, 'hex')"
        case _:
            text = f"{name}::text"
    return f"coalesce({text}, '~')"


def _silver_field(column: Column) -> str:
    """Return one or two arguments of ``concat_ws``; NULL is looked for whatever the contract promises."""
    name = identifier(column.name)
    kind = family(column.type)
    if kind in _PREFIXED:
        return f"coalesce(length({name})::VARCHAR, '~'), {name}"
    match kind:
        case LogicalType.DOUBLE:
            text = f"CASE WHEN isnan({name}) THEN 'NaN' WHEN {name} = 0 THEN '0' ELSE {name}::BIT::VARCHAR END"
        case LogicalType.BINARY:
            text = f"lower(hex({name}))"
        case LogicalType.DECIMAL if len(set(decimal_shape(column.type))) == 1:
            # Without room for digits before the point DuckDB prints .5, PostgreSQL 0.5.
            text = rf"regexp_replace({name}::VARCHAR, '^(-?)[.]', '\10.')"
        case _:
            text = f"{name}::VARCHAR"
    return f"coalesce({text}, '~')"
