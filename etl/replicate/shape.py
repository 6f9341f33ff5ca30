"""Turns a table's shape, as the stream describes it, into a recorded contract.

The stream tells columns' names and types as they were when a change was made; the catalog,
which may be ahead of it, tells the rest. For a table that nobody altered the result is the
very contract its full load was written under.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from etl.bronze.layout import CHANGE_ONLY_FIELDS
from etl.contracts.source import UNRECORDED_VERSION, check_names, first_line, logical_type, read_keys
from etl.contracts.store import newest_contract, record_contract, record_doubt
from etl.contracts.table import Column, TableContract, TableId
from etl.contracts.types import LogicalType, decimal_shape
from etl.errors import OperatorError
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.pgoutput import Relation
from etl.replicate.snapshot import printed, storage_of

_TYPES = """
    WITH RECURSIVE resolved AS (
        SELECT number, typid, typmod, format_type(typid, typmod) AS source_type, false AS required
          FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS sent(typid, typmod, number)
         UNION ALL
        SELECT r.number, t.typbasetype, t.typtypmod, r.source_type, r.required OR t.typnotnull
          FROM resolved r JOIN pg_type t ON t.oid = r.typid AND t.typtype = 'd'
    )
    SELECT r.source_type, r.required, r.typmod,
           CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text ELSE '' END AS base_type
      FROM resolved r
      LEFT JOIN pg_type t ON t.oid = r.typid
      LEFT JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype IS DISTINCT FROM 'd'
     ORDER BY r.number
"""

_ATTRIBUTES = """
    SELECT a.attnum, a.attname AS name, a.attnotnull AS required, a.attisdropped AS is_dropped,
           a.atthasmissing AS has_missing,
           a.atthasdef OR a.attidentity <> '' OR coalesce(t.typdefault IS NOT NULL, false) AS has_default
      FROM pg_attribute a LEFT JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = %s AND a.attnum > 0 ORDER BY a.attnum
"""

_FILL = """
    SELECT {value}::text FROM (
        SELECT (attmissingval::text::text[])[1]::{type} AS {name} FROM pg_attribute
         WHERE attrelid = {oid} AND attnum = {attnum}
    ) missing
"""
"""The value that PostgreSQL gives rows older than a column, printed as a full load prints it."""

_LIMITED_TEXT = re.compile(r"character varying(?:\((\d+)\))?|text")
_NO_LIMIT = 2**31
_WIDER = {
    ("smallint", "integer"),
    ("smallint", "bigint"),
    ("integer", "bigint"),
    ("real", "double precision"),
}


class OldRowsUnknownError(OperatorError):
    """A table was altered so that its rows changed without being sent."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync <table>`; the other tables go on meanwhile."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A table's contract, and what is needed besides to print its values."""

    contract: TableContract
    base_types: tuple[str, ...]
    """Names in ``pg_catalog`` of the columns' types, domains resolved; empty for types of elsewhere."""


class _Type(NamedTuple):
    """A row of `_TYPES`."""

    source_type: str
    required: bool
    typmod: int
    base_type: str


class _Attribute(NamedTuple):
    """A row of `_ATTRIBUTES`."""

    attnum: int
    name: str
    required: bool
    is_dropped: bool
    has_missing: bool
    """Rows older than the column have a value of their own, which is known."""
    has_default: bool


def record_shape(
    connection: psycopg.Connection, store: ObjectStore, relation: Relation, *, files: Sequence[int | None] = ()
) -> Shape:
    """Return the shape of a relation, its contract recorded in bronze; before it the doubt that old rows are known.

    Args:
        connection: From `open_source`.
        store: Bronze.
        relation: As the stream described it last.
        files: The table's files when it was loaded (`Storage.files`): with the same ones it was never rewritten.

    Raises:
        UnsupportedColumnError: A column cannot be carried.
        SourceUnavailableError: The source did not answer.
        ObjectExistsError: Someone else writes into this bronze.
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    table = TableId(schema=relation.schema, name=relation.name)
    type_oids = [column.type_oid for column in relation.columns]
    typmods = [column.typmod for column in relation.columns]
    try:
        with connection.cursor(row_factory=class_row(_Type)) as cursor:
            types = cursor.execute(_TYPES, [type_oids, typmods]).fetchall()
        with connection.cursor(row_factory=class_row(_Attribute)) as cursor:
            attributes = cursor.execute(_ATTRIBUTES, [relation.oid]).fetchall()
        key = read_keys(connection, [relation.oid]).get(relation.oid, ())
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    before = newest_contract(store, table)
    places = _places(relation, attributes, before)
    required = {attribute.attnum for attribute in attributes if attribute.required and not attribute.is_dropped}
    columns = [
        Column(
            name=sent.name,
            attnum=attnum,
            source_type=of.source_type,
            type=logical_type(table, sent.name, of.base_type, of.typmod),
            nullable=not (of.required or attnum in required),
        )
        for sent, of, attnum in zip(relation.columns, types, places, strict=True)
    ]
    check_names(table, columns, CHANGE_ONLY_FIELDS)
    there = {attribute.attnum: attribute for attribute in attributes if not attribute.is_dropped}
    if before is not None:
        columns = [_filled(connection, relation, column, there.get(column.attnum), before) for column in columns]
    contract = TableContract(
        table=table, version=UNRECORDED_VERSION, columns=tuple(columns), key=_key(relation, key, before)
    )
    if before is not None and before.fingerprint != contract.fingerprint:
        doubts = list(_doubts(table, columns, there, before))
        if doubts and not _has_files(connection, table, files):
            record_doubt(store, table, before.version + 1, " ".join(doubts))
    return Shape(contract=record_contract(store, contract), base_types=tuple(of.base_type for of in types))


def _has_files(connection: psycopg.Connection, table: TableId, files: Sequence[int | None]) -> bool:
    storage = storage_of(connection, [table]).get(table)
    return storage is not None and None not in files and storage.files == tuple(files)


def _filled(
    connection: psycopg.Connection,
    relation: Relation,
    column: Column,
    attribute: _Attribute | None,
    before: TableContract,
) -> Column:
    """Return the column with the value that rows older than it have; of a known column as it was recorded."""
    known = _by_number(before).get(column.attnum)
    if known is not None:
        return replace(column, fill=known.fill)
    if attribute is None or not attribute.has_missing:
        return column
    query = sql.SQL(_FILL).format(
        value=printed(replace(column, name=attribute.name)),
        type=sql.SQL(column.source_type),
        name=sql.Identifier(attribute.name),
        oid=sql.Literal(relation.oid),
        attnum=sql.Literal(attribute.attnum),
    )
    try:
        row = connection.execute(query).fetchone()
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    except psycopg.Error:
        return column  # It has another type by now; `_doubts` will see that.
    return column if row is None else replace(column, fill=row[0])


def _doubts(
    table: TableId, columns: Sequence[Column], there: Mapping[int, _Attribute], before: TableContract
) -> Iterator[str]:
    """Say what makes the values of older rows uncertain: they were rewritten, and the stream does not tell.

    Source: PostgreSQL documentation, ALTER TABLE: a volatile default, and most changes of
    type, rewrite the table; no change is logged for it.
    """
    known = _by_number(before)
    is_retyped = any(column.attnum in known and not _keeps(known[column.attnum], column) for column in columns)
    for column in columns:
        was, now = known.get(column.attnum), there.get(column.attnum)
        if was is None and now is not None and not now.has_missing:
            if now.has_default or is_retyped:
                yield f"Column {column.name} of {table} is new, and which values older rows have was not sent."
        elif was is not None and not _keeps(was, column):
            yield (
                f"Column {column.name} of {table} was {was.source_type} and is {column.source_type}; "
                "which values older rows have now was not sent."
            )


def _keeps(was: Column, now: Column) -> bool:
    """Tell whether a change of type leaves every value as it was."""
    if was.source_type == now.source_type:
        return True
    texts = [_LIMITED_TEXT.fullmatch(column.source_type) for column in (was, now)]
    if texts[0] and texts[1]:
        limits = [int(text[1]) if text[1] else _NO_LIMIT for text in texts if text]
        return limits[0] <= limits[1]
    if was.source_type.startswith("numeric(") and now.source_type.startswith("numeric"):
        return now.source_type == "numeric" or _is_wider(was.type, now.type)
    return (was.source_type, now.source_type) in _WIDER


def _is_wider(was: str, now: str) -> bool:
    """Tell whether one decimal holds every value of another."""
    if LogicalType.TEXT in {was, now}:
        return False
    (digits, scale), (more_digits, more_scale) = decimal_shape(was), decimal_shape(now)
    return scale <= more_scale and digits - scale <= more_digits - more_scale


def _by_number(contract: TableContract) -> dict[int, Column]:
    return {column.attnum: column for column in contract.columns}


def _places(relation: Relation, attributes: Sequence[_Attribute], before: TableContract | None) -> list[int]:
    """Return the columns' attribute numbers, ascending.

    A name is looked up in the catalog, then in the contract before. One that both do not
    know was renamed or dropped in the meantime: it takes a free number in its gap.
    """
    known = {column.name: column.attnum for column in before.columns} if before else {}
    known |= {each.name: each.attnum for each in attributes if not each.is_dropped}
    taken = {known[column.name] for column in relation.columns if column.name in known}
    free = [each.attnum for each in attributes if each.attnum not in taken]
    places: list[int] = []
    last = 0
    for column in relation.columns:
        place = known.get(column.name, 0)
        if place <= last:
            place = next((attnum for attnum in free if attnum > last), last + 1)
        places.append(place)
        last = place
    return places


def _key(relation: Relation, key: tuple[str, ...], before: TableContract | None) -> tuple[str, ...]:
    """Return the primary key: as the catalog or the contract before has it, if the columns had these names."""
    identity = tuple(column.name for column in relation.columns if column.is_identity)
    for candidate in (key, before.key if before else ()):
        if candidate and set(candidate) <= set(identity):
            return candidate
    return identity
