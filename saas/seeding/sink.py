"""Where the text goes: into PostgreSQL, or nowhere, so that generation can be measured alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

import psycopg
from psycopg import sql

from saas.seeding.scale import Table

Write: TypeAlias = Callable[[memoryview], None]


class Sink(Protocol):
    """Takes the text of COPY, table by table."""

    def open(self, table: Table, columns: Sequence[str]) -> AbstractContextManager[Write]:
        """Return what writes text to a table; all of it has arrived once the context is left."""


class PostgresSink:
    """Copies into the tables of a database, within the transaction of its connection."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Copy over ``connection``, whose time zone is UTC."""
        self._connection = connection

    @contextmanager
    def open(self, table: Table, columns: Sequence[str]) -> Iterator[Write]:
        """Run one COPY; it has ended, or failed, when the context is left."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy.write


class NullSink:
    """Forgets everything."""

    @contextmanager
    def open(self, table: Table, columns: Sequence[str]) -> Iterator[Write]:  # noqa: ARG002 - the port's signature
        """Write nowhere."""
        yield lambda _text: None
