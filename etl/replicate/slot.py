"""The slot and the publication: what must stand at the source for changes to be read, and whether it does.

A slot makes the source keep its log until a reader has confirmed it. A publication says
which tables' changes are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from etl.bronze.layout import CHANGE_ONLY_FIELDS
from etl.contracts.problem import Problem, sentences
from etl.contracts.source import column_problems, first_line, quoted
from etl.contracts.table import TableId
from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.replicator import SourceNotReadyError, SourceUnavailableError, UnsupportedColumnError
from etl.replicate.lsn import Lsn

PUBLICATION = "lakeside"

_GENERATED_SINCE = 180000
_RESYNC = "Run `manage.py lakehouse resync --all`: it takes a new full load and goes on from there."

_UNCHANGEABLE = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.DuplicateObject,
)
"""The publication is another's, or cannot be as wanted now."""

_SLOT = """
    SELECT plugin::text, database = current_database() AS is_of_this_database, active_pid,
           confirmed_flush_lsn::text AS confirmed_lsn, coalesce(wal_status, '') AS wal_status, safe_wal_size,
           pg_current_wal_flush_lsn()::text AS server_lsn
      FROM pg_replication_slots WHERE slot_name = %s
"""

_PUBLISHED = """
    SELECT n.nspname AS schema, c.relname AS name, r.prqual IS NOT NULL OR r.prattrs IS NOT NULL AS is_partial
      FROM pg_publication p
      JOIN pg_publication_rel r ON r.prpubid = p.oid
      JOIN pg_class c ON c.oid = r.prrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = %s
"""

_PUBLICATION = """
    SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AS sends_all, pubviaroot AS as_root,
           puballtables OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = oid) AS is_open
      FROM pg_publication WHERE pubname = %s
"""

_IDENTITIES = """
    SELECT n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS is_unlogged,
           c.relreplident = 'f'
           OR EXISTS (SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid
                         AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
                         AND (SELECT p.indkey::int2[] FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary)
                             <@ i.indkey::int2[]) AS has_identity,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attgenerated = 's') AS stored,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attgenerated = 'v') AS virtual
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN unnest(%s::text[], %s::text[]) AS wanted(schema, name)
        ON wanted.schema = n.nspname AND wanted.name = c.relname
"""


class SlotLostError(OperatorError):
    """The source no longer keeps the log from where bronze ends, so changes in between cannot be read."""

    guidance: ClassVar[str] = _RESYNC


class SourceBehindError(OperatorError):
    """The source's log ends before bronze does: it is another server, or was restored from a backup."""

    guidance: ClassVar[str] = (
        "Point LAKEHOUSE_SOURCE_URL to the right server. If this is the right one, its changes cannot be put in order "
        "with those in the lake: set LAKEHOUSE_LAKE_URI to a new folder and start there."
    )


class SlotBusyError(TransientError):
    """Another replicator reads the slot."""

    guidance: ClassVar[str] = "Stop the other replicator: one reads a slot at a time."


class Slot(NamedTuple):
    """What the source says of a slot (a row of `_SLOT`)."""

    plugin: str
    is_of_this_database: bool
    active_pid: int | None
    """Process at the source that serves a reader now."""
    confirmed_lsn: str | None
    wal_status: str
    """``lost`` once the log it needs is gone."""
    safe_wal_size: int | None
    """Bytes that may still be written before the slot is lost; None without a limit."""
    server_lsn: str
    """End of the source's log now."""


class _Published(NamedTuple):
    """A row of `_PUBLISHED`."""

    schema: str
    name: str
    is_partial: bool


class _Publication(NamedTuple):
    """The row of `_PUBLICATION`."""

    sends_all: bool
    as_root: bool
    is_open: bool


class _Identity(NamedTuple):
    """A row of `_IDENTITIES`."""

    schema: str
    name: str
    is_unlogged: bool
    has_identity: bool
    stored: list[str] | None
    virtual: list[str] | None


def read_slot(connection: psycopg.Connection, name: str) -> Slot | None:
    """Return what the source says of a slot; None if there is none.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        with connection.cursor(row_factory=class_row(Slot)) as cursor:
            return cursor.execute(_SLOT, [name]).fetchone()
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error


def check_slot(connection: psycopg.Connection, name: str, durable_lsn: Lsn) -> Slot:
    """Return a slot from which changes can be read.

    Args:
        connection: From `open_source`.
        name: The slot.
        durable_lsn: Where bronze ends.

    Raises:
        SourceBehindError: The source's log ends before bronze does.
        SlotLostError: There is none, or the source threw away what it was to keep.
        SourceNotReadyError: It is somebody else's.
        SourceUnavailableError: The source did not answer.
    """
    slot = read_slot(connection, name)
    server_lsn = read_end_of_log(connection)
    if server_lsn < durable_lsn:
        raise SourceBehindError(f"The source's log ends at {server_lsn}, but bronze was read up to {durable_lsn}.")
    if slot is None:
        raise SlotLostError(f"The source has no slot {name}: it was dropped, or the server was replaced. {_RESYNC}")
    check_ours(slot, name)
    if slot.wal_status == "lost":
        raise SlotLostError(
            f"The source's log grew beyond max_slot_wal_keep_size while nobody read slot {name}, "
            f"so what it was to keep is gone. {_RESYNC}"
        )
    return slot


def read_end_of_log(connection: psycopg.Connection) -> Lsn:
    """Return the position up to which the source has written its log to disk.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    assert row is not None
    return Lsn.parse(row[0])


def drop_slot(connection: psycopg.Connection, name: str) -> None:
    """Remove a slot; absent is fine.

    Raises:
        SourceNotReadyError: It is somebody else's.
        SlotBusyError: It is being read.
        SourceUnavailableError: The source did not answer.
    """
    slot = read_slot(connection, name)
    if slot is None:
        return
    check_ours(slot, name)
    query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
    try:
        connection.execute(query, [name])
    except psycopg.errors.UndefinedObject:
        return
    except psycopg.errors.ObjectInUse as error:
        raise SlotBusyError(f"Slot {name} is being read: {first_line(error)}.") from error
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error


def check_ours(slot: Slot, name: str) -> None:
    """Refuse a slot that something else reads: slots of all databases share their names.

    Raises:
        SourceNotReadyError: It is somebody else's.
    """
    if slot.plugin != "pgoutput" or not slot.is_of_this_database:
        raise SourceNotReadyError(
            f"Slot {name} is another database's or another program's. Name another one in LAKEHOUSE_SLOT; "
            f"or, if nobody needs it, run there: SELECT pg_drop_replication_slot('{name}');"
        )


def check_changes(connection: psycopg.Connection, tables: Sequence[TableId]) -> None:
    """Check, after `check_source`, that the tables' changes can be replicated.

    Raises:
        SourceNotReadyError: Something is missing; the message lists everything, each with the SQL that mends it.
        UnsupportedColumnError: A column cannot be carried.
        SourceUnavailableError: The source did not answer.
    """
    columns = column_problems(connection, tables, CHANGE_ONLY_FIELDS)
    if columns:
        raise UnsupportedColumnError(sentences(columns))
    problems = change_problems(connection, tables)
    if problems:
        raise SourceNotReadyError(sentences(problems))


def change_problems(connection: psycopg.Connection, tables: Sequence[TableId]) -> list[Problem]:
    """Return everything but columns that keeps the tables' changes, as far as they exist, from being sent whole.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    parameters = [[table.schema for table in tables], [table.name for table in tables]]
    try:
        with connection.cursor(row_factory=class_row(_Identity)) as cursor:
            rows = cursor.execute(_IDENTITIES, parameters).fetchall()
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    version = connection.info.server_version
    return [problem for row in rows for problem in _identity_problems(row, version)]


def ensure_publication(connection: psycopg.Connection, tables: Sequence[TableId], name: str = PUBLICATION) -> None:
    """Have the publication send every change of exactly these tables; create or alter it if the role may.

    Raises:
        SourceNotReadyError: It does not, and the role may not change it; the message says the SQL.
        SourceUnavailableError: The source did not answer.
    """
    try:
        for problem in _publication_problems(connection, tables, name):
            if problem.by:
                try:
                    connection.execute(problem.sql.encode())
                except _UNCHANGEABLE as error:
                    raise SourceNotReadyError(str(problem)) from error
            else:
                raise SourceNotReadyError(str(problem))
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error


def publication_problems(
    connection: psycopg.Connection, tables: Sequence[TableId], name: str = PUBLICATION
) -> list[Problem]:
    """Return why the publication does not send every change of exactly these tables; changes nothing.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        return list(_publication_problems(connection, tables, name))
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error


def unpublished(connection: psycopg.Connection, tables: Sequence[TableId], name: str) -> dict[TableId, LakehouseError]:
    """Return, by table, why the publication does not send all of its changes; publish the tables first, if possible.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        ensure_publication(connection, tables, name)
    except SourceNotReadyError as error:
        return dict.fromkeys(read_unpublished(connection, tables, name), error)
    return {}


def read_unpublished(connection: psycopg.Connection, tables: Sequence[TableId], name: str) -> list[TableId]:
    """Return the tables that the publication does not have, or only in part.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    try:
        rows = _read_published(connection, name)
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    whole = {TableId(schema=row.schema, name=row.name) for row in rows if not row.is_partial}
    return [table for table in tables if table not in whole]


def _read_published(connection: psycopg.Connection, name: str) -> list[_Published]:
    with connection.cursor(row_factory=class_row(_Published)) as cursor:
        return cursor.execute(_PUBLISHED, [name]).fetchall()


def _publication_problems(connection: psycopg.Connection, tables: Sequence[TableId], name: str) -> Iterator[Problem]:
    """Yield what is wrong with the publication; each statement is run before the next one is asked for."""
    with connection.cursor(row_factory=class_row(_Publication)) as cursor:
        publication = cursor.execute(_PUBLICATION, [name]).fetchone()
    published = _read_published(connection, name)
    names = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
    options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
    if connection.info.server_version >= _GENERATED_SINCE:
        options += ", publish_generated_columns = stored"
    identifier, with_options = sql.Identifier(name), sql.SQL(options)

    def mended_by(statement: sql.Composed) -> Problem:
        return Problem(
            text=f"Publication {name} does not send the changes of the replicated tables.",
            sql=f"{statement.as_string(connection)};",
            by="as the tables' owner",
        )

    if publication is None:
        yield mended_by(sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})").format(identifier, names, with_options))
        return
    if publication.is_open:
        yield Problem(
            text=f"Publication {name} sends more than the replicated tables.", sql=f"DROP PUBLICATION {quoted(name)};"
        )
        return
    if not publication.sends_all or not publication.as_root:
        yield mended_by(sql.SQL("ALTER PUBLICATION {} SET ({})").format(identifier, with_options))
    wanted = {(table.schema, table.name) for table in tables}
    if {(row.schema, row.name) for row in published} != wanted or any(row.is_partial for row in published):
        yield mended_by(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(identifier, names))


def _identity_problems(row: _Identity, server_version: int) -> Iterator[Problem]:
    table = TableId(schema=row.schema, name=row.name)
    alter = f"ALTER TABLE {quoted(row.schema, row.name)}"
    if row.is_unlogged:
        yield Problem(
            text=f"Table {table} is unlogged, so the source sends no changes of it.",
            sql=f"{alter} SET LOGGED;",
            table=table,
        )
    if not row.has_identity:
        yield Problem(
            text=f"Table {table} would not say which row it deletes: its replica identity lacks its primary key, "
            "or the key is deferrable.",
            sql=f"{alter} REPLICA IDENTITY FULL;",
            table=table,
        )
    if row.virtual:
        yield Problem(
            text=f"Columns {', '.join(row.virtual)} of {table} are computed when read, so changes do not carry them. "
            "Make them STORED, or leave the table out of LAKEHOUSE_SOURCE_TABLES.",
            table=table,
        )
    if row.stored and server_version < _GENERATED_SINCE:
        yield Problem(
            text=f"Columns {', '.join(row.stored)} of {table} are generated, and PostgreSQL sends such with changes "
            "only from version 18 on. Upgrade the source, or leave the table out of LAKEHOUSE_SOURCE_TABLES.",
            table=table,
        )
