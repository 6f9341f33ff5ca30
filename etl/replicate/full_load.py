"""A full load: one consistent copy of the selected tables, from the source to bronze.

Read `full_load` from top to bottom. Its parts: `etl.contracts.source` (what is there),
`etl.replicate.snapshot` (reading), `etl.replicate.landing` (writing).
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial

import psycopg

from etl.bronze.layout import fingerprints_key
from etl.bronze.manifest import FileManifest, LoadedTable, LoadManifest
from etl.contracts.source import check_source, first_line, open_source, read_contracts, read_oids
from etl.contracts.store import record_contract
from etl.contracts.table import TableContract, TableId
from etl.errors import TransientError
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.quality.fingerprint import Fingerprint
from etl.replicate.landing import (
    MAX_FILE_BYTES,
    commit_load,
    find_load,
    land_table,
    next_file_number,
    remove_uncommitted,
)
from etl.replicate.lsn import change_seq
from etl.replicate.snapshot import (
    Snapshot,
    Storage,
    copy_rows,
    export_snapshot,
    hold_tables,
    join_snapshot,
    storage_of,
)

_LOOK_UP_SECONDS = 0.2
_CANCEL_SECONDS = 2.0

SESSIONS = 4
"""How many tables are read at the same time."""


class LoadRunningError(TransientError):
    """Another full load into this lake is running."""


class LoadCancelledError(TransientError):
    """The full load was cancelled before its end."""


class TableMovedError(TransientError):
    """A table was rewritten or truncated while the snapshot was being taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLoad:
    """A committed full load and, where asked for, what the source held at that moment."""

    manifest: LoadManifest
    fingerprints: dict[TableId, Fingerprint]


def full_load(
    *,
    source_url: str,
    store: ObjectStore,
    tables: Sequence[TableId],
    request_id: str,
    fingerprint_sql: Callable[[TableContract], str] | None = None,
    on_rows: Callable[[TableId, int], None] = lambda _table, _rows: None,
    max_file_bytes: int = MAX_FILE_BYTES,
    sessions: int = SESSIONS,
    slot: str | None = None,
    resyncs_slot: str | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> FullLoad:
    """Copy the tables as of one LSN into bronze.

    Afterwards the load is visible to readers, whole; or, after an error or a crash at any
    moment, nothing is. Idempotent by ``request_id``.

    Args:
        source_url: Connection URL of a role that may replicate and read every row.
        store: Bronze.
        tables: What to copy, at least one.
        request_id: Who asks; a request whose load is there already gets that load.
        fingerprint_sql: Gives the query that fingerprints a table at the source; None for no fingerprints.
        on_rows: Told, from several threads, how many more rows of a table were written.
        max_file_bytes: Compressed size at which a table's next file begins.
        sessions: How many tables are read at the same time, at most.
        slot: Name of a slot to make, whose changes continue the load; after an error it may be there. None for no slot.
        resyncs_slot: Name of a slot that is there, whose changes go on around the load. None for no slot.
        is_cancelled: Asked several times a second; once true, the load ends soon, with an error.

    Raises:
        ValueError: No table is given.
        SourceNotReadyError: The source lacks something; the message says the SQL.
        UnsupportedColumnError: A column cannot be carried.
        SourceUnavailableError: The source did not answer, or not in time.
        LoadCancelledError: It was cancelled.
        LoadRunningError: Another load into this lake runs.
        TableMovedError: A table was rewritten or truncated at the wrong moment.
        ObjectExistsError: Someone else writes into this bronze.
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    if not tables:
        raise ValueError("a full load needs at least one table")
    with closing(open_source(source_url)) as control, _alone(control, store):
        done = find_load(store, request_id)
        if done is not None:
            return read_load(store, done)
        check_source(control, tables)
        first_numbers = {table: next_file_number(store, table) for table in tables}
        for table in tables:
            remove_uncommitted(store, table)
        before = storage_of(control, tables)
        with ExitStack() as open_sessions:
            with export_snapshot(source_url, slot=slot, is_cancelled=is_cancelled) as snapshot:
                tasks = len(tables) * (1 if fingerprint_sql is None else 2)
                joined = [
                    open_sessions.enter_context(join_snapshot(source_url, snapshot))
                    for _ in range(min(sessions, tasks))
                ]
            for session in joined:  # Each: one that comes later queues behind whoever waits for the first one's end.
                hold_tables(session, tables)
            storage = storage_of(joined[0], tables)
            _check_unmoved(before, storage)
            oids = read_oids(joined[0], tables)
            contracts = [record_contract(store, contract) for contract in read_contracts(joined[0], tables)]
            landing = _Landing(
                store=store,
                snapshot=snapshot,
                first_numbers=first_numbers,
                max_file_bytes=max_file_bytes,
                on_rows=on_rows,
                fingerprint_sql=fingerprint_sql,
            )
            contracts.sort(key=lambda contract: before[contract.table].size_bytes, reverse=True)
            landing.run(joined, contracts, is_cancelled)
        _check_alone(control)
        sources = {
            str(contract.table): LoadedTable(
                oid=oids[contract.table], version=contract.version, files=storage[contract.table].files
            )
            for contract in contracts
        }
        manifest = LoadManifest(
            load_id=landing.snapshot.lsn.hex,
            request_id=request_id,
            lsn=int(landing.snapshot.lsn),
            snapshot_at=landing.snapshot.taken_at.isoformat(),
            files=tuple(file for table in tables for file in landing.files[table]),
            tables=tuple(tables),
            slot=slot or resyncs_slot or "",
            begins_slot=resyncs_slot is None,
            sources=sources,
        )
        return _commit(landing, manifest)


class _Landing:
    """What the sessions share while they read: work to do, files done, a reason to stop."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        snapshot: Snapshot,
        first_numbers: Mapping[TableId, int],
        max_file_bytes: int,
        on_rows: Callable[[TableId, int], None],
        fingerprint_sql: Callable[[TableContract], str] | None,
    ) -> None:
        self.snapshot = snapshot
        self.files: dict[TableId, tuple[FileManifest, ...]] = {}
        self.fingerprints: dict[TableId, Fingerprint] = {}
        self.store = store
        self._first_numbers = first_numbers
        self._max_file_bytes = max_file_bytes
        self._on_rows = on_rows
        self._fingerprint_sql = fingerprint_sql
        self._tasks: deque[Callable[[psycopg.Connection], None]] = deque()
        self._errors: list[BaseException] = []
        self._stopped = threading.Event()

    def run(
        self,
        sessions: Sequence[psycopg.Connection],
        contracts: Sequence[TableContract],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Copy and fingerprint the tables, one thread a session, in the order given.

        Raises:
            LoadCancelledError: It was cancelled.
            Exception: The first that any thread met; the others stop soon after.
        """
        for contract in contracts:
            self._tasks.append(partial(self._copy, contract))
            if self._fingerprint_sql is not None:
                self._tasks.append(partial(self._fingerprint, contract.table, self._fingerprint_sql(contract)))
        threads = [threading.Thread(target=self._work, args=[session], name="full-load") for session in sessions]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(_LOOK_UP_SECONDS / len(threads))
                _check_cancelled(is_cancelled)
        except BaseException:
            self._stopped.set()
            for session in sessions:
                with suppress(psycopg.Error):
                    session.cancel_safe(timeout=_CANCEL_SECONDS)  # What runs at the source now would run to its end.
            for thread in threads:
                thread.join(_CANCEL_SECONDS)
            raise
        if self._errors:
            raise self._errors[0]

    def _work(self, session: psycopg.Connection) -> None:
        try:
            while not self._stopped.is_set():
                self._tasks.popleft()(session)
        except IndexError:
            return
        except BaseException as error:  # noqa: BLE001 - carried to the thread that started us
            self._errors.append(error)
            self._stopped.set()

    def _copy(self, contract: TableContract, session: psycopg.Connection) -> None:
        self.files[contract.table] = land_table(
            self.store,
            contract,
            copy_rows(session, contract, self.snapshot, is_cancelled=self._stopped.is_set),
            first_number=self._first_numbers[contract.table],
            sequence=change_seq(self.snapshot.lsn),
            max_file_bytes=self._max_file_bytes,
            on_rows=partial(self._on_rows, contract.table),
        )

    def _fingerprint(self, table: TableId, query: str, session: psycopg.Connection) -> None:
        try:
            row = session.execute(query.encode()).fetchone()
        except psycopg.Error as error:
            raise SourceUnavailableError(f"{table} could not be fingerprinted: {first_line(error)}.") from error
        assert row is not None
        rows, hash_hi, hash_lo = (int(value or 0) for value in row)
        self.fingerprints[table] = Fingerprint(rows=rows, hash_hi=hash_hi, hash_lo=hash_lo)


@contextmanager
def _alone(control: psycopg.Connection, store: ObjectStore) -> Iterator[None]:
    """Let one full load at a time write into a lake: the source arbitrates, and forgets a dead holder.

    Raises:
        LoadRunningError: Another one is writing.
        SourceUnavailableError: The source did not answer.
    """
    try:
        lock = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        is_ours = control.execute(lock, [store.uri("full-load")]).fetchone()
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source stopped answering: {first_line(error)}.") from error
    if is_ours != (True,):
        raise LoadRunningError
    yield


def _check_alone(control: psycopg.Connection) -> None:
    """Make sure the lock was not lost with its session.

    Raises:
        SourceUnavailableError: It was; another load may have begun.
    """
    try:
        control.execute("SELECT 1")
    except psycopg.Error as error:
        raise SourceUnavailableError(f"The source ended the load's session: {first_line(error)}.") from error


def _check_cancelled(is_cancelled: Callable[[], bool]) -> None:
    """Find out whether anybody still wants the load.

    Raises:
        LoadCancelledError: Nobody does.
    """
    if is_cancelled():
        raise LoadCancelledError


def _check_unmoved(before: Mapping[TableId, Storage], after: Mapping[TableId, Storage]) -> None:
    """Compare the tables' files around the snapshot.

    Raises:
        TableMovedError: One changed.
    """
    for table, storage in before.items():
        if after[table].files != storage.files:
            raise TableMovedError(table=table)


def _commit(landing: _Landing, manifest: LoadManifest) -> FullLoad:
    if landing.fingerprints:
        document = {str(table): asdict(fingerprint) for table, fingerprint in landing.fingerprints.items()}
        landing.store.put(fingerprints_key(manifest.load_id), json.dumps(document, indent=1, sort_keys=True).encode())
    commit_load(landing.store, manifest)
    return FullLoad(manifest=manifest, fingerprints=dict(landing.fingerprints))


def read_load(store: ObjectStore, manifest: LoadManifest) -> FullLoad:
    """Return a committed load with the fingerprints that were taken with it, if any were.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    return FullLoad(manifest=manifest, fingerprints=_read_fingerprints(store, manifest.load_id))


def _read_fingerprints(store: ObjectStore, load_id: str) -> dict[TableId, Fingerprint]:
    try:
        document = json.loads(store.get(fingerprints_key(load_id)))
    except ObjectMissingError:
        return {}
    return {TableId.parse(table): Fingerprint(**numbers) for table, numbers in document.items()}
