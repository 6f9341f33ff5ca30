"""One consistent view of the source at a known LSN, and its rows as CSV text.

A temporary logical slot exports a snapshot together with the LSN from which changes
continue: every transaction that committed before that LSN is seen, none after. Any number
of sessions then read under it at the same time.

Source: PostgreSQL documentation, "Streaming Replication Protocol", CREATE_REPLICATION_SLOT.
"""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from psycopg import pq, sql

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD, OP_FIELD
from etl.bronze.reader import MAX_ROW_BYTES
from etl.contracts.source import CONNECT, first_line, open_source
from etl.contracts.table import Column, TableContract, TableId
from etl.contracts.types import LogicalType, family
from etl.ports.replicator import SourceNotReadyError, SourceUnavailableError, UnsupportedColumnError
from etl.replicate.lsn import Lsn, change_seq

BLOCK_BYTES = 256 * 1024
"""Rows are handed on in blocks of about this much text."""

_SNAPSHOT_SECONDS = 60.0
_LOCK_MILLISECONDS = 10_000
_LOOK_UP_SECONDS = 0.2

_PRINTS_AS_ITS_TEXT = ("text", "uuid", "character varying")
"""Types of text columns that COPY prints as a cast to text would; saves the cast."""

_STORAGE = """
    WITH RECURSIVE family AS (
        SELECT name, to_regclass(name)::oid AS oid FROM unnest(%s::text[]) AS name
         UNION ALL
        SELECT family.name, inhrelid FROM family JOIN pg_inherits ON inhparent = family.oid
    )
    SELECT name, array_agg(pg_relation_filenode(oid)::bigint ORDER BY oid), coalesce(sum(pg_table_size(oid)), 0)
      FROM family GROUP BY name
"""

_OPEN_TRANSACTIONS = """
    SELECT string_agg(format('%s (%s, since %s)', pid, coalesce(nullif(application_name, ''), usename, backend_type),
                             to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS')), ', ' ORDER BY xact_start)
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A view of the source that sessions can join while it is exported."""

    lsn: Lsn
    """Consistent point: changes committed after the snapshot end beyond it."""
    name: str
    taken_at: datetime
    """The source's clock just before; all that was committed until then is seen (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a table, with its partitions, occupies."""

    files: tuple[int | None, ...]
    """File numbers. They change when a table is rewritten or truncated, which snapshots do not
    survive: they see an empty table, without an error.

    Source: PostgreSQL documentation, "Concurrency Control", Caveats.
    """
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some whole rows of a file: CSV text with its line ends."""

    text: bytes
    rows: int


@contextmanager
def export_snapshot(
    url: str,
    *,
    slot: str | None = None,
    deadline_seconds: float = _SNAPSHOT_SECONDS,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Snapshot]:
    """Export a snapshot for as long as the block runs; sessions that joined it keep it afterwards.

    Args:
        url: Connection URL of a role that may replicate.
        slot: Name of a slot to make, from which changes then continue; None for one that is gone afterwards.
        deadline_seconds: How long to wait for the source's open transactions.
        is_cancelled: Asked several times a second; once true, it is not waited any longer.

    Raises:
        SourceNotReadyError: No slot or sender is free, or the role may not replicate.
        SourceUnavailableError: No answer, or open transactions kept the source from a consistent point.
    """
    with closing(open_source(url)) as control, closing(open_replication(url)) as connection:
        taken_at = _scalar(control, "SELECT clock_timestamp()")
        assert isinstance(taken_at, datetime)
        deadline = time.monotonic() + deadline_seconds
        created = _create_slot(connection.pgconn, control, slot, deadline, is_cancelled)
        lsn, name = (created.get_value(0, column) or b"" for column in (1, 2))
        yield Snapshot(lsn=Lsn.parse(lsn.decode()), name=name.decode(), taken_at=taken_at)


@contextmanager
def join_snapshot(url: str, snapshot: Snapshot) -> Iterator[psycopg.Connection]:
    """Open a session whose one read-only transaction sees the snapshot.

    Raises:
        SourceUnavailableError: No answer, or the snapshot is no longer exported.
    """
    with closing(open_source(url)) as connection:
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot.name))
        except psycopg.Error as error:
            raise SourceUnavailableError(f"The source's snapshot is gone: {first_line(error)}.") from error
        yield connection


def hold_tables(connection: psycopg.Connection, tables: Sequence[TableId]) -> None:
    """Keep others from changing the tables' shape until the session ends; reading and writing go on.

    Raises:
        SourceUnavailableError: Someone else held a table for too long, or it is gone.
    """
    names = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
    try:
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(_LOCK_MILLISECONDS))
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The tables cannot be read now: {first_line(error)}.") from error


def storage_of(connection: psycopg.Connection, tables: Sequence[TableId]) -> dict[TableId, Storage]:
    """Return what each table occupies now, whatever the session's snapshot is.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    names = {sql.Identifier(table.schema, table.name).as_string(connection): table for table in tables}
    try:
        rows = connection.execute(_STORAGE, [list(names)]).fetchall()
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    return {names[name]: Storage(files=tuple(files), size_bytes=int(size_bytes)) for name, files, size_bytes in rows}


def copy_rows(
    connection: psycopg.Connection,
    contract: TableContract,
    snapshot: Snapshot,
    *,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Block]:
    """Yield the table as bronze CSV: first a block holding the header alone, then the rows.

    Constant memory: about one block. When it ends, exactly the rows that the server
    counted were yielded.

    Args:
        connection: From `join_snapshot`.
        contract: What to read, and in which order.
        snapshot: Gives every row its commit time and change sequence.
        is_cancelled: Asked at every block and a few times a second; once true, the copy stops with an error.

    Raises:
        UnsupportedColumnError: A row is longer than bronze carries.
        SourceUnavailableError: The source stopped answering, the table changed its shape, or a cancel.
    """
    pgconn = connection.pgconn
    try:
        started = pgconn.exec_(copy_statement(contract, snapshot).encode())
        if started.status != pq.ExecStatus.COPY_OUT:
            raise psycopg.errors.error_from_result(started)
        messages = 0
        for rows in _messages(pgconn, is_cancelled):
            if not messages:
                yield Block(text=bytes(rows[0]), rows=0)
            data = rows if messages else rows[1:]
            messages += len(rows)
            if max(map(len, rows)) > MAX_ROW_BYTES:
                raise UnsupportedColumnError(f"A row of {contract.table} has more than {MAX_ROW_BYTES} bytes as text.")
            if data:
                yield Block(text=b"".join(data), rows=len(data))
        promised = _end_of_copy(pgconn)
    except psycopg.Error as error:
        raise SourceUnavailableError(f"{contract.table} could not be read: {first_line(error)}.") from error
    if messages != promised + 1:
        raise SourceUnavailableError(
            f"The source sent {messages - 1} rows of {contract.table}, then spoke of {promised}."
        )


def copy_statement(contract: TableContract, snapshot: Snapshot) -> str:
    """Return the COPY statement that prints a table in bronze's dialect."""
    committed_at = snapshot.taken_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    values = [
        sql.SQL("'I' AS {}").format(sql.Identifier(OP_FIELD)),
        sql.SQL("{} AS {}").format(committed_at, sql.Identifier(COMMITTED_AT_FIELD)),
        *(sql.SQL("{} AS {}").format(printed(column), sql.Identifier(column.name)) for column in contract.columns),
        sql.SQL("{} AS {}").format(change_seq(snapshot.lsn), sql.Identifier(CHANGE_SEQ_FIELD)),
    ]
    table = sql.Identifier(contract.table.schema, contract.table.name)
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER, NULL '')")
    return statement.format(sql.SQL(", ").join(values), table).as_string()


def printed(column: Column) -> sql.Composable:
    """Return the expression that prints a column as bronze wants it; see docs/adr/0006."""
    name = sql.Identifier(column.name)
    match family(column.type):
        case LogicalType.BOOLEAN:
            return sql.SQL("{}::text").format(name)  # true, not t
        case LogicalType.TIMESTAMPTZ:
            return sql.SQL("{}::timestamp").format(name)  # the session's zone is UTC; no +00
        case LogicalType.DOUBLE:
            return sql.SQL("{}::float8").format(name)  # a real's exact value
        case LogicalType.BINARY:
            return sql.SQL("encode({}, 'hex')").format(name)
        case LogicalType.TEXT if not column.source_type.startswith(_PRINTS_AS_ITS_TEXT):
            return sql.SQL("{}::text").format(name)  # as reconciliation casts it: char(n) unpadded
        case _:
            return name


def _messages(pgconn: pq.abc.PGconn, is_cancelled: Callable[[], bool]) -> Iterator[list[memoryview]]:
    """Yield lists of messages as they arrive; a message is one row, the first one the header.

    This loop runs once a row: psycopg's own reader would do several times the work here.
    """
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN)
    receive = pgconn.get_copy_data
    rows: list[memoryview] = []
    size_bytes = 0
    while True:
        length, row = receive(1)
        if length > 0:
            rows.append(row)
            size_bytes += length
            if size_bytes >= BLOCK_BYTES:
                yield rows
                rows, size_bytes = [], 0
        elif length < 0:
            break
        else:
            socket.poll(_LOOK_UP_SECONDS * 1000)
            if is_cancelled():
                raise SourceUnavailableError("The full load was cancelled.")
            pgconn.consume_input()
    if rows:
        yield rows


def _end_of_copy(pgconn: pq.abc.PGconn) -> int:
    """Return the row count with which the server ends a copy."""
    promised = -1
    while result := pgconn.get_result():
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
        promised = int((result.command_status or b"COPY -1").split()[1])
    return promised


def open_replication(url: str) -> psycopg.Connection:
    """Open a session that understands replication commands.

    Raises:
        SourceNotReadyError: The role may not replicate, or no sender is free.
        SourceUnavailableError: No answer.
    """
    try:
        return psycopg.connect(url, autocommit=True, replication="database", **CONNECT)
    except psycopg.OperationalError as error:
        reason = first_line(error)
        if "max_wal_senders" in reason:
            raise SourceNotReadyError(
                "All of the source's replication connections are in use. "
                "Run: ALTER SYSTEM SET max_wal_senders = 20; then restart PostgreSQL."
            ) from error
        raise SourceUnavailableError(f"The source does not accept a replication connection: {reason}.") from error


def _create_slot(
    pgconn: pq.abc.PGconn,
    control: psycopg.Connection,
    permanent_name: str | None,
    deadline: float,
    is_cancelled: Callable[[], bool],
) -> pq.abc.PGresult:
    """Create a slot, temporary unless named; its row is (name, consistent point, snapshot, plugin).

    The server first waits for every transaction that has written something, so this may
    take as long as the longest of them.

    Raises:
        SourceNotReadyError: No slot is free, or the role may not replicate.
        SourceUnavailableError: A transaction outlived the deadline, or the source stopped answering.
    """
    name = permanent_name or f"lakeside_load_{secrets.token_hex(8)} TEMPORARY"
    try:
        command = f"CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput (SNAPSHOT 'export')"
        pgconn.send_query(command.encode())
        socket = select.poll()
        socket.register(pgconn.socket, select.POLLIN)
        while pgconn.is_busy():
            if is_cancelled():
                pgconn.get_cancel().cancel()
                raise SourceUnavailableError("Waiting for the source's consistent point was cancelled.")
            if time.monotonic() > deadline:
                waited_for = _scalar(control, _OPEN_TRANSACTIONS)
                pgconn.get_cancel().cancel()
                raise SourceUnavailableError(
                    "The source came to no consistent point in time: its open transactions must end first. "
                    f"Sessions with one: {waited_for or 'unknown'}."
                )
            socket.poll(_LOOK_UP_SECONDS * 1000)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result) if result else psycopg.OperationalError("no answer")
    except psycopg.errors.ConfigurationLimitExceeded as error:
        raise SourceNotReadyError(
            "All of the source's replication slots are in use. Drop one that nobody needs "
            "(SELECT pg_drop_replication_slot('<name>');) "
            "or run: ALTER SYSTEM SET max_replication_slots = 20; then restart PostgreSQL."
        ) from error
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source gave no snapshot: {first_line(error)}.") from error
    return result


def _scalar(connection: psycopg.Connection, query: LiteralString) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
