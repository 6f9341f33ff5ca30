"""Reads contracts from the source's own catalog, and checks that the source can be replicated.

First step of the data path. `open_source` gives every later step the same session, so that
a value has one text everywhere: contract, bronze file and reconciliation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple, TypedDict

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from etl.bronze.layout import OWN_FIELDS
from etl.contracts.problem import Problem, sentences
from etl.contracts.table import Column, TableContract, TableId
from etl.contracts.types import LogicalType
from etl.ports.replicator import SourceNotReadyError, SourceUnavailableError, UnsupportedColumnError

UNRECORDED_VERSION = 0
"""Version of a contract just read: `etl.contracts.store` gives it its number."""


class ConnectOptions(TypedDict):
    """Connection parameters of libpq."""

    application_name: str
    connect_timeout: int
    keepalives_idle: int
    keepalives_interval: int
    keepalives_count: int


CONNECT: ConnectOptions = {
    "application_name": "lakeside",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""For every connection to the source, in seconds: a silent network is noticed within a minute."""

_OLDEST_SERVER_VERSION = 150000
_MAX_DECIMAL_DIGITS = 38
_LOCALE_DEPENDENT = "money"
_NUMERIC_HEADER = 4  # PostgreSQL's numeric typmod is (precision << 16 | scale) + 4, scale in 11 bits with sign.

SESSION = """
    SET timezone = 'UTC';
    SET datestyle = 'ISO, YMD';
    SET intervalstyle = 'postgres';
    SET extra_float_digits = 1;
    SET bytea_output = 'hex';
    SET xmloption = 'content';
    SET client_encoding = 'UTF8';
    SET search_path = pg_catalog;
    SET row_security = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0;
"""
"""One text per value, whatever the role's or the database's defaults are; rows never hidden.

With ``row_security`` off a policy that would hide rows makes the query fail instead.
"""

_TABLES = """
    SELECT n.nspname AS schema, c.relname AS name, c.oid, c.relkind::text AS kind,
           has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
           row_security_active(c.oid) AS hides_rows
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN unnest(%s::text[], %s::text[]) AS wanted(schema, name)
        ON wanted.schema = n.nspname AND wanted.name = c.relname
"""

_COLUMNS = """
    WITH RECURSIVE resolved AS (
        SELECT a.attrelid, a.attnum, a.attname, a.attnotnull AS required, a.atttypid AS typid, a.atttypmod AS typmod,
               format_type(a.atttypid, a.atttypmod) AS source_type
          FROM pg_attribute a
         WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
        SELECT r.attrelid, r.attnum, r.attname, r.required OR t.typnotnull, t.typbasetype, t.typtypmod, r.source_type
          FROM resolved r JOIN pg_type t ON t.oid = r.typid AND t.typtype = 'd'
    )
    SELECT r.attrelid AS oid, r.attnum, r.attname AS name, r.source_type, r.required, r.typmod,
           CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text ELSE '' END AS base_type
      FROM resolved r
      JOIN pg_type t ON t.oid = r.typid AND t.typtype <> 'd'
      JOIN pg_namespace n ON n.oid = t.typnamespace
     ORDER BY r.attrelid, r.attnum
"""

_KEYS = """
    SELECT i.indrelid AS oid, array_agg(a.attname::text ORDER BY k.position) AS key
      FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indisprimary AND i.indrelid = ANY(%s::oid[]) AND k.position <= i.indnkeyatts
     GROUP BY i.indrelid
"""

_SERVER = """
    SELECT current_setting('server_version_num')::int AS version,
           current_setting('wal_level') AS wal_level, current_setting('server_encoding') AS encoding,
           rolreplication OR rolsuper AS may_replicate, rolname AS role
      FROM pg_roles WHERE rolname = current_user
"""

_KINDS = {"r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table"}
_LOADABLE_KINDS = {"r", "p"}

_LOGICAL_TYPES = {
    "bool": LogicalType.BOOLEAN,
    "int2": LogicalType.INTEGER,
    "int4": LogicalType.INTEGER,
    "int8": LogicalType.BIGINT,
    "oid": LogicalType.BIGINT,
    "float4": LogicalType.DOUBLE,
    "float8": LogicalType.DOUBLE,
    "date": LogicalType.DATE,
    "timestamp": LogicalType.TIMESTAMP,
    "timestamptz": LogicalType.TIMESTAMPTZ,
    "json": LogicalType.JSON,
    "jsonb": LogicalType.JSON,
    "bytea": LogicalType.BINARY,
}
"""By name in ``pg_catalog``. Types not listed travel as the text PostgreSQL prints, exactly."""


class _Table(NamedTuple):
    """A row of `_TABLES`."""

    schema: str
    name: str
    oid: int
    kind: str
    readable: bool
    hides_rows: bool


class _Column(NamedTuple):
    """A row of `_COLUMNS`."""

    oid: int
    attnum: int
    name: str
    source_type: str
    required: bool
    typmod: int
    base_type: str
    """Name in ``pg_catalog``; empty for a type of elsewhere."""


class _Server(NamedTuple):
    """The row of `_SERVER`."""

    version: int
    wal_level: str
    encoding: str
    may_replicate: bool
    role: str


def open_source(url: str) -> psycopg.Connection:
    """Open an autocommit session on the source in which every value has one text form.

    Raises:
        SourceNotReadyError: The URL is not one.
        SourceUnavailableError: The source did not answer or refused the login.
    """
    try:
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=None, **CONNECT)
        connection.execute(SESSION)
    except psycopg.ProgrammingError:
        # The driver's own words would repeat the URL, password and all.
        raise SourceNotReadyError("LAKEHOUSE_SOURCE_URL is not a connection URL of PostgreSQL: correct it.") from None
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source database cannot be reached: {first_line(error)}.") from error
    return connection


def check_source(connection: psycopg.Connection, tables: Sequence[TableId]) -> None:
    """Check, before anything is written, that the tables can be replicated.

    Raises:
        SourceNotReadyError: Something is missing; the message lists everything, each with the SQL that mends it.
        SourceUnavailableError: The source did not answer.
    """
    problems = source_problems(connection, tables)
    if problems:
        raise SourceNotReadyError(sentences(problems))


def source_problems(connection: psycopg.Connection, tables: Sequence[TableId]) -> list[Problem]:
    """Return everything that keeps the tables from being read.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        server = _read_server(connection)
        found = _find(connection, tables)
        keyed = read_keys(connection, [table.oid for table in found.values()])
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source database stopped answering: {first_line(error)}.") from error
    return [*_server_problems(server), *_table_problems(tables, found, keyed, quoted(server.role))]


def read_oids(connection: psycopg.Connection, tables: Sequence[TableId]) -> dict[TableId, int]:
    """Return the numbers that the tables have at the source, as far as they exist.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        return {table: found.oid for table, found in _find(connection, tables).items()}
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source database stopped answering: {first_line(error)}.") from error


def read_contracts(connection: psycopg.Connection, tables: Sequence[TableId]) -> list[TableContract]:
    """Return the tables' contracts, in the order asked, with `UNRECORDED_VERSION`.

    Columns stand in physical (``attnum``) order, dropped ones left out, generated ones
    included, domains resolved to the type beneath.

    Args:
        connection: From `open_source`.
        tables: Tables that exist; `check_source` says so kindly.

    Raises:
        SourceNotReadyError: A table is missing or has no primary key.
        UnsupportedColumnError: A column cannot be carried without changing its values.
        SourceUnavailableError: The source did not answer.
    """
    try:
        found = _find(connection, tables)
        oids = [table.oid for table in found.values()]
        keys = read_keys(connection, oids)
        with connection.cursor(row_factory=class_row(_Column)) as cursor:
            columns = cursor.execute(_COLUMNS, [oids]).fetchall()
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source database stopped answering: {first_line(error)}.") from error
    contracts = []
    for table in tables:
        if table not in found:
            raise SourceNotReadyError(str(_missing(table)))
        oid = found[table].oid
        if oid not in keys:
            raise SourceNotReadyError(str(_keyless(table)))
        own = [
            Column(
                name=row.name,
                attnum=row.attnum,
                source_type=row.source_type,
                type=logical_type(table, row.name, row.base_type, row.typmod),
                nullable=not row.required,
            )
            for row in columns
            if row.oid == oid
        ]
        check_names(table, own)
        contracts.append(
            TableContract(table=table, version=UNRECORDED_VERSION, columns=tuple(own), key=keys[oid]),
        )
    return contracts


def column_problems(
    connection: psycopg.Connection, tables: Sequence[TableId], reserved: Sequence[str]
) -> list[Problem]:
    """Return why columns of the tables, as far as they exist, cannot be carried.

    Args:
        connection: From `open_source`.
        tables: Tables.
        reserved: Names of fields that columns must not have, besides those of every bronze file.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        found = {table.oid: name for name, table in _find(connection, tables).items()}
        with connection.cursor(row_factory=class_row(_Column)) as cursor:
            rows = cursor.execute(_COLUMNS, [list(found)]).fetchall()
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source database stopped answering: {first_line(error)}.") from error
    problems = []
    for oid, table in found.items():
        own = [row for row in rows if row.oid == oid]
        problems += [_locale_dependent(table, row.name) for row in own if row.base_type == _LOCALE_DEPENDENT]
        problems += _name_problems(table, [row.name for row in own], reserved)
    return problems


def first_line(error: Exception) -> str:
    """Return a driver error's first line without its final full stop, to put into a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _find(connection: psycopg.Connection, tables: Sequence[TableId]) -> dict[TableId, _Table]:
    parameters = [[table.schema for table in tables], [table.name for table in tables]]
    with connection.cursor(row_factory=class_row(_Table)) as cursor:
        rows = cursor.execute(_TABLES, parameters).fetchall()
    return {TableId(schema=row.schema, name=row.name): row for row in rows}


def read_keys(connection: psycopg.Connection, oids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the primary keys' column names, in key order, by the tables' oids."""
    return {oid: tuple(key) for oid, key in connection.execute(_KEYS, [oids])}


def _read_server(connection: psycopg.Connection) -> _Server:
    with connection.cursor(row_factory=class_row(_Server)) as cursor:
        return next(cursor.execute(_SERVER))


def _server_problems(server: _Server) -> Iterator[Problem]:
    if server.version < _OLDEST_SERVER_VERSION:
        yield Problem(text="The source is older than PostgreSQL 15. Upgrade it.")
    if server.wal_level != "logical":
        yield Problem(
            text=f"The source's wal_level is '{server.wal_level}', but replication needs 'logical'.",
            sql="ALTER SYSTEM SET wal_level = 'logical';",
            then="then restart PostgreSQL.",
        )
    if server.encoding == "SQL_ASCII":
        yield Problem(
            text="The source database's encoding is SQL_ASCII, so its text has no defined characters. "
            "Move the data to a database created with ENCODING 'UTF8'."
        )
    if not server.may_replicate:
        yield Problem(
            text=f"Role {server.role} may not replicate.",
            sql=f"ALTER ROLE {quoted(server.role)} REPLICATION;",
            by="as a superuser",
        )


def _table_problems(
    tables: Sequence[TableId], found: Mapping[TableId, _Table], keyed: Container[int], role: str
) -> Iterator[Problem]:
    hidden = []
    names = Counter(wanted.lake_name.lower() for wanted in tables)
    for wanted in tables:
        if names[wanted.lake_name.lower()] > 1:
            yield Problem(
                text=f"{wanted} would be called {wanted.lake_name} in the lake, as another selected table is. "
                "Leave one of them out of LAKEHOUSE_SOURCE_TABLES, or rename it.",
                table=wanted,
            )
        table = found.get(wanted)
        if table is None:
            yield _missing(wanted)
            continue
        if table.kind not in _LOADABLE_KINDS:
            kind = _KINDS.get(table.kind, "relation without rows")
            yield Problem(text=f"{wanted} is a {kind}; only tables are replicated.", table=wanted)
            continue
        if not table.readable:
            yield Problem(
                text=f"Role {role} may not read {wanted}.",
                sql=f"GRANT USAGE ON SCHEMA {quoted(wanted.schema)} TO {role}; "
                f"GRANT SELECT ON {quoted(wanted.schema, wanted.name)} TO {role};",
                table=wanted,
            )
        if table.oid not in keyed:
            yield _keyless(wanted)
        if table.hides_rows:
            hidden.append(str(wanted))
    if hidden:
        yield Problem(
            text=f"Row-level security hides rows of {', '.join(hidden)} from role {role}.",
            sql=f"ALTER ROLE {role} BYPASSRLS;",
            by="as a superuser",
        )


def _missing(table: TableId) -> Problem:
    return Problem(
        text=f"The source has no table {table}. Create it (for the source application: `manage.py migrate`) "
        "or leave it out of LAKEHOUSE_SOURCE_TABLES.",
        table=table,
    )


def _keyless(table: TableId) -> Problem:
    return Problem(
        text=f"Table {table} has no primary key, so its rows cannot be told apart.",
        sql=f"ALTER TABLE {quoted(table.schema, table.name)} ADD PRIMARY KEY (<columns>);",
        table=table,
    )


def logical_type(table: TableId, column: str, base_type: str, typmod: int) -> str:
    """Return the logical type of a ``pg_catalog`` base type; '' stands for a type of elsewhere.

    Raises:
        UnsupportedColumnError: Its text would depend on the server's locale.
    """
    if base_type == _LOCALE_DEPENDENT:
        raise UnsupportedColumnError(str(_locale_dependent(table, column)))
    if base_type == "numeric":
        return _decimal(typmod)
    return _LOGICAL_TYPES.get(base_type, LogicalType.TEXT)


def _decimal(typmod: int) -> str:
    """Return ``decimal(p,s)`` for a bounded numeric of at most 38 digits, else ``text``.

    PostgreSQL 15 and later also know scales below 0 and above the precision; both are
    widened to the nearest shape that an engine has.
    """
    if typmod < _NUMERIC_HEADER:
        return LogicalType.TEXT
    precision = (typmod - _NUMERIC_HEADER) >> 16 & 0xFFFF
    scale = ((typmod - _NUMERIC_HEADER & 0x7FF) ^ 1024) - 1024
    precision, scale = max(precision - min(scale, 0), scale), max(scale, 0)
    return f"{LogicalType.DECIMAL}({precision},{scale})" if precision <= _MAX_DECIMAL_DIGITS else LogicalType.TEXT


def check_names(table: TableId, columns: Sequence[Column], reserved: Sequence[str] = ()) -> None:
    """Refuse names the lake cannot tell apart: its engines ignore case.

    Raises:
        UnsupportedColumnError: A column is called like another, or like a field of ours, but for case.
    """
    for problem in _name_problems(table, [column.name for column in columns], reserved):
        raise UnsupportedColumnError(str(problem))


def _name_problems(table: TableId, columns: Sequence[str], reserved: Sequence[str]) -> Iterator[Problem]:
    names = Counter(name.lower() for name in columns)
    names.update(field.lower() for field in (*OWN_FIELDS, *reserved, "filename"))
    for name in columns:
        if names[name.lower()] > 1:
            yield Problem(
                text=f"Column {name} of {table} differs only by case from another, or from a field of bronze.",
                sql=f"ALTER TABLE {quoted(table.schema, table.name)} RENAME COLUMN {quoted(name)} TO <another name>;",
                table=table,
            )


def _locale_dependent(table: TableId, column: str) -> Problem:
    return Problem(
        text=f"Column {column} of {table} has type money, whose text depends on the server's locale.",
        sql=f"ALTER TABLE {quoted(table.schema, table.name)} ALTER COLUMN {quoted(column)} TYPE numeric(19,2);",
        table=table,
    )


def quoted(*names: str) -> str:
    """Return an identifier as SQL writes it."""
    return sql.Identifier(*names).as_string()
