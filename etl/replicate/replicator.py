"""Follows the source: from the full load on, every committed change once, in bronze.

`begin` takes the load that changes continue; `replicate` lands them, over one connection
(`etl.replicate.session`) after another; `resync` takes a new load, of some tables or of all.
`etl.replicate.serve` does all of that for as long as the process runs.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg

from etl.bronze.manifest import LoadManifest
from etl.contracts.source import check_source, first_line, open_source
from etl.contracts.table import TableContract, TableId
from etl.errors import LakehouseError, TransientError
from etl.ports.object_store import ObjectStore, StoreFullError
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.changes import Position, abandon, find_position, newest_loads
from etl.replicate.full_load import FullLoad, LoadRunningError, full_load, read_load
from etl.replicate.landing import find_load
from etl.replicate.session import Hooks, NotBegunError, ReplicatorConfig, Session, Tally
from etl.replicate.slot import (
    SlotBusyError,
    SlotLostError,
    check_changes,
    check_slot,
    drop_slot,
    ensure_publication,
    unpublished,
)

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 30.0
_LOOK_UP_SECONDS = 0.1
_ALIVE_SECONDS = 1.0


def begin(
    config: ReplicatorConfig,
    store: ObjectStore,
    *,
    request_id: str | None = None,
    fingerprint_sql: Callable[[TableContract], str] | None = None,
    on_rows: Callable[[TableId, int], None] = lambda _table, _rows: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    patience_seconds: float = 0.0,
) -> FullLoad:
    """Check the source, and take the full load that changes will continue, unless that was done.

    Idempotent: what a dead attempt left is removed. Writes at the source go on meanwhile.

    Args:
        config: What is replicated.
        store: Bronze.
        request_id: Who asks; a request that has made a load already gets that one.
        fingerprint_sql: As `full_load` takes it.
        on_rows: As `full_load` takes it.
        is_cancelled: As `full_load` takes it.
        patience_seconds: How long to wait for somebody else who begins at this moment; his load is then ours.

    Returns:
        The load that the slot began with, taken now or before.

    Raises:
        SourceNotReadyError: The source lacks something; the message says the SQL.
        UnsupportedColumnError: A column cannot be carried.
        SlotLostError: There was a load, but what the slot was to keep since is gone.
        SourceBehindError: The source is not the one that bronze was read from.
        LoadRunningError: Somebody else begins at this moment, and did not end in time.
        Whatever else `full_load` raises.
    """
    with (
        closing(open_source(config.source_url)) as control,
        _alone(control, store, patience_seconds, is_cancelled),
    ):
        done = find_load(store, request_id) if request_id else None
        if done is not None:
            return read_load(store, done)
        position = find_position(store, config.slot)
        if position is not None:
            check_slot(control, config.slot, position.durable_lsn)
            return read_load(store, _first_load(store, config.slot))
        _check(control, config)
        drop_slot(control, config.slot)
        try:
            return full_load(
                source_url=config.source_url,
                store=store,
                tables=config.tables,
                request_id=request_id or _new_request(config.slot),
                fingerprint_sql=fingerprint_sql,
                on_rows=on_rows,
                slot=config.slot,
                is_cancelled=is_cancelled,
            )
        except BaseException:  # Without the load there is no slot either.
            with closing(open_source(config.source_url)) as another:
                drop_slot(another, config.slot)
            raise


def resync(
    config: ReplicatorConfig,
    store: ObjectStore,
    tables: Sequence[TableId] = (),
    *,
    request_id: str | None = None,
    fingerprint_sql: Callable[[TableContract], str] | None = None,
    on_rows: Callable[[TableId, int], None] = lambda _table, _rows: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> FullLoad:
    """Take a new full load of some tables, or of all; where the slot is lost, of all, with a new slot.

    While the slot is well, its changes go on around the load: of the tables loaded, those
    that ended at the load's LSN or earlier are in it already.

    Args:
        config: What is replicated.
        store: Bronze.
        tables: Those to load; all if empty.
        request_id: As `begin` takes it.
        fingerprint_sql: As `full_load` takes it.
        on_rows: As `full_load` takes it.
        is_cancelled: As `full_load` takes it.

    Raises:
        SlotLostError: Only some tables were named, but the slot is lost, and with it changes of all tables.
        NotBegunError: Only some tables were named, but nothing has begun.
        SlotBusyError: The slot is lost, and a replicator still reads it.
        SourceNotReadyError: A table's changes are not sent; the message says the SQL.
        Whatever else `begin` raises.
    """
    wanted = tuple(tables) or config.tables
    with closing(open_source(config.source_url)) as control:
        check_source(control, wanted)
        check_changes(control, wanted)
        refused = unpublished(control, config.tables, config.publication)
        for table in wanted:
            if table in refused:
                raise refused[table]
        position = find_position(store, config.slot)
        lost = _loss(control, config.slot, position)
        if lost is not None:
            if tables:
                raise lost
            drop_slot(control, config.slot)  # Fails if somebody reads it; what he reads must not be abandoned.
    if lost is not None:
        if position is not None:
            abandon(store, config.slot, position)
        return begin(
            config,
            store,
            request_id=request_id,
            fingerprint_sql=fingerprint_sql,
            on_rows=on_rows,
            is_cancelled=is_cancelled,
        )
    return full_load(
        source_url=config.source_url,
        store=store,
        tables=wanted,
        request_id=request_id or _new_request(config.slot),
        fingerprint_sql=fingerprint_sql,
        on_rows=on_rows,
        resyncs_slot=config.slot,
        is_cancelled=is_cancelled,
    )


def unloaded(store: ObjectStore, tables: Sequence[TableId]) -> tuple[TableId, ...]:
    """Return the tables that no full load holds.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    left = list(tables)
    for load in newest_loads(store):
        left = [table for table in left if table not in load.tables]
        if not left:
            break
    return tuple(left)


def replicate(
    config: ReplicatorConfig, store: ObjectStore, *, stop: threading.Event, hooks: Hooks | None = None
) -> None:
    """Land changes until told to stop; then land what was received whole, and return.

    A source that does not answer and a full disk are waited for, in growing pauses. A table
    that cannot be carried is left out, and says so (`etl.bronze.manifest.Gap`).

    Args:
        config: What is replicated.
        store: Bronze, where `begin` has landed the load.
        stop: Set from elsewhere.
        hooks: Whom to tell.

    Raises:
        NotBegunError: There is no full load to continue.
        SlotLostError: What the slot was to keep is gone.
        SlotBusyError: Another replicator reads the slot and goes on doing so.
        UnknownMessageError: The source speaks otherwise than known.
        ObjectExistsError: Someone else writes into this bronze.
    """
    hooks = hooks or Hooks()
    tally = Tally()
    pauses = 0
    busy_since: float | None = None
    has_streamed = False
    while True:
        session = Session(config, store, stop, hooks, tally)
        try:
            session.run()
        except SlotBusyError as error:
            busy_since = busy_since or time.monotonic()
            if not has_streamed and time.monotonic() - busy_since > config.busy_seconds:
                raise
            trouble: LakehouseError = error
        except (TransientError, StoreFullError) as error:
            trouble = error
        else:
            return
        has_streamed = has_streamed or session.has_streamed
        pauses = 0 if session.has_landed else pauses + 1
        pause_seconds = pause_after(pauses)
        hooks.on_trouble(trouble, pause_seconds)
        if pause(stop, pause_seconds, hooks.on_alive):
            return


def pause(stop: threading.Event, seconds: float, on_alive: Callable[[], None]) -> bool:
    """Wait; return whether told to stop meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if stop.wait(min(left, _ALIVE_SECONDS)):
            return True
        on_alive()
    return stop.is_set()


def pause_after(failures: int) -> float:
    """Return how long to wait, in seconds, after so many failures in a row."""
    return float(min(_FIRST_PAUSE_SECONDS * 2**failures, _LONGEST_PAUSE_SECONDS))


def _check(control: psycopg.Connection, config: ReplicatorConfig) -> None:
    check_source(control, config.tables)
    check_changes(control, config.tables)
    ensure_publication(control, config.tables, config.publication)


def _loss(control: psycopg.Connection, slot: str, position: Position | None) -> NotBegunError | SlotLostError | None:
    """Return why nothing can go on from the position; None if it can."""
    if position is None:
        return NotBegunError()
    try:
        check_slot(control, slot, position.durable_lsn)
    except SlotLostError as error:
        return error
    return None


def _first_load(store: ObjectStore, slot: str) -> LoadManifest:
    """Return the load that a slot began with last."""
    return next(load for load in newest_loads(store) if load.slot == slot and load.begins_slot)


def _new_request(slot: str) -> str:
    return f"{slot}-{secrets.token_hex(8)}"


@contextmanager
def _alone(
    control: psycopg.Connection, store: ObjectStore, patience_seconds: float, is_cancelled: Callable[[], bool]
) -> Iterator[None]:
    """Let one at a time begin or abandon a slot of a lake: the source arbitrates, and forgets a dead holder.

    Raises:
        LoadRunningError: Another one does, and goes on doing so.
        SourceUnavailableError: The source did not answer.
    """
    deadline = time.monotonic() + patience_seconds
    lock = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
    try:
        while control.execute(lock, [store.uri("begin")]).fetchone() != (True,):
            if time.monotonic() >= deadline or is_cancelled():
                raise LoadRunningError
            time.sleep(_LOOK_UP_SECONDS)
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    yield
