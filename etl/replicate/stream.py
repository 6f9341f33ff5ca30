"""Reads a slot over the streaming replication protocol.

The driver knows no replication, so this speaks through its connection to libpq. Nothing is
confirmed to the source except by `Stream.confirm`.

Source: PostgreSQL documentation, "Streaming Replication Protocol".
"""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import psycopg
from psycopg import pq, sql

from etl.contracts.source import SESSION, first_line, quoted
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.lsn import Lsn
from etl.replicate.pgoutput import Frames
from etl.replicate.slot import SlotBusyError, SlotLostError
from etl.replicate.snapshot import open_replication

BATCH_BYTES = 8 * 1024 * 1024
"""Messages are handed on at this size at the latest."""

_DATA, _KEEPALIVE = b"wk"
_STATUS = struct.Struct(">cQQQqB")
_STATUS_SECONDS = 1.0
_LOOK_UP_SECONDS = 0.1
_GOODBYE_SECONDS = 2.0
_SECONDS_TO_2000 = 946_684_800


class Stream:
    """A running stream of one slot's changes."""

    def __init__(self, pgconn: pq.abc.PGconn, confirmed_lsn: Lsn) -> None:
        """Take a connection that has begun to stream."""
        self._pgconn = pgconn
        self._poll = select.poll()
        self._poll.register(pgconn.socket, select.POLLIN)
        self._confirmed_lsn = confirmed_lsn
        self._told_at = 0.0
        self.server_lsn = confirmed_lsn
        """Everything that was committed before this, and is to be sent, was received."""

    def receive(self, *, until: float, max_bytes: int = BATCH_BYTES, is_stopped: Callable[[], bool]) -> Frames:
        """Return the messages that arrive, none perhaps.

        Args:
            until: When to return at the latest, by the monotonic clock.
            max_bytes: Size at which to return at once.
            is_stopped: Asked several times a second; once true, returns.

        Raises:
            SourceUnavailableError: The source ended the stream, or does not answer.
        """
        receive = self._pgconn.get_copy_data
        messages: list[memoryview] = []
        size_bytes = 0
        try:
            while size_bytes < max_bytes:
                length, message = receive(1)
                if length > 0:
                    if message[0] == _DATA:
                        messages.append(message)
                        size_bytes += length
                    else:
                        self._read_keepalive(message)
                    continue
                if length < 0:
                    self._raise_end()
                left = until - time.monotonic()
                self.keep_alive()
                if left <= 0 or is_stopped():
                    break
                self._poll.poll(min(left, _LOOK_UP_SECONDS) * 1000)
                self._pgconn.consume_input()
        except psycopg.Error as error:
            raise SourceUnavailableError(f"The source's stream of changes broke: {first_line(error)}.") from error
        self.keep_alive()
        return Frames.of(messages)

    @property
    def confirmed_lsn(self) -> Lsn:
        """What the source was told that it need not keep: everything before is safe."""
        return self._confirmed_lsn

    def confirm(self, lsn: Lsn) -> None:
        """Tell the source that it need not keep what is before ``lsn``; never goes back.

        Raises:
            SourceUnavailableError: The source is gone.
        """
        if lsn > self._confirmed_lsn:
            self._confirmed_lsn = lsn
            self._tell()

    def keep_alive(self) -> None:
        """Show the source, about once a second, that we are here. Call it during long work.

        Raises:
            SourceUnavailableError: The source is gone.
        """
        if time.monotonic() - self._told_at >= _STATUS_SECONDS:
            self._tell()

    def end(self) -> None:
        """Have the source take in what was confirmed, and free the slot; does not wait for long."""
        deadline = time.monotonic() + _GOODBYE_SECONDS
        with suppress(psycopg.Error, SourceUnavailableError):
            self._tell()
            self._pgconn.put_copy_end()
            self._pgconn.flush()
            while time.monotonic() < deadline and self._pgconn.get_copy_data(1)[0] >= 0:
                self._poll.poll(_LOOK_UP_SECONDS * 1000)
                self._pgconn.consume_input()

    def _read_keepalive(self, message: memoryview) -> None:
        if message[0] != _KEEPALIVE:
            raise SourceUnavailableError(f"The source sent a frame of unknown kind {chr(message[0])}.")
        lsn, _, wants_reply = struct.unpack_from(">QqB", message, 1)
        self.server_lsn = max(self.server_lsn, Lsn(lsn))
        if wants_reply:
            self._tell()

    def _tell(self) -> None:
        lsn = int(self._confirmed_lsn)
        now_us = int((time.time() - _SECONDS_TO_2000) * 1_000_000)
        try:
            self._pgconn.put_copy_data(_STATUS.pack(b"r", lsn, lsn, lsn, now_us, 0))
            self._pgconn.flush()
        except psycopg.Error as error:
            raise SourceUnavailableError(f"The source's stream of changes broke: {first_line(error)}.") from error
        self._told_at = time.monotonic()

    def _raise_end(self) -> None:
        result = self._pgconn.get_result()
        reason = "the source ended it"
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            reason = first_line(psycopg.errors.error_from_result(result))
        raise SourceUnavailableError(f"The source's stream of changes ended: {reason}.")


@contextmanager
def open_stream(url: str, *, slot: str, publication: str, start: Lsn) -> Iterator[Stream]:
    """Read a slot for as long as the block runs; nobody else can meanwhile.

    Args:
        url: Connection URL of a role that may replicate.
        slot: An existing slot.
        publication: Which tables' changes to send; older than the slot.
        start: Transactions that ended here or earlier are not asked for, though some may come.

    Raises:
        SlotBusyError: Somebody else reads the slot.
        SlotLostError: The slot is gone, or what it was to keep is.
        SourceNotReadyError: No sender is free, or the role may not replicate.
        SourceUnavailableError: The source did not answer.
    """
    with closing(open_replication(url)) as connection:
        pgconn = connection.pgconn
        command = sql.SQL("START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {})").format(
            sql.Identifier(slot), sql.SQL(str(start)), sql.Literal(quoted(publication))
        )
        try:
            prepared = pgconn.exec_(SESSION.encode())
            if prepared.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(prepared)
            started = pgconn.exec_(command.as_bytes(connection))
            if started.status != pq.ExecStatus.COPY_BOTH:
                raise psycopg.errors.error_from_result(started)
            pgconn.nonblocking = 1
        except psycopg.errors.ObjectInUse as error:
            raise SlotBusyError(f"Another replicator reads slot {slot}: {first_line(error)}.") from error
        except (psycopg.errors.UndefinedObject, psycopg.errors.ObjectNotInPrerequisiteState) as error:
            raise SlotLostError(f"Slot {slot} cannot be read: {first_line(error)}. {SlotLostError.guidance}") from error
        except psycopg.Error as error:
            raise SourceUnavailableError(f"The source sends no changes: {first_line(error)}.") from error
        stream = Stream(pgconn, start)
        yield stream
        stream.end()
