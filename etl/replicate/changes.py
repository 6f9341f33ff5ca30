"""Lands changes in bronze: some whole transactions at a time, all of their files or none.

The manifest of a flush is put last and is its commit point. What a dead replicator left
without one is removed before the next one writes: names of a table's files only grow, so
the left ones are the newest, and the first change in a file tells whether it is beyond
what is committed.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from etl.bronze.layout import (
    CHANGE_SEQ_FIELD,
    CHANGES_PREFIX,
    LOADS_PREFIX,
    abandoned_prefix,
    change_key,
    change_manifest_key,
    change_milliseconds,
    table_prefix,
)
from etl.bronze.manifest import ChangeManifest, FileManifest, Gap, LoadManifest
from etl.bronze.reader import MAX_ROW_BYTES
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectStore
from etl.replicate.change_rows import MICROSECONDS_TO_2000, first_and_last, header, print_changes
from etl.replicate.failpoint import Failpoint, Moment, ignore
from etl.replicate.landing import MAX_FILE_BYTES, MAX_TEXT_BYTES, GzipFile
from etl.replicate.lsn import ChangeSeq, Lsn, lsn_of
from etl.replicate.pgoutput import Changes
from etl.replicate.shape import Shape
from etl.replicate.snapshot import Block

_THREADS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far bronze is."""

    durable_lsn: Lsn
    """Every change of transactions that ended up to here is in bronze."""
    day: date
    """Folder of the newest manifest."""
    gaps: tuple[Gap, ...] = ()
    """What is missing nevertheless."""
    committed_to: str | None = None
    """Commit time of the newest change in bronze, or of the load if none came since; ISO 8601 with zone."""


def find_position(store: ObjectStore, slot: str) -> Position | None:
    """Return how far the changes of a slot are in bronze; None if it has not even begun with a load.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    newest = _newest_manifest(store)
    abandoned_lsn = max(
        (int(info.key.rpartition("/")[2], 16) for info in store.list(abandoned_prefix(slot))), default=-1
    )
    found = None
    if newest is not None and newest[1].slot == slot and newest[1].last_lsn > abandoned_lsn:
        gaps = unmended(store, newest[1].gaps)
        found = Position(
            durable_lsn=Lsn(newest[1].last_lsn), day=newest[0], gaps=gaps, committed_to=newest[1].committed_to
        )
    for load in newest_loads(store):
        if load.lsn <= max(abandoned_lsn, found.durable_lsn if found is not None else 0):
            break
        if load.slot == slot and load.begins_slot:
            day = datetime.fromisoformat(load.snapshot_at).astimezone(UTC).date()
            return Position(
                durable_lsn=Lsn(load.lsn),
                day=max(day, newest[0]) if newest else day,
                committed_to=load.snapshot_at,
            )
    return found


def abandon(store: ObjectStore, slot: str, position: Position) -> None:
    """Have nothing continue a slot's changes: from now on it has no position, until a load begins it anew.

    Raises:
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    store.put(f"{abandoned_prefix(slot)}{position.durable_lsn.hex}", b"")


def newest_loads(store: ObjectStore) -> Iterator[LoadManifest]:
    """Yield the committed full loads, the newest first.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    for key in reversed([info.key for info in store.list(LOADS_PREFIX)]):
        yield LoadManifest.from_json(store.get(key))


def unmended(store: ObjectStore, gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Return the gaps that no load of their table has mended.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    left = {gap.table: gap for gap in gaps}
    if not left:
        return ()
    for load in newest_loads(store):
        if load.lsn < min((gap.last_lsn for gap in left.values()), default=load.lsn + 1):
            break
        for table in load.tables:
            if table in left and left[table].last_lsn <= load.lsn:
                del left[table]
    return tuple(left[table] for table in sorted(left))


class Landing:
    """Writes flushes of one slot, one after another."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        slot: str,
        position: Position,
        tables: Sequence[TableId],
        failpoint: Failpoint = ignore,
    ) -> None:
        """Remove what a dead replicator left. Call only while holding the slot.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        self._store = store
        self._slot = slot
        self._failpoint = failpoint
        self._names = {table: _remove_uncommitted(store, table, position.durable_lsn) for table in tables}
        self.position = position
        """What is committed; `Flush.commit` moves it."""

    def forget_mended(self) -> None:
        """Leave out of the manifests to come the gaps that a load has mended meanwhile.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        if self.position.gaps:
            self.position = replace(self.position, gaps=unmended(self._store, self.position.gaps))

    def flush(self) -> Flush:
        """Begin a flush; nothing is written before its first change."""
        return Flush(self)

    def open_file(self, shape: Shape, changes: Changes) -> _File:
        """Begin a file, named by the first change's commit time, or by a later one if that was used."""
        table = shape.contract.table
        committed = (int(changes.committed_us[0]) + MICROSECONDS_TO_2000) // 1000
        name = self._names[table] = max(committed, self._names.get(table, 0) + 1)
        return _File(self._store, change_key(table, name), shape.contract, first_and_last(changes)[0])

    def close_files(self, files: Sequence[_File]) -> tuple[FileManifest, ...]:
        """Make files durable, side by side, and return their manifests."""

        def close(file: _File) -> FileManifest:
            manifest = file.close()
            self._failpoint(Moment.FILE_DURABLE)
            return manifest

        with ThreadPoolExecutor(min(_THREADS, len(files)), thread_name_prefix="changes") as pool:
            return tuple(pool.map(close, files))

    def passed(self, moment: Moment) -> None:
        """Tell a test where we are."""
        self._failpoint(moment)

    def commit(self, manifest: ChangeManifest) -> None:
        """Make a flush visible, and move the position."""
        committed_to = datetime.fromisoformat(manifest.committed_to).date()
        day = max(committed_to, self.position.day)  # So that keys sort by LSN, whatever the source's clock does.
        self._store.put(change_manifest_key(day, Lsn(manifest.last_lsn).hex), manifest.to_json().encode())
        self.position = Position(durable_lsn=Lsn(manifest.last_lsn), day=day, gaps=manifest.gaps)

    @property
    def slot(self) -> str:
        """Where the changes come from."""
        return self._slot


@dataclass(slots=True)
class Flush:
    """Some whole transactions on their way into bronze. Use as a context manager: leaving it abandons the rest."""

    _landing: Landing
    changes: int = 0
    text_bytes: int = 0
    transactions: int = 0
    _first_lsn: int = 0
    _last_lsn: int = 0
    _earliest_us: int = 0
    _latest_us: int = 0
    _open: dict[TableId, _File] = field(default_factory=dict)
    _full: list[_File] = field(default_factory=list)
    _gaps: dict[TableId, Gap] = field(default_factory=dict)
    _resources: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._resources.close()

    def write(self, shape: Shape, changes: Changes) -> None:
        """Add changes of a table; they follow the table's earlier ones.

        Raises:
            RowTooLongError: A row is longer than bronze carries; none of these changes was added.
            ObjectExistsError: Someone else writes into this bronze.
            StoreFullError: No room.
            StoreUnavailableError: The store did not answer.
        """
        table = shape.contract.table
        text = print_changes(shape, changes)
        file = self._open.get(table)
        if file is not None and (file.is_full or file.contract != shape.contract):
            self._full.append(self._open.pop(table))
            file = None
        if file is None:
            file = self._open[table] = self._landing.open_file(shape, changes)
            self._resources.callback(file.abandon)
        file.write(Block(text=text, rows=len(changes)), last=first_and_last(changes)[1])
        self.changes += len(changes)
        self.text_bytes += len(text)
        self._landing.passed(Moment.MID_FILE)

    def miss(self, gap: Gap) -> None:
        """Note that changes of a table are left out."""
        before = self._gaps.get(gap.table)
        self._gaps[gap.table] = gap if before is None else replace(before, last_lsn=gap.last_lsn)

    def note_transactions(self, end_lsns: NDArray[np.uint64], committed_us: NDArray[np.int64]) -> None:
        """Tell which transactions the changes belong to, in order."""
        if not len(end_lsns):
            return
        earliest, latest = int(committed_us.min()), int(committed_us.max())
        if not self.transactions:
            self._first_lsn, self._earliest_us, self._latest_us = int(end_lsns[0]), earliest, latest
        self.transactions += len(end_lsns)
        self._last_lsn = int(end_lsns[-1])
        self._earliest_us, self._latest_us = min(self._earliest_us, earliest), max(self._latest_us, latest)

    def commit(self) -> ChangeManifest | None:
        """Make the flush visible and durable; None if it has no changes and misses none.

        Raises:
            ObjectExistsError: Someone else writes into this bronze.
            StoreFullError: No room.
            StoreUnavailableError: The store did not answer.
        """
        files = [*self._full, *self._open.values()]
        if not files and not self._gaps:
            return None
        manifests = self._landing.close_files(files) if files else ()
        self._landing.passed(Moment.FILES_DURABLE)
        manifest = ChangeManifest(
            slot=self._landing.slot,
            previous_lsn=int(self._landing.position.durable_lsn),
            first_lsn=self._first_lsn,
            last_lsn=self._last_lsn,
            committed_from=_moment(self._earliest_us),
            committed_to=_moment(self._latest_us),
            transactions=self.transactions,
            files=tuple(sorted(manifests, key=lambda file: (file.table, file.first_change_seq))),
            gaps=_joined(self._landing.position.gaps, self._gaps.values()),
        )
        self._landing.commit(manifest)
        self._landing.passed(Moment.COMMITTED)
        return manifest


class _File:
    """One file being written."""

    def __init__(self, store: ObjectStore, key: str, contract: TableContract, first: ChangeSeq) -> None:
        self.contract = contract
        self._key = key
        self._first = self._last = first
        self._writer: AbstractContextManager[BinaryIO] = store.writer(key)
        self._gzip = GzipFile(self._writer.__enter__())
        self._is_open = True
        self._gzip.write(Block(text=header(contract), rows=0))

    @property
    def is_full(self) -> bool:
        return self._gzip.size_bytes >= MAX_FILE_BYTES or self._gzip.text_bytes >= MAX_TEXT_BYTES

    def write(self, block: Block, *, last: ChangeSeq) -> None:
        self._gzip.write(block)
        self._last = last

    def close(self) -> FileManifest:
        """Make the file durable under its name."""
        self._gzip.finish()
        self._is_open = False
        self._writer.__exit__(None, None, None)
        return FileManifest(
            key=self._key,
            table=self.contract.table,
            rows=self._gzip.rows,
            size_bytes=self._gzip.size_bytes,
            sha256=self._gzip.sha256,
            first_change_seq=self._first,
            last_change_seq=self._last,
            contract_version=self.contract.version,
            contract_fingerprint=self.contract.fingerprint,
        )

    def abandon(self) -> None:
        """Have the file never appear, unless it has."""
        if self._is_open:
            self._is_open = False
            error = _AbandonedError()
            with suppress(_AbandonedError):
                self._writer.__exit__(_AbandonedError, error, None)


class _AbandonedError(Exception):
    """Tells a store's writer not to make its object appear."""


def _joined(before: Iterable[Gap], new: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return one gap a table, which reaches from the first that is missing to the last."""
    gaps = {gap.table: gap for gap in before}
    for gap in new:
        known = gaps.get(gap.table)
        gaps[gap.table] = gap if known is None else replace(gap, first_lsn=known.first_lsn)
    return tuple(gaps[table] for table in sorted(gaps))


def _moment(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds + MICROSECONDS_TO_2000)).isoformat()


def _newest_manifest(store: ObjectStore) -> tuple[date, ChangeManifest] | None:
    """Return the newest flush and the day it is filed under."""
    folder = _newest_day(store, CHANGES_PREFIX)
    if folder is None:
        return None
    key = [info.key for info in store.list(folder)][-1]
    day = date.fromisoformat("-".join(folder.split("/")[-4:-1]))
    return day, ChangeManifest.from_json(store.get(key))


def _newest_day(store: ObjectStore, prefix: str) -> str | None:
    """Return the greatest folder ``<prefix>YYYY/MM/DD/`` that holds something, asking digit by digit."""
    for digits in (4, 2, 2):
        for _ in range(digits):
            longer = (f"{prefix}{digit}" for digit in "9876543210")
            found = next((each for each in longer if next(store.list(each), None) is not None), None)
            if found is None:
                return None
            prefix = found
        prefix += "/"
    return prefix


def _remove_uncommitted(store: ObjectStore, table: TableId, durable_lsn: Lsn) -> int:
    """Remove the table's files of changes that no flush committed; return the time that names the newest other one."""
    while (folder := _newest_day(store, table_prefix(table))) is not None:
        for key in reversed([info.key for info in store.list(folder)]):
            milliseconds = change_milliseconds(key)
            if milliseconds is None:
                return 0  # Not ours to judge.
            if _first_lsn(store, key) <= durable_lsn:
                return milliseconds
            store.delete(key)
    return 0


def _first_lsn(store: ObjectStore, key: str) -> Lsn:
    """Return the LSN of a file's first change."""
    csv.field_size_limit(MAX_ROW_BYTES)
    with store.reader(key) as raw, gzip.open(raw, "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        names = next(rows)
        return lsn_of(next(rows)[names.index(CHANGE_SEQ_FIELD)])
