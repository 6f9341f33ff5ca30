"""Follows a source into bronze, in this process or in one that may be killed, and reads what came.

``python -m tests.integration.etl.replication`` follows until SIGTERM, or until the moment it is told to die at.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import CHANGES_PREFIX, LOADS_PREFIX, change_milliseconds
from etl.bronze.manifest import ChangeManifest, FileManifest, LoadManifest
from etl.contracts.source import open_source
from etl.contracts.store import read_contract
from etl.contracts.table import TableContract, TableId
from etl.errors import LakehouseError
from etl.ports.object_store import ObjectStore
from etl.replicate.failpoint import Moment
from etl.replicate.fence import set_fence, wait_for_fence
from etl.replicate.full_load import full_load
from etl.replicate.lsn import Lsn
from etl.replicate.replicator import begin, replicate
from etl.replicate.serve import serve
from etl.replicate.session import Hooks, ReplicatorConfig
from etl.replicate.status import STATUS_NAME, Progress, ReplicatorState, ReplicatorStatus, StatusFile
from tests.integration.etl.conftest import Source

PROJECT = Path(__file__).parents[3]
SLOT = "lakeside_test"
DEADLINE_SECONDS = 60.0

Row = dict[str, str | None]


def wait_until(condition: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.005)


@contextmanager
def fresh_database(owner_url: str) -> Iterator[Source]:
    """Make an empty database; afterwards drop it and the slots in it."""
    name = f"changes_{secrets.token_hex(6)}"
    url = urlunsplit(urlsplit(owner_url)._replace(path=f"/{name}"))
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                yield Source(url=url, connection=connection)
        finally:
            slots = "FROM pg_replication_slots WHERE database = %s"
            owner.execute(f"SELECT pg_terminate_backend(active_pid) {slots} AND active".encode(), [name])
            wait_until(lambda: not owner.execute(f"SELECT {slots} AND active".encode(), [name]).fetchall())
            owner.execute(f"SELECT pg_drop_replication_slot(slot_name) {slots}".encode(), [name])
            owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def config_of(source: Source, *tables: str, **options: float | str | Path) -> ReplicatorConfig:
    return ReplicatorConfig(
        source_url=source.url,
        tables=tuple(TableId.parse(table) for table in tables),
        slot=SLOT,
        **{"flush_seconds": 0.05, "busy_seconds": 1.0, **options},
    )


def end_of_log(source: Source) -> Lsn:
    """Return where the source's log ends now; a message after it makes the position one that readers pass."""
    ((lsn,),) = source.execute("SELECT pg_current_wal_insert_lsn()::text")
    source.execute("SELECT pg_logical_emit_message(false, 'test', '')")
    return Lsn.parse(lsn)


@dataclass
class Following:
    """A replicator in a thread."""

    source: Source
    stop: threading.Event = field(default_factory=threading.Event)
    status: Progress | None = None
    troubles: list[LakehouseError] = field(default_factory=list)
    error: BaseException | None = None

    def catch_up(self) -> None:
        """Wait until everything committed so far is in bronze."""
        target = end_of_log(self.source)
        wait_until(lambda: self.error is not None or (self.status is not None and self.status.durable_lsn >= target))
        if self.error is not None:
            raise self.error


@contextmanager
def following(config: ReplicatorConfig, store: ObjectStore, source: Source, **hooks: Callable) -> Iterator[Following]:
    """Run a replicator, and have it drain at the end."""
    running = Following(source)

    def on_status(status: Progress) -> None:
        running.status = status

    def run() -> None:
        try:
            told = Hooks(
                on_progress=on_status, on_trouble=lambda error, _pause_seconds: running.troubles.append(error), **hooks
            )
            replicate(config, store, stop=running.stop, hooks=told)
        except BaseException as error:  # noqa: BLE001 - carried to the test
            running.error = error

    thread = threading.Thread(target=run, name="replicator")
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive(), "the replicator did not end"


def follow(config: ReplicatorConfig, store: ObjectStore, source: Source) -> None:
    """Bring bronze up to date."""
    with following(config, store, source) as running:
        running.catch_up()
    assert running.error is None


@dataclass
class Serving:
    """A replicator in a thread, and what it says."""

    file: StatusFile
    thread: threading.Thread
    errors: list[LakehouseError]

    @property
    def status(self) -> ReplicatorStatus:
        status = self.file.read()
        assert status is not None
        return status

    def await_state(self, state: ReplicatorState) -> ReplicatorStatus:
        wait_until(lambda: self.status.state is state)
        return self.status

    def catch_up(self, source: Source) -> ReplicatorStatus:
        """Wait until bronze has everything that was committed before."""
        with closing(open_source(source.url)) as connection:
            fence = set_fence(connection)
        return wait_for_fence(self.file.read, slot=SLOT, fence=fence, seconds=DEADLINE_SECONDS)


@contextmanager
def serving(config: ReplicatorConfig, store: DirectoryStore, folder: Path) -> Iterator[Serving]:
    stop = threading.Event()
    errors: list[LakehouseError] = []
    file = StatusFile(folder / STATUS_NAME)

    def run() -> None:
        try:
            serve(config, store, stop=stop, put=file.write)
        except LakehouseError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: file.read() is not None)
        yield Serving(file, thread, errors)
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


# --- Reading what came: on our own, with the standard library.

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])')


def parse(text: str) -> Iterator[list[str | None]]:
    """Yield rows of CSV; a field without quotes is NULL if it is empty."""
    row: list[str | None] = []
    position = 0
    while position < len(text):
        match = _FIELD.match(text, position)
        assert match is not None, f"not CSV: {text[position : position + 80]!r}"
        quoted, bare, end = match.groups()
        row.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        position = match.end()
        if end == "\n":
            yield row
            row = []


def read_file(store: ObjectStore, file: FileManifest) -> list[Row]:
    """Return a file's rows, after holding it against its manifest and its contract."""
    data = store.get(file.key)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size_bytes, file.sha256)
    names, *rows = parse(gzip.decompress(data).decode())
    contract = read_contract(store, file.table, file.contract_version)
    assert contract.fingerprint == file.contract_fingerprint
    own = [] if "LOAD" in file.key else ["_unchanged", "_old_key"]
    assert names == ["Op", "_committed_at", *contract.column_names, "_change_seq", *own]
    assert len(rows) == file.rows
    sequences = [row[names.index("_change_seq")] for row in rows]
    assert (sequences[0], sequences[-1]) == (file.first_change_seq, file.last_change_seq)
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def flushes(store: ObjectStore) -> list[ChangeManifest]:
    """Return all flushes, after holding their chain against the loads and the files that lie there."""
    manifests = [ChangeManifest.from_json(store.get(info.key)) for info in store.list(CHANGES_PREFIX)]
    loads = [LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX)]
    begun = {load.lsn for load in loads if load.slot}
    previous = None
    for manifest in manifests:
        assert manifest.previous_lsn == previous or manifest.previous_lsn in begun
        assert manifest.previous_lsn < manifest.first_lsn <= manifest.last_lsn
        assert manifest.committed_from <= manifest.committed_to
        previous = manifest.last_lsn
    named = [file.key for manifest in manifests for file in manifest.files]
    there = [info.key for info in store.list("") if change_milliseconds(info.key) is not None]
    assert sorted(named) == there, "files without a manifest, or manifests without a file"
    return manifests


def newest_load(store: ObjectStore) -> LoadManifest:
    """Return the full load that was committed last."""
    return LoadManifest.from_json(store.get([info.key for info in store.list(LOADS_PREFIX)][-1]))


def changes(store: ObjectStore, *tables: str) -> list[Row]:
    """Return all changes of all tables, in their order, each with its table as ``table``."""
    rows: list[Row] = []
    for manifest in flushes(store):
        here: list[Row] = []
        for file in manifest.files:
            here += [{**row, "table": str(file.table)} for row in read_file(store, file)]
        assert all(manifest.first_lsn <= int(str(row["_change_seq"])[:20]) <= manifest.last_lsn for row in here)
        rows += sorted(here, key=lambda row: str(row["_change_seq"]))
    wanted = {str(TableId.parse(table)) for table in tables}
    return [row for row in rows if not wanted or row["table"] in wanted]


def key_of(row: Row, contract: TableContract) -> tuple[str | None, ...]:
    return tuple(row[name] for name in contract.key)


def replayed(store: ObjectStore, table: str) -> dict[tuple[str | None, ...], Row]:
    """Return the table as the newest load that a slot continues, and every change after it, say it is."""
    wanted = TableId.parse(table)
    loads = [LoadManifest.from_json(store.get(info.key)) for info in store.list(LOADS_PREFIX)]
    load = [each for each in loads if each.slot and wanted in each.tables][-1]
    state: dict[tuple[str | None, ...], Row] = {}
    for file in load.files_of(wanted):
        contract = read_contract(store, wanted, file.contract_version)
        state |= {key_of(row, contract): row for row in read_file(store, file)}
    for manifest in flushes(store):
        if manifest.last_lsn <= load.lsn:
            continue
        for file in manifest.files_of(wanted):
            contract = read_contract(store, wanted, file.contract_version)
            for row in read_file(store, file):
                if int(str(row["_change_seq"])[:20]) > load.lsn:
                    apply(state, row, contract)
    return {
        key: {name: value for name, value in row.items() if name not in {"Op", "_committed_at", "_change_seq"}}
        for key, row in state.items()
    }


def apply(state: dict[tuple[str | None, ...], Row], change: Row, contract: TableContract) -> None:
    row = {**change}
    unchanged, old_key = row.pop("_unchanged"), row.pop("_old_key")
    key = key_of(row, contract)
    match change["Op"]:
        case "T":
            assert all(row[name] is None for name in contract.column_names)
            state.clear()
        case "I":
            assert key not in state
            state[key] = row
        case "U":
            old = json.loads(old_key) if old_key else dict(zip(contract.key, key, strict=True))
            assert list(old) == list(contract.key)
            before = state.pop(tuple(old.values()))
            for name in (unchanged or "").split(",") if unchanged else []:
                row[name] = before[name]
            assert key not in state
            state[key] = row
        case "D":
            del state[key]
        case other:
            raise AssertionError(other)


def copied(source: Source, store: ObjectStore, table: str) -> dict[tuple[str | None, ...], Row]:
    """Return the table as a full load, taken now into a store of its own, says it is."""
    wanted = TableId.parse(table)
    load = full_load(source_url=source.url, store=store, tables=[wanted], request_id=table).manifest
    state: dict[tuple[str | None, ...], Row] = {}
    for file in load.files_of(wanted):
        contract = read_contract(store, wanted, file.contract_version)
        for row in read_file(store, file):
            for name in ("Op", "_committed_at", "_change_seq"):
                del row[name]
            state[key_of(row, contract)] = row
    return state


# --- The independent witness: a second slot, read by another plugin.


def watch(source: Source) -> None:
    source.execute("SELECT pg_create_logical_replication_slot('witness', 'test_decoding')")


def witnessed(source: Source) -> list[tuple[int, int, str, str]]:
    """Return (end LSN, number in the transaction, table, op) of every change committed since `watch`."""
    rows = source.execute(
        "SELECT lsn::text, data FROM pg_logical_slot_get_changes('witness', NULL, NULL, 'include-xids', '0')"
    )
    found: list[tuple[int, int, str, str]] = []
    waiting: list[tuple[str, str]] = []
    for lsn, line in rows:
        if line == "BEGIN":
            waiting = []
        elif line == "COMMIT":
            end = int(Lsn.parse(lsn))
            found += [(end, ordinal, table, op) for ordinal, (table, op) in enumerate(waiting, start=1)]
        elif match := re.match(r"table (.*?): ([A-Z]+):", line):
            tables, op = match.groups()
            waiting += [(table, op[0]) for table in tables.split(", ")]
    return found


def landed(store: ObjectStore) -> list[tuple[int, int, str, str]]:
    """Return the same of bronze."""
    return [
        (int(str(row["_change_seq"])[:20]), int(str(row["_change_seq"])[20:]), str(row["table"]), str(row["Op"]))
        for row in changes(store)
    ]


# --- A replicator that may be killed.


@dataclass
class Child:
    """A replicator in a process of its own."""

    process: subprocess.Popen[bytes]
    status_path: Path

    @property
    def status(self) -> dict[str, int]:
        """What it said last."""
        try:
            return json.loads(self.status_path.read_text())
        except FileNotFoundError:
            return {}

    def catch_up(self, source: Source, seconds: float = DEADLINE_SECONDS) -> None:
        target = end_of_log(source)
        wait_until(lambda: self.process.poll() is not None or self.status.get("durable_lsn", 0) >= target, seconds)
        assert self.process.poll() is None, "the replicator ended"

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


def spawn(
    config: ReplicatorConfig, root: Path, *, die_at: Moment | None = None, times: int = 1, begins: bool = False
) -> Child:
    """Start a replicator that kills itself when it passes a moment for the n-th time."""
    status_path = root.with_name(f"status-{os.urandom(4).hex()}")
    document = {
        "source_url": config.source_url,
        "tables": [str(table) for table in config.tables],
        "flush_seconds": config.flush_seconds,
        "spool_folder": str(config.spool_folder) if config.spool_folder else None,
        "root": str(root),
        "status_path": str(status_path),
        "die_at": die_at,
        "times": times,
        "begins": begins,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.etl.replication"], stdin=subprocess.PIPE, cwd=PROJECT
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(document).encode())
    process.stdin.close()
    return Child(process, status_path)


def peak_kib() -> int:
    """Return the most memory this process has had; `getrusage` would count its parent's, too."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def main() -> None:
    document = json.load(sys.stdin)
    config = ReplicatorConfig(
        source_url=document["source_url"],
        tables=tuple(TableId.parse(table) for table in document["tables"]),
        slot=SLOT,
        flush_seconds=document["flush_seconds"],
        spool_folder=Path(document["spool_folder"]) if document["spool_folder"] else None,
    )
    store = DirectoryStore(Path(document["root"]))
    status_path = Path(document["status_path"])
    left = document["times"]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())

    def failpoint(moment: Moment) -> None:
        nonlocal left
        if moment == document["die_at"]:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_status(status: Progress) -> None:
        said = {
            "durable_lsn": int(status.durable_lsn),
            "server_lsn": int(status.server_lsn),
            "changes": status.changes,
            "peak_kib": peak_kib(),
        }
        temporary = status_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(said))
        temporary.replace(status_path)

    if document["begins"]:
        begin(config, store, on_rows=lambda _table, _rows: failpoint(Moment.SLOT_CREATED))
    replicate(config, store, stop=stop, hooks=Hooks(on_progress=on_status, failpoint=failpoint))


if __name__ == "__main__":
    main()
