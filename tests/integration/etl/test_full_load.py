"""Full loads of a real PostgreSQL: one moment for all tables, whole or invisible."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import load_key, load_number
from etl.contracts.table import TableContract, TableId
from etl.jobs.full_load import FullLoadArguments, run
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.quality.fingerprint import source_fingerprint_sql
from etl.replicate.full_load import FullLoad, LoadRunningError, TableMovedError, full_load
from etl.replicate.snapshot import Snapshot, export_snapshot
from tests.integration.etl.bronze import load, read, visible_loads
from tests.integration.etl.conftest import Source

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[3]
DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.002)


def load_after(source: Source, store: DirectoryStore, *names: str, request_id: str) -> FullLoad:
    """Load once the source has noticed that the load before is dead."""
    found: list[FullLoad] = []

    def is_done() -> bool:
        with suppress(LoadRunningError):
            found.append(load(source, store, *names, request_id=request_id))
        return bool(found)

    wait_until(is_done)
    return found[0]


@contextmanager
def transfers(source: Source) -> Iterator[None]:
    """Keep moving amounts between two tables, in old rows and new: at any one moment the total is the same."""
    source.execute("CREATE TABLE cash (id bigserial PRIMARY KEY, amount bigint, padding text DEFAULT repeat('x', 200))")
    source.execute("CREATE TABLE bank (id bigserial PRIMARY KEY, amount bigint, padding text DEFAULT repeat('x', 200))")
    for table in ("cash", "bank"):
        source.execute(f"INSERT INTO {table} (amount) SELECT 1000 FROM generate_series(1, 20000)")
    ended = threading.Event()
    moved = threading.Semaphore(0)

    def move(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(source.url, autocommit=True) as connection:
            while not ended.is_set():
                amount, payer, payee = (
                    chance.randrange(1, 100),
                    chance.randrange(1, 20_001),
                    chance.randrange(1, 20_001),
                )
                with connection.transaction():
                    connection.execute("UPDATE cash SET amount = amount - %s WHERE id = %s", [amount, payer])
                    connection.execute("INSERT INTO cash (amount) VALUES (%s)", [-amount])
                    connection.execute("UPDATE bank SET amount = amount + %s WHERE id = %s", [2 * amount, payee])
                moved.release()

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(move, seed) for seed in range(3)]
        moved.acquire()
        try:
            yield
        finally:
            ended.set()
        for writer in writers:
            writer.result()


def test_all_tables_are_seen_at_one_moment_while_others_write(source: Source, store: ObjectStore):
    with transfers(source):
        loads = [load(source, store, "cash", "bank", request_id=request_id).manifest for request_id in "123"]
    changed = 0
    for manifest in loads:
        totals = []
        for name in ("cash", "bank"):
            totals += read(store, manifest, TableId.parse(name), "sum(amount::bigint), count(DISTINCT id), count(*)")
        (cash, cash_ids, cash_rows), (bank, bank_ids, bank_rows) = totals
        assert cash + bank == 40_000_000
        assert (cash_ids, bank_ids) == (cash_rows, bank_rows)
        assert bank_rows == 20_000
        changed += cash_rows - 20_000
    assert changed, "nobody wrote: the test proves nothing"
    assert [manifest.lsn for manifest in loads] == sorted(manifest.lsn for manifest in loads)


def test_nothing_stays_behind_at_the_source(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY)")
    load(source, store, "subject")
    database = source.execute("SELECT current_database()")[0][0]
    wait_until(lambda: source.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'") == [(1,)])
    assert source.execute(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{database}'") == [(0,)]


def test_an_open_transaction_at_the_source_is_waited_for_only_so_long_and_then_named(source: Source):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY)")
    with psycopg.connect(source.url, application_name="forgotten") as other:
        other.execute("INSERT INTO subject VALUES (1)")
        with (
            pytest.raises(SourceUnavailableError, match=f"{other.info.backend_pid} \\(forgotten"),
            export_snapshot(source.url, deadline_seconds=0.5),
        ):
            pass


@pytest.mark.parametrize("change", ["TRUNCATE subject", "ALTER TABLE subject ALTER COLUMN n TYPE bigint"])
def test_a_table_rewritten_while_the_snapshot_is_taken_is_noticed_not_loaded_empty(
    source: Source, store: ObjectStore, monkeypatch: pytest.MonkeyPatch, change: str
):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY, n integer); INSERT INTO subject VALUES (1, 1)")

    @contextmanager
    def exported_just_before_the_change(url: str, **options: str | None) -> Iterator[Snapshot]:
        with export_snapshot(url, **options) as snapshot:
            source.execute(change)
            yield snapshot

    monkeypatch.setattr("etl.replicate.full_load.export_snapshot", exported_just_before_the_change)
    with pytest.raises(TableMovedError):
        load(source, store, "subject")
    assert visible_loads(store) == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A full load in a process of its own, started as the control plane starts it."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def result(self) -> dict:
        return json.loads((self.folder / "result.json").read_text())


@contextmanager
def job(
    source: Source, tmp_path: Path, *tables: str, request_id: str, max_file_bytes: int = resource.RLIM_INFINITY
) -> Iterator[Job]:
    """Start the job; end it at the end, whatever became of it."""
    folder = tmp_path / f"job-{request_id}"
    folder.mkdir()
    document = {
        "arguments": {
            "lake_uri": str(tmp_path / "lake"),
            "tables": list(tables),
            "request_id": request_id,
            "with_source_fingerprints": False,
        },
        "secrets": {"source_url": source.url},
        "result_path": str(folder / "result.json"),
        "progress_path": str(folder / "progress.json"),
    }
    limit = f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({max_file_bytes},) * 2); "
    run_job = "sys.argv = ['etl.jobs', 'full_load']; runpy.run_module('etl.jobs', run_name='__main__')"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", limit + run_job], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=PROJECT
        )
    try:
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(json.dumps(document).encode())
        yield Job(process=process, folder=folder)
    finally:
        process.kill()
        process.wait()


def make_noise(source: Source) -> None:
    """Make a small table, and one large enough to be in the middle of for a while; it does not compress away."""
    source.execute("CREATE TABLE small (id bigint PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 10)")
    source.execute("CREATE TABLE noise (id bigint PRIMARY KEY, t text)")
    source.execute(
        "INSERT INTO noise SELECT g, (SELECT string_agg(md5((g * 40 + p)::text), '') FROM generate_series(1, 40) p)"
        " FROM generate_series(1, 30000) g"
    )


@contextmanager
def stopped_while_writing(running: Job, bronze: Path) -> Iterator[None]:
    """Stop the job in the middle of a file; let it go on afterwards."""
    wait_until(lambda: any(size_of(path) > 100_000 for path in (bronze / ".incoming").glob("*")))
    running.process.send_signal(signal.SIGSTOP)
    yield
    running.process.send_signal(signal.SIGCONT)


def size_of(path: Path) -> int:
    """Return the size of a file, 0 if it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_the_job_says_what_it_landed(source: Source, tmp_path: Path, store: ObjectStore):
    make_noise(source)
    with job(source, tmp_path, "noise", "small", request_id="r") as running:
        assert running.process.wait(DEADLINE_SECONDS) == 0
    (manifest,) = visible_loads(store)
    assert running.result["state"] == "succeeded"
    result = running.result["result"]
    assert result["load_id"] == manifest.load_id
    assert {table["table"]: table["rows"] for table in result["tables"]} == {"public.noise": 30_000, "public.small": 10}
    progress = json.loads((running.folder / "progress.json").read_text())["progress"]
    assert progress == {"rows": {"public.noise": 30_000, "public.small": 10}}


def test_a_load_killed_on_the_way_is_invisible_and_the_next_one_takes_new_names(
    source: Source, tmp_path: Path, store: DirectoryStore
):
    make_noise(source)
    root = tmp_path / "lake" / "bronze"
    with job(source, tmp_path, "noise", "small", request_id="killed") as running:
        wait_until(lambda: any(store.list("_manifests/public/small/")))
        with stopped_while_writing(running, root):
            running.process.kill()
        running.process.wait()
    assert list((root / ".incoming").iterdir()), "it was not killed in the middle of a file"
    assert visible_loads(store) == []

    small = TableId.parse("small")
    manifest = load_after(source, store, "noise", "small", request_id="next").manifest
    assert visible_loads(store) == [manifest]
    assert [load_number(file.key) for file in manifest.files_of(small)] == [2]
    assert len(read(store, manifest, TableId.parse("noise"), "id")) == 30_000
    assert list(store.list(load_key(small, 1))) == []
    assert list((root / ".incoming").iterdir()) == []


def test_a_full_disk_fails_with_a_sentence_and_leaves_nothing_visible(
    source: Source, tmp_path: Path, store: DirectoryStore
):
    make_noise(source)
    with job(source, tmp_path, "noise", "small", request_id="full", max_file_bytes=1_000_000) as running:
        assert running.process.wait(DEADLINE_SECONDS) == 1
    assert running.result["state"] == "failed"
    assert running.result["error_class"] == "etl.ports.object_store.StoreFullError"
    assert "No room left for public/noise/LOAD00000001.csv.gz" in running.result["error_message"]
    assert "Free disk space" in running.result["guidance"]
    assert visible_loads(store) == []
    assert list((tmp_path / "lake" / "bronze" / ".incoming").iterdir()) == []

    manifest = load(source, store, "noise", "small", request_id="again").manifest
    assert len(read(store, manifest, TableId.parse("noise"), "id")) == 30_000


def test_a_failing_job_gives_no_password_away(source: Source, tmp_path: Path):
    password = source.connection.info.password
    with job(source, tmp_path, "nowhere", request_id="r") as running:
        assert running.process.wait(DEADLINE_SECONDS) == 1
    assert running.result["error_class"] == "etl.ports.replicator.SourceNotReadyError"
    written = [path.read_text() for path in running.folder.iterdir()]
    assert len(written) == 3
    assert all(password not in text for text in written)


def test_a_source_that_ends_the_session_on_the_way_is_unavailable_and_nothing_is_visible(
    source: Source, tmp_path: Path, store: DirectoryStore
):
    make_noise(source)
    with job(source, tmp_path, "noise", "small", request_id="r") as running:
        with stopped_while_writing(running, tmp_path / "lake" / "bronze"):
            ended = source.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'COPY%noise%'"
            )
        assert ended == [(True,)]
        assert running.process.wait(DEADLINE_SECONDS) == 1
    assert running.result["error_class"] == "etl.ports.replicator.SourceUnavailableError"
    assert visible_loads(store) == []


def test_a_load_whose_lock_was_lost_does_not_commit(source: Source, tmp_path: Path, store: DirectoryStore):
    make_noise(source)
    with job(source, tmp_path, "noise", "small", request_id="r") as running:
        with stopped_while_writing(running, tmp_path / "lake" / "bronze"):
            ended = source.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        assert ended == [(True,)]
        assert running.process.wait(DEADLINE_SECONDS) == 1
    assert running.result["error_class"] == "etl.ports.replicator.SourceUnavailableError"
    assert visible_loads(store) == []


def test_tables_keep_their_shape_until_the_load_ends_and_can_be_written_meanwhile(source: Source, store: ObjectStore):
    make_noise(source)
    refused = []

    def change_what_is_not_read_yet(table: TableId, _rows: int) -> None:
        if table.name == "noise" and not refused:
            source.execute("INSERT INTO small VALUES (11)")
            for change in ("ALTER TABLE small ADD COLUMN late text", "TRUNCATE small"):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    source.execute(f"SET lock_timeout = '100ms'; {change}")
                refused.append(change)

    tables = [TableId.parse("small"), TableId.parse("noise")]
    made = full_load(
        source_url=source.url,
        store=store,
        tables=tables,
        request_id="r",
        on_rows=change_what_is_not_read_yet,
        sessions=1,
    )
    assert len(refused) == 2
    assert len(read(store, made.manifest, TableId.parse("small"))) == 10
    source.execute("RESET lock_timeout; ALTER TABLE small ADD COLUMN late text")


def test_a_truncate_that_waits_for_the_load_does_not_hold_it_up(source: Source, store: ObjectStore):
    make_noise(source)
    truncates: list[threading.Thread] = []
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'TRUNCATE%'"

    deadline = time.monotonic() + DEADLINE_SECONDS

    def truncate() -> None:
        with psycopg.connect(source.url, autocommit=True) as other:
            other.execute("TRUNCATE small, noise")

    def truncate_what_is_not_read_yet(_table: TableId, _rows: int) -> None:
        if not truncates:
            truncates.append(threading.Thread(target=truncate))
            truncates[0].start()
            wait_until(lambda: bool(source.execute(waits)))

    made = full_load(
        source_url=source.url,
        store=store,
        tables=[TableId.parse("small"), TableId.parse("noise")],
        request_id="r",
        fingerprint_sql=source_fingerprint_sql,
        on_rows=truncate_what_is_not_read_yet,
        sessions=2,
        is_cancelled=lambda: time.monotonic() > deadline,  # So that it fails, and does not hang.
    )
    truncates[0].join(DEADLINE_SECONDS)
    assert len(read(store, made.manifest, TableId.parse("small"))) == 10
    assert source.execute("SELECT count(*) FROM small") == [(0,)]


def test_a_repeated_request_gets_the_load_it_has_even_if_the_source_moved_on(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY); INSERT INTO subject VALUES (1)")
    first = load(source, store, "subject", request_id="monday")
    source.execute("DROP TABLE subject")
    assert load(source, store, "subject", request_id="monday") == first
    assert visible_loads(store) == [first.manifest]


def test_two_loads_into_one_lake_do_not_run_at_once(source: Source, tmp_path: Path, store: DirectoryStore):
    make_noise(source)
    with job(source, tmp_path, "noise", request_id="first") as running:
        with stopped_while_writing(running, tmp_path / "lake" / "bronze"), pytest.raises(LoadRunningError):
            load(source, store, "small", request_id="second")
        assert running.process.wait(DEADLINE_SECONDS) == 0
    assert len(visible_loads(store)) == 1
    load(source, store, "small", request_id="second")


def test_the_sources_own_fingerprint_is_of_the_same_moment_and_outlives_the_process(source: Source, store: ObjectStore):
    def counts_and_sums(contract: TableContract) -> str:
        return f"SELECT count(*), sum(amount), sum(id) FROM public.{contract.table.name}"

    with transfers(source):
        asked = {"source_url": source.url, "store": store, "tables": [TableId.parse("cash")], "request_id": "r"}
        made = full_load(**asked, fingerprint_sql=counts_and_sums)
    (rows,) = read(store, made.manifest, TableId.parse("cash"), "count(*), sum(amount::bigint), sum(id::bigint)")
    fingerprint = made.fingerprints[TableId.parse("cash")]
    assert (fingerprint.rows, fingerprint.hash_hi, fingerprint.hash_lo) == rows
    assert full_load(**asked, fingerprint_sql=counts_and_sums) == made


def test_the_job_runs_within_a_process_too(source: Source, tmp_path: Path):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY); INSERT INTO subject VALUES (1), (2)")
    progress = Progress()
    arguments = FullLoadArguments(
        lake_uri=str(tmp_path / "lake"),
        tables=("subject",),
        request_id="r",
        source_url=source.url,
        with_source_fingerprints=False,
    )
    result = run(arguments, progress)
    assert [(table.table, table.rows) for table in result.tables] == [("public.subject", 2)]
    assert progress.fields == {"rows": {"public.subject": 2}}
    assert source.url not in repr(arguments)
