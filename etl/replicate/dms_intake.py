"""Takes what DMS landed into bronze: copied byte for byte, checked, and given the manifests that DMS does not write.

DMS rewrites its files at every reload, and says nowhere which files make up a load. What
it writes is therefore a *landing zone*: nobody but this module reads it. Bronze gets
copies under names of its own, which never change again. A load is taken in only if it is
whole, by every measure there is: file numbers without a gap, a header that is the
contract's, one commit time per table, and exactly the rows that DMS says it has loaded.

DMS has no LSN to offer. The place of its files in the order of changes is the time at which
they begin, in hundredths of a second, which is how DMS's own change sequences begin.

Source: AWS DMS user guide, "Using Amazon S3 as a target" and ``AR_H_CHANGE_SEQ``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, ClassVar, cast

from isal import isal_zlib

from etl.bronze.layout import (
    CHANGES_PREFIX,
    LOADS_PREFIX,
    change_manifest_key,
    fields,
    file_manifest_key,
    load_key,
    table_prefix,
)
from etl.bronze.manifest import ChangeManifest, FileManifest, LoadManifest
from etl.bronze.reader import MAX_ROW_BYTES, BronzeDamagedError
from etl.contracts.table import TableContract, TableId
from etl.errors import OperatorError
from etl.ports.object_store import ObjectExistsError, ObjectStore
from etl.replicate.dms_settings import CHANGE_SEQ_DIGITS, NULL_MARKER
from etl.replicate.landing import commit_load, find_load, next_file_number
from etl.replicate.lsn import Lsn

_POSITION_DIGITS = 16
_LOAD_FILE = re.compile(r"LOAD([0-9A-F]{8})\.csv\.gz")
_CHANGE_FILE = re.compile(r"(?:\d{4}/\d{2}/\d{2}/)?(\d{8})-(\d{9,10})\.csv\.gz")
_CONTROL_TABLES = "awsdms_"
_CHUNK_BYTES = 1024 * 1024
_STEP_BYTES = 4 * 1024 * 1024
_GZIP_WINDOW_BITS = 31
_INFLATE_ERROR = cast("type[Exception]", isal_zlib.error)  # Its stub calls the class an instance.
_OPERATIONS = frozenset({"I", "U", "D"})
_SHOWN_KEYS = 3


class AlienFileError(OperatorError):
    """The landing zone holds files that are not DMS's, or of tables nobody selected."""

    guidance: ClassVar[str] = (
        "Find out who writes there and move the files away; nothing was taken in. "
        "Two tasks must not share a landing zone."
    )


class LandingGapError(OperatorError):
    """A file of a load is missing in the landing zone, or too many rows or too few are there."""

    guidance: ClassVar[str] = (
        "Something removed or changed files after DMS wrote them: check the bucket's lifecycle rules, "
        "then retry the run."
    )


class LandedShapeError(OperatorError):
    """A landed file has not the columns of any version of its table's contract."""

    guidance: ClassVar[str] = (
        "Set the endpoint and the mappings as infra/terraform does; if the source's table changed, start a new run."
    )


class LateChangesError(OperatorError):
    """Changes were landed that are older than changes already taken in."""

    guidance: ClassVar[str] = "Reload the table: its changes can no longer be put in order."


@dataclass(frozen=True, slots=True, kw_only=True)
class DmsLoad:
    """A full load that DMS reports as complete."""

    request_id: str
    started_at: datetime
    """When DMS began it: its rows hold all that was committed before."""
    rows: Mapping[TableId, int]
    """What DMS counted, for every table of the load."""
    slot: str = ""
    """Names the task, if its changes continue the load (`take_changes`)."""


def position_of(moment: datetime) -> int:
    """Return a moment's place in DMS's order: ``YYYYMMDDHHmmSShh`` in UTC, as a number."""
    utc = moment.astimezone(UTC)
    return int(f"{utc:%Y%m%d%H%M%S}{utc.microsecond // 10_000:02d}")


def take_load(
    landing: ObjectStore,
    bronze: ObjectStore,
    load: DmsLoad,
    contracts: Mapping[TableId, TableContract],
    *,
    on_rows: Callable[[TableId, int], None] = lambda _table, _rows: None,
) -> LoadManifest:
    """Copy one full load into bronze and commit it.

    Afterwards the load is visible to readers, whole; or, after an error or a crash at any
    moment, nothing is. Idempotent by the request.

    Args:
        landing: Where DMS writes.
        bronze: Where readers read.
        load: What DMS reports.
        contracts: The recorded contract of every table of the load.
        on_rows: Told how many more rows of a table were taken in.

    Raises:
        AlienFileError: The landing zone holds something else.
        LandingGapError: A file is missing, or the rows are not as many as DMS counted.
        LandedShapeError: A file has not the contract's columns.
        BronzeDamagedError: A file is not one whole gzip stream.
        ObjectExistsError: Someone else takes in at the same moment.
        StoreFullError: No room.
        StoreUnavailableError: A store did not answer.
    """
    done = find_load(bronze, load.request_id)
    if done is not None:
        return done
    landed = landed_files(landing, list(load.rows))
    position = position_of(load.started_at)
    files: list[FileManifest] = []
    for table, rows in load.rows.items():
        taken = _take_table(landing, bronze, contracts[table], landed[table].loads, position=position, expected=rows)
        on_rows(table, rows)
        files += taken
    manifest = LoadManifest(
        load_id=Lsn(position).hex,
        request_id=load.request_id,
        lsn=position,
        snapshot_at=load.started_at.astimezone(UTC).isoformat(),
        files=tuple(files),
        tables=tuple(load.rows),
        slot=load.slot,
    )
    commit_load(bronze, manifest)
    return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One table's files in the landing zone."""

    loads: tuple[tuple[int, str], ...]
    """Number and key, in number order."""
    changes: tuple[str, ...]
    """Keys, in the order of their times."""


def landed_files(landing: ObjectStore, tables: Sequence[TableId]) -> Mapping[TableId, Landed]:
    """Return what DMS has landed, by table; DMS's own control tables are passed over.

    Raises:
        AlienFileError: Something there is no file of DMS's, or of no such table.
        StoreUnavailableError: The landing zone did not answer.
    """
    folders = {f"{table.schema}/{table.name}": table for table in tables}
    loads: dict[TableId, list[tuple[int, str]]] = {table: [] for table in tables}
    changes: dict[TableId, list[str]] = {table: [] for table in tables}
    aliens = []
    for info in landing.list(""):
        table, rest = _split(info.key, folders)
        if table is None:
            if not _is_control(info.key):
                aliens.append(info.key)
        elif number := _LOAD_FILE.fullmatch(rest):
            loads[table].append((int(number[1], 16), info.key))
        elif _CHANGE_FILE.fullmatch(rest):
            changes[table].append(info.key)
        else:
            aliens.append(info.key)
    if aliens:
        more = f" and {len(aliens) - _SHOWN_KEYS} more" if len(aliens) > _SHOWN_KEYS else ""
        raise AlienFileError(f"Not DMS's, or of no selected table: {', '.join(aliens[:_SHOWN_KEYS])}{more}.")
    return {
        table: Landed(loads=tuple(sorted(loads[table])), changes=tuple(sorted(changes[table], key=_time_in_name)))
        for table in tables
    }


def take_changes(
    landing: ObjectStore,
    bronze: ObjectStore,
    contracts: Mapping[TableId, Sequence[TableContract]],
    *,
    slot: str,
    settled_before: datetime,
) -> ChangeManifest | None:
    """Copy the changes that have been landed since the last time into bronze, and commit them as one flush.

    DMS writes each table's files on their own, so a transaction over several tables may be
    taken in by parts; every table by itself is always in order.

    Args:
        landing: Where DMS writes.
        bronze: Where readers read.
        contracts: The recorded versions of every table's contract, newest first.
        slot: Names the task: its flushes follow one another.
        settled_before: Files that begin later are left for the next time; at least twice the
            task's batch interval before now, so that no earlier file can still appear.

    Returns:
        The flush; None if there was nothing to take.

    Raises:
        AlienFileError: The landing zone holds something else.
        LandedShapeError: A file has the columns of no version.
        LateChangesError: A file begins before changes that were taken in already.
        BronzeDamagedError: A file is not one whole gzip stream of CSV.
        ObjectExistsError: Someone else takes in at the same moment.
        StoreFullError: No room.
        StoreUnavailableError: A store did not answer.
    """
    landed = landed_files(landing, list(contracts))
    limit = f"{settled_before.astimezone(UTC):%Y%m%d%H%M%S}000"
    last = _last_taken(bronze, slot)
    files: list[FileManifest] = []
    commits: list[str] = []
    for table, found in landed.items():
        before = last.files.get(table)
        after = _time_in_name(before.key) if before else f"{last.position}0"
        sequence = before.last_change_seq if before else ""
        for key in found.changes:
            if not after < _time_in_name(key) < limit:
                continue
            taken = _take_changes_of(landing, bronze, key, contracts[table])
            if taken.manifest.first_change_seq <= sequence:
                raise LateChangesError(f"{key} begins before changes of {table} that were taken in already.")
            sequence = taken.manifest.last_change_seq
            files.append(taken.manifest)
            commits += [taken.committed_from, taken.committed_to]
    if not files:
        return None
    positions = [int(file.first_change_seq[:_POSITION_DIGITS]) for file in files]
    last_position = max(int(file.last_change_seq[:_POSITION_DIGITS]) for file in files)
    flush = ChangeManifest(
        slot=slot,
        previous_lsn=last.position,
        first_lsn=min(positions),
        last_lsn=max(last_position, last.position + 1),
        committed_from=_utc(min(commits)),
        committed_to=_utc(max(commits)),
        transactions=0,  # DMS does not tell where one ends.
        files=tuple(files),
    )
    key = change_manifest_key(datetime.fromisoformat(flush.committed_to).date(), Lsn(flush.last_lsn).hex)
    bronze.put(key, flush.to_json().encode())
    return flush


# --- one table of a load


def _take_table(
    landing: ObjectStore,
    bronze: ObjectStore,
    contract: TableContract,
    loads: Sequence[tuple[int, str]],
    *,
    position: int,
    expected: int,
) -> list[FileManifest]:
    """Copy one table's files, as many as its rows need; files of an earlier, longer load may follow them."""
    sequence = f"{position}".ljust(CHANGE_SEQ_DIGITS, "0")
    number = next_file_number(bronze, contract.table)
    files: list[FileManifest] = []
    rows, moment = 0, ""
    for place, (found, key) in enumerate(loads, start=1):
        if rows == expected and files:
            break
        if found != place:
            raise LandingGapError(f"{contract.table} lacks the file LOAD{place:08X}.csv.gz in the landing zone.")
        target = load_key(contract.table, number + len(files))
        copied = _copy(landing, key, bronze, target)
        if copied.header != ",".join(fields(contract)):
            raise LandedShapeError(f"{key} has other columns than version {contract.version} of the contract.")
        if moment and copied.committed_at != moment:
            raise LandingGapError(f"{key} is of another load than the files before it.")
        moment = copied.committed_at
        rows += copied.rows
        manifest = FileManifest(
            key=target,
            table=contract.table,
            rows=copied.rows,
            size_bytes=copied.size_bytes,
            sha256=copied.sha256,
            first_change_seq=sequence,
            last_change_seq=sequence,
            contract_version=contract.version,
            contract_fingerprint=contract.fingerprint,
            null_marker=NULL_MARKER,
            rows_have_change_seq=False,
        )
        bronze.put(file_manifest_key(target), manifest.to_json().encode())
        files.append(manifest)
    if rows != expected:
        raise LandingGapError(f"{contract.table} has {rows} rows in the landing zone, but DMS loaded {expected}.")
    return files


# --- one file of changes


@dataclass(frozen=True, slots=True, kw_only=True)
class _TakenChanges:
    manifest: FileManifest
    committed_from: str
    committed_to: str


def _take_changes_of(
    landing: ObjectStore, bronze: ObjectStore, key: str, versions: Sequence[TableContract]
) -> _TakenChanges:
    table = versions[0].table
    target = table_prefix(table) + key.removeprefix(f"{table.schema}/{table.name}/")
    copied = _copy(landing, key, bronze, target)
    contract = next((each for each in versions if ",".join(fields(each)) == copied.header), None)
    if contract is None:
        raise LandedShapeError(f"{key} has the columns of no version of the contract of {table}.")
    sequences, commits = _read_changes(bronze, target, width=len(fields(contract)))
    manifest = FileManifest(
        key=target,
        table=table,
        rows=copied.rows,
        size_bytes=copied.size_bytes,
        sha256=copied.sha256,
        first_change_seq=sequences[0],
        last_change_seq=sequences[1],
        contract_version=contract.version,
        contract_fingerprint=contract.fingerprint,
        null_marker=NULL_MARKER,
    )
    bronze.put(file_manifest_key(target), manifest.to_json().encode())
    return _TakenChanges(manifest=manifest, committed_from=commits[0], committed_to=commits[1])


def _read_changes(bronze: ObjectStore, key: str, *, width: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return first and last change sequence, and earliest and latest commit time, of a file of changes.

    Raises:
        BronzeDamagedError: A row is no change, or the rows are not in order.
    """
    csv.field_size_limit(MAX_ROW_BYTES)
    first = last = ""
    commits: list[str] = []
    with bronze.reader(key) as file:
        rows = csv.reader(io.StringIO("".join(_text_of(file)), newline=""), strict=True)
        next(rows)
        for row in rows:
            sequence = row[-1] if row else ""
            is_change = len(row) == width and row[0] in _OPERATIONS
            if not is_change or len(sequence) != CHANGE_SEQ_DIGITS or not sequence.isdecimal() or sequence <= last:
                raise BronzeDamagedError(f"{key} holds a row that is no change, or not in the order of changes.")
            first = first or sequence
            last = sequence
            commits.append(row[1])
    if not commits:
        raise BronzeDamagedError(f"{key} holds no change.")
    return (first, last), (min(commits), max(commits))


def _text_of(file: BinaryIO) -> Iterator[str]:
    inflater = isal_zlib.decompressobj(_GZIP_WINDOW_BITS)
    whole = b"".join(inflater.decompress(chunk) for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""))
    yield whole.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastTaken:
    position: int
    files: Mapping[TableId, FileManifest]


def _last_taken(bronze: ObjectStore, slot: str) -> _LastTaken:
    """Return up to where a task's load and changes are in bronze, and each table's last file of changes."""
    loads = (LoadManifest.from_json(bronze.get(info.key)) for info in bronze.list(LOADS_PREFIX))
    position = max((load.lsn for load in loads if load.slot == slot), default=0)
    loaded = position
    files: dict[TableId, FileManifest] = {}
    for info in bronze.list(CHANGES_PREFIX):
        flush = ChangeManifest.from_json(bronze.get(info.key))
        if flush.slot == slot and flush.last_lsn > loaded:
            position = max(position, flush.last_lsn)
            for file in flush.files:
                if file.table not in files or files[file.table].last_change_seq < file.last_change_seq:
                    files[file.table] = file
    return _LastTaken(position=position, files=files)


# --- copying


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copied:
    """What went by while a file was copied."""

    rows: int
    size_bytes: int
    sha256: str
    header: str
    committed_at: str
    """Of the first row; empty without rows."""


def _copy(landing: ObjectStore, key: str, bronze: ObjectStore, target: str) -> _Copied:
    """Copy a file, counting and checking what goes by; a copy that is there already must be the same.

    Raises:
        BronzeDamagedError: It is not one whole gzip stream.
        ObjectExistsError: The name is taken by something else.
    """
    try:
        with landing.reader(key) as source, bronze.writer(target) as sink:
            return _pass_on(source, sink, key)
    except ObjectExistsError:
        with landing.reader(key) as source, bronze.reader(target) as copy:
            landed, there = _pass_on(source, io.BytesIO(), key), _pass_on(copy, io.BytesIO(), target)
        if landed != there:
            raise
        return there


def _pass_on(source: BinaryIO, sink: BinaryIO, key: str) -> _Copied:
    digest = hashlib.sha256()
    inflater = isal_zlib.decompressobj(_GZIP_WINDOW_BITS)
    counter = _RowCounter()
    size_bytes = 0
    try:
        while chunk := source.read(_CHUNK_BYTES):
            size_bytes += len(chunk)
            digest.update(chunk)
            sink.write(chunk)
            while chunk and not inflater.eof:
                counter.add(inflater.decompress(chunk, _STEP_BYTES))
                chunk = inflater.unconsumed_tail
    except _INFLATE_ERROR as error:
        raise BronzeDamagedError(f"{key} is damaged: it does not decompress.") from error
    if not inflater.eof or inflater.unused_data or counter.is_open:
        raise BronzeDamagedError(f"{key} is not one whole gzip stream of whole rows.")
    lines = counter.head.decode(errors="replace").split("\n")
    return _Copied(
        rows=max(counter.lines - 1, 0),
        size_bytes=size_bytes,
        sha256=digest.hexdigest(),
        header=lines[0].rstrip("\r"),
        committed_at=lines[1].split(",")[1] if len(lines) > 1 and lines[1].count(",") else "",
    )


class _RowCounter:
    """Counts lines of CSV: a line ends at a newline outside quotes; doubled quotes keep the count of quotes even."""

    _HEAD_BYTES = 64 * 1024

    def __init__(self) -> None:
        self.lines = 0
        self.head = b""
        """The first bytes: the header, and the beginning of the first row."""
        self._in_quotes = False
        self._ends_line = True

    @property
    def is_open(self) -> bool:
        """Whether the text ends within a row."""
        return self._in_quotes or not self._ends_line

    def add(self, text: bytes) -> None:
        """Count some more text."""
        if not text:
            return
        if len(self.head) < self._HEAD_BYTES:
            self.head += text[: self._HEAD_BYTES - len(self.head)]
        for number, piece in enumerate(text.split(b'"')):
            if number:
                self._in_quotes = not self._in_quotes
            if not self._in_quotes:
                self.lines += piece.count(b"\n")
        self._ends_line = text.endswith(b"\n")


# --- names


def _split(key: str, folders: Mapping[str, TableId]) -> tuple[TableId | None, str]:
    """Return the table that a key belongs to, and what follows the table's folder."""
    schema, _, rest = key.partition("/")
    name, _, file = rest.partition("/")
    return folders.get(f"{schema}/{name}"), file


def _is_control(key: str) -> bool:
    return any(part.startswith(_CONTROL_TABLES) for part in key.split("/")[:2])


def _time_in_name(key: str) -> str:
    """Return the time that a file of changes is named by, as 17 digits; ten digits after the dash are cut to nine."""
    match = _CHANGE_FILE.fullmatch(key.rpartition("/")[2])
    assert match is not None, key
    return match[1] + match[2][:9]


def _utc(text: str) -> str:
    """Return a commit time of DMS's, which has no zone and means UTC, as ISO 8601."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()
