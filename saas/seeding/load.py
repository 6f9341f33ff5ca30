"""Seeds a database: everything in one transaction, or nothing.

`pour` moves a plan's rows into any sink. `seed` is `pour` into PostgreSQL, with what has to be
true before and after: tables there, row-level security bypassed, nothing overwritten unasked,
every reference checked, identities moved on, statistics fresh.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import psycopg
from psycopg import errors, sql

from saas.seeding.ahead import ahead
from saas.seeding.copy_text import encode
from saas.seeding.errors import SeedError
from saas.seeding.manifest import Ledger, Manifest
from saas.seeding.plan import Plan, generate
from saas.seeding.references import checked_at_the_end
from saas.seeding.scale import Table
from saas.seeding.sink import PostgresSink, Sink

_CHUNKS_AHEAD = 4
_LOCK_SECONDS = 10
_MEMBERSHIPS = "memberships"
"""References tenants, so it is emptied with them; never filled here."""

_CONNECTION_LOST, _SHUT_DOWN = "08", "57"
"""Classes of SQLSTATE; an error without one is of the connection."""

_MISSING_SQL = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NULL"
_SUBJECT_TO_RLS_SQL = "SELECT bool_or(row_security_active(name)) FROM unnest(%s::text[]) AS name"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A chunk, ready to copy."""

    table: Table
    columns: tuple[str, ...]
    rows: int
    text: memoryview


def seed(conninfo: str, plan: Plan, *, reset: bool, on_rows: Callable[[int], None] | None = None) -> Manifest:
    """Fill the source tables in one transaction.

    Args:
        conninfo: The owner's connection.
        plan: What to fill them with.
        reset: Whether to empty the source tables, and memberships with their tenants, beforehand.
        on_rows: Told how many more rows were sent, for a progress bar.

    Raises:
        SeedError: It was refused or failed; the database holds what it held before.
    """
    began = time.perf_counter()
    with _explained(), psycopg.connect(conninfo, application_name="lakeside seed_data") as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
        _check_schema(connection)
        _check_role(connection)
        _make_room(connection, reset=reset)
        ledger = Ledger(plan)
        with checked_at_the_end(connection, list(Table)):
            pour(plan, PostgresSink(connection), ledger, on_rows=on_rows)
            connection.execute(_for_all_tables("ANALYZE {}"))  # Checking makes use of it.
        _move_identities(connection, plan)
        connection.commit()
    return ledger.close(time.perf_counter() - began)


def pour(plan: Plan, sink: Sink, ledger: Ledger, *, on_rows: Callable[[int], None] | None = None) -> None:
    """Generate a plan's rows and write them to a sink, both at once."""
    with closing(ahead(_texts(plan), depth=_CHUNKS_AHEAD)) as texts:
        for (table, columns), chunks in groupby(texts, key=attrgetter("table", "columns")):
            began = time.perf_counter()
            with sink.open(table, columns) as write:
                for chunk in chunks:
                    write(chunk.text)
                    ledger.add(table, chunk.rows, chunk.text)
                    if on_rows is not None:
                        on_rows(chunk.rows)
            ledger.spend(table, time.perf_counter() - began)


def _texts(plan: Plan) -> Iterator[_Text]:
    for chunk in generate(plan):
        batch = chunk.batch
        yield _Text(table=chunk.table, columns=tuple(batch.schema.names), rows=len(batch), text=encode(batch))


def _check_schema(connection: psycopg.Connection) -> None:
    missing = [name for (name,) in connection.execute(_MISSING_SQL, [[*Table, _MEMBERSHIPS]])]
    if missing:
        raise SeedError(
            f"The database {connection.info.dbname} has no table {missing[0]}: "
            "run `manage.py migrate --database owner` first."
        )


def _check_role(connection: psycopg.Connection) -> None:
    row = connection.execute(_SUBJECT_TO_RLS_SQL, [list(Table)]).fetchone()
    if row is not None and row[0]:
        raise SeedError(
            f"The role {connection.info.user} is subject to row-level security and cannot seed all tenants: "
            "set DATABASE_URL to the owner, a superuser or a role with BYPASSRLS."
        )


def _make_room(connection: psycopg.Connection, *, reset: bool) -> None:
    """Empty the tables if asked to, otherwise refuse to add to what is there; then nobody else uses them."""
    if reset:
        tables = sql.SQL(", ").join(map(sql.Identifier, [*Table, _MEMBERSHIPS]))
        connection.execute(sql.SQL("TRUNCATE {}").format(tables))
        return
    connection.execute(_for_all_tables("LOCK TABLE {}"))
    for table in Table:
        if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone() is not None:
            raise SeedError(
                f"The database {connection.info.dbname} already has {table}: "
                "add --reset to empty the source tables first, memberships included."
            )


def _move_identities(connection: psycopg.Connection, plan: Plan) -> None:
    """Let the identities go on after the last id given; unlike setval, a rollback takes RESTART back."""
    for table, rows in plan.scale.rows.items():
        connection.execute(
            sql.SQL("ALTER TABLE {} ALTER COLUMN id RESTART WITH {}").format(
                sql.Identifier(table), sql.Literal(rows + 1)
            )
        )


def _for_all_tables(statement: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.SQL(", ").join(map(sql.Identifier, Table)))


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what PostgreSQL reports into one sentence; the transaction has been rolled back by then.

    Raises:
        SeedError: In place of any error of PostgreSQL or the connection to it.
    """
    try:
        yield
    except psycopg.Error as error:
        raise SeedError(f"{_sentence(error)} Nothing was changed.") from error


def _sentence(error: psycopg.Error) -> str:
    said = (error.diag.message_primary or str(error).strip().partition("\n")[0]).rstrip(".")
    match error:
        case errors.DiskFull():
            return f"PostgreSQL's disk is full ({said}): free some space or choose a smaller --scale."
        case errors.LockNotAvailable():
            return f"Somebody else has used the tables for {_LOCK_SECONDS} seconds: stop the workers and try again."
        case errors.InsufficientPrivilege():
            return f"The role of DATABASE_URL may not seed ({said}): set it to the owner of the tables."
        case errors.UndefinedColumn() | errors.FeatureNotSupported():
            return f"The tables are not as expected ({said}): run `manage.py migrate --database owner`."
        case psycopg.OperationalError() if (error.sqlstate or _CONNECTION_LOST)[:2] in {_CONNECTION_LOST, _SHUT_DOWN}:
            return f"PostgreSQL does not answer ({said}): start it with `manage.py up`, or correct DATABASE_URL."
        case _:
            return f"PostgreSQL refused the rows ({said})."
