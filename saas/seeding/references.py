"""Foreign keys, checked by the table instead of by the row.

A foreign key that is in place looks up every new row's parent by itself, which takes PostgreSQL most
of a load's time. One that is added to full tables is checked by a single join. So the keys are
dropped before loading and added again after it, in the loading transaction: PostgreSQL checks every
reference just the same, nobody else ever sees the tables without them, and a rollback brings them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

_FOREIGN_KEYS_SQL = """
    SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE contype = 'f' AND conrelid = ANY (%s::regclass[])
    ORDER BY relname, conname
"""


@contextmanager
def checked_at_the_end(connection: psycopg.Connection, tables: Sequence[str]) -> Iterator[None]:
    """Check the tables' outgoing references once, when the block ends; they stay locked until the commit.

    Raises:
        psycopg.errors.ForeignKeyViolation: A row refers to one that is not there.
    """
    keys = connection.execute(_FOREIGN_KEYS_SQL, [list(tables)]).fetchall()
    for table, name, _ in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
        )
    yield
    for table, name, definition in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
