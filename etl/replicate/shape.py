"""Turns a table's shape, as the stream describes it, into a recorded contract.

The stream tells columns' names and types as they were when a change was made; the catalog,
which may be ahead of it, tells the rest. For a table that nobody altered the result is the
very contract its full load was written under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from etl.bronze.layout import CHANGE_ONLY_FIELDS
from etl.contracts.source import UNRECORDED_VERSION, check_names, first_line, logical_type, quoted, read_keys
from etl.contracts.store import newest_contract, record_contract
from etl.contracts.table import Column, TableContract, TableId
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import SourceUnavailableError, UnsupportedColumnError
from etl.replicate.pgoutput import Relation

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
    SELECT attnum, attname AS name, attnotnull AS required, attisdropped AS is_dropped
      FROM pg_attribute WHERE attrelid = %s AND attnum > 0 ORDER BY attnum
"""


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


def record_shape(connection: psycopg.Connection, store: ObjectStore, relation: Relation) -> Shape:
    """Return the shape of a relation, its contract recorded in bronze.

    Args:
        connection: From `open_source`.
        store: Bronze.
        relation: As the stream described it last.

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
    check_names(table, columns)
    check_change_names(table, [column.name for column in columns])
    contract = TableContract(
        table=table, version=UNRECORDED_VERSION, columns=tuple(columns), key=_key(relation, key, before)
    )
    return Shape(contract=record_contract(store, contract), base_types=tuple(of.base_type for of in types))


def check_change_names(table: TableId, names: Sequence[str]) -> None:
    """Refuse columns that are called like a field which only files of changes have.

    Raises:
        UnsupportedColumnError: One is, but for case.
    """
    taken = {field.lower() for field in CHANGE_ONLY_FIELDS}
    for name in names:
        if name.lower() in taken:
            raise UnsupportedColumnError(
                f"Column {name} of {table} is called like a field of bronze. "
                f"Run: ALTER TABLE {quoted(table.schema, table.name)} RENAME COLUMN {quoted(name)} TO <another name>;"
            )


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
