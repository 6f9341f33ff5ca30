"""Changes of a real PostgreSQL: every committed one once, with the text a full load would give it."""

from __future__ import annotations

import json
import random
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest

from config import env
from config.embedded.postgres import SETTINGS, Postgres
from etl.bronze.directory import DirectoryStore
from etl.contracts.store import newest_contract, read_contract
from etl.contracts.table import TableId
from etl.ports.object_store import StoreFullError
from etl.ports.replicator import SourceNotReadyError, UnsupportedColumnError
from etl.replicate.failpoint import Moment
from etl.replicate.replicator import begin, replicate, resync
from etl.replicate.session import NotBegunError
from etl.replicate.slot import SlotBusyError, SlotLostError
from tests.integration.etl.conftest import Source
from tests.integration.etl.replication import (
    DEADLINE_SECONDS,
    SLOT,
    changes,
    config_of,
    copied,
    end_of_log,
    flushes,
    follow,
    following,
    fresh_database,
    landed,
    replayed,
    spawn,
    wait_until,
    watch,
    witnessed,
)
from tests.integration.etl.things import EDGES, INFINITE, THINGS

pytestmark = pytest.mark.integration

OLD_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
VERSIONS = ["newest", "15"]


@pytest.fixture(scope="session")
def old_server_url() -> Iterator[str]:
    """The oldest PostgreSQL that is supported, where it is installed."""
    if not OLD_PROGRAMS.is_dir():
        pytest.skip("PostgreSQL 15 is not installed")
    home = Path(tempfile.mkdtemp(prefix="lakeside-tests-15-"))
    home.chmod(0o711)
    server = Postgres(home=home, durable=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("config.embedded.postgres.find_postgres", lambda: OLD_PROGRAMS)
        patch.setitem(SETTINGS, "max_slot_wal_keep_size", "256MB")  # So that a slot is lost within a test.
        try:
            server.start()
            yield server.url
        finally:
            server.stop()
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def source() -> Iterator[Source]:
    """A database of this test's own on the newest server."""
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as database:
        yield database


@pytest.fixture(params=VERSIONS)
def any_source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """A database of this test's own, on the newest server and on the oldest."""
    owner_url = env.load().database_url if request.param == "newest" else request.getfixturevalue("old_server_url")
    with fresh_database(owner_url) as database:
        yield database


def assert_equal(source: Source, store: DirectoryStore, other: DirectoryStore, *tables: str) -> None:
    """Hold bronze against the witness, change by change, and against a copy, value by value."""
    assert landed(store) == witnessed(source)
    for table in tables:
        assert replayed(store, table) == copied(source, other, table)


PAIRS = """
    CREATE TABLE items (id bigint PRIMARY KEY, note text, big text);
    ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE parts (tenant_id int, id int, item bigint REFERENCES items DEFERRABLE INITIALLY DEFERRED,
                        PRIMARY KEY (tenant_id, id));
"""

HISTORY = """
    INSERT INTO items SELECT i, 'n' || i, repeat('x', 5000) FROM generate_series(1, 20) i;
    INSERT INTO parts SELECT i % 3, i, i FROM generate_series(1, 20) i;
    UPDATE items SET note = NULL WHERE id = 1;
    UPDATE items SET note = '' WHERE id = 2;
    UPDATE items SET big = repeat('y', 6000) WHERE id = 3;
    BEGIN; UPDATE items SET id = 104 WHERE id = 4; UPDATE parts SET item = 104 WHERE item = 4; COMMIT;
    BEGIN; UPDATE parts SET id = -id WHERE id <= 5; UPDATE parts SET id = -id + 1000 WHERE id < 0; COMMIT;
    BEGIN; DELETE FROM parts; DELETE FROM items WHERE id = 5; INSERT INTO items VALUES (5, 'again', NULL); COMMIT;
    BEGIN; INSERT INTO items VALUES (900, 'never'); ROLLBACK;
    BEGIN;
        INSERT INTO items VALUES (200, 'kept'); SAVEPOINT one;
        INSERT INTO items VALUES (201, 'undone'); UPDATE items SET note = 'undone' WHERE id = 200; ROLLBACK TO one;
        SAVEPOINT two; INSERT INTO parts VALUES (9, 9, 200); RELEASE two;
        UPDATE items SET note = 'after' WHERE id = 200;
    COMMIT;
    BEGIN; TRUNCATE items, parts; INSERT INTO items VALUES (1, 'after', 'truncate'); COMMIT;
    INSERT INTO items VALUES (7, 'seven', repeat('z', 9000)), (8, 'acht', 'ü"'',' || chr(10));
    BEGIN; UPDATE items SET id = 700 WHERE id = 7; UPDATE items SET id = 7 WHERE id = 8;
           UPDATE items SET id = 8 WHERE id = 700; COMMIT;
    DELETE FROM items WHERE id = 1;
"""


def test_every_committed_change_is_there_once_in_its_order(
    any_source: Source, store: DirectoryStore, other_store: DirectoryStore
):
    any_source.execute(PAIRS)
    any_source.execute("INSERT INTO items VALUES (-1, 'before the load', 'x'); INSERT INTO parts VALUES (0, 0, -1)")
    config = config_of(any_source, "items", "parts")
    load = begin(config, store)
    assert load is not None
    watch(any_source)
    with following(config, store, any_source) as running:
        for statement in filter(str.strip, re.split(r";\n    (?=\S)", HISTORY)):
            any_source.execute(statement)
        running.catch_up()
    assert running.error is None
    assert_equal(any_source, store, other_store, "items", "parts")
    assert flushes(store)[0].previous_lsn == load.manifest.lsn


def test_unchanged_large_values_are_named_and_never_null(any_source: Source, store: DirectoryStore):
    any_source.execute('CREATE TABLE big (id int PRIMARY KEY, n int, a text, "b,%" text)')
    any_source.execute('ALTER TABLE big ALTER a SET STORAGE EXTERNAL, ALTER "b,%" SET STORAGE EXTERNAL')
    any_source.execute("INSERT INTO big VALUES (1, 1, repeat('a', 9000), repeat('b', 9000)), (2, 1, 'short', NULL)")
    config = config_of(any_source, "big")
    begin(config, store)
    any_source.execute("UPDATE big SET n = 2")
    any_source.execute("UPDATE big SET a = 'now short' WHERE id = 1")
    any_source.execute("UPDATE big SET id = 3 WHERE id = 1")
    any_source.execute("ALTER TABLE big REPLICA IDENTITY FULL")
    any_source.execute("UPDATE big SET n = 4 WHERE id = 3")
    any_source.execute("UPDATE big SET id = 5 WHERE id = 3")
    any_source.execute("DELETE FROM big WHERE id = 5")
    follow(config, store, any_source)
    b = "b" * 9000
    assert [(row["id"], row["a"], row["b,%"], row["_unchanged"], row["_old_key"]) for row in changes(store)] == [
        ("1", None, None, "a,b%2C%25", None),
        ("2", "short", None, None, None),
        ("1", "now short", None, "b%2C%25", None),
        ("3", "now short", None, "b%2C%25", '{"id": "1"}'),
        ("3", "now short", b, None, None),  # The full row was sent with the update.
        ("5", "now short", b, None, '{"id": "3"}'),
        ("5", "now short", b, None, None),
    ]


def quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def test_every_type_has_the_text_of_a_full_load(any_source: Source, store: DirectoryStore, other_store: DirectoryStore):
    any_source.execute(THINGS)
    any_source.execute("""
        CREATE DOMAIN padded AS char(4); CREATE DOMAIN short AS real; CREATE TYPE mood AS ENUM ('so, so', 'well');
        CREATE TYPE pair AS (a int, b text);
        ALTER TABLE things
            ADD m mood, ADD p padded, ADD s short, ADD composite pair, ADD addresses inet[],
            ADD c6 inet, ADD net cidr, ADD six timestamptz[], ADD reals real[], ADD times timetz,
            ADD bits bit varying, ADD r int4range
    """)
    more = {
        "m": ["so, so", "well"],
        "p": ["", "a"],
        "s": ["1.1"],
        "composite": ['(1,"a, ""b""")'],
        "addresses": ["{10.0.0.1,10.0.0.0/8}"],
        "c6": ["::1", "fe80::/10"],
        "net": ["10.0.0.0/8"],
        "six": ['{"2024-03-31 02:30:00.000001+01",NULL}'],
        "reals": ["{1.1,NaN}"],
        "times": ["10:00:00+02"],
        "bits": ["", "101"],
        "r": ["[1,5)", "empty"],
        "moment": [*EDGES["moment"], "-infinity", "0044-03-15 10:00:00 BC", "2026-11-23 10:00:00.123456+02"],
        "day": [*EDGES["day"], "0044-03-15 BC", "-infinity"],
        "approx": [
            *EDGES["approx"],
            *("1.1", "1e15", "9.9e14", "123456.7", "1e-4", "9.9e-5", "1e-5", "16777216", "-Infinity", "-2.5e-20"),
        ],
        "note": [
            *EDGES["note"],
            "x" * 100_000,
            '"' * 10_001,
            "\n" * 1001,
            "\x01\x1f",
            "e\u0301\u05e9\u05d5",
            "I,2026,1",
        ],
        "numbers": [*EDGES["numbers"], "[0:1]={1,2}"],
    }
    values = {**EDGES, **more}
    longest = max(map(len, values.values()))
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in values)
    inserts = [
        f"INSERT INTO things (tenant_id, id, {columns}) VALUES (1, {number}, "
        + ", ".join(quote(values[name][number % len(values[name])]) for name in values)
        + ")"
        for number in range(longest)
    ]
    infinite = ", ".join(INFINITE)
    config = config_of(any_source, "things")
    begin(config, store)
    any_source.execute("; ".join(inserts))
    any_source.execute(
        f"INSERT INTO things (tenant_id, id, {infinite}) VALUES (2, 1, {', '.join(map(quote, INFINITE.values()))})"
    )
    any_source.execute("INSERT INTO things (tenant_id, id) VALUES (2, 2)")
    any_source.execute("UPDATE things SET tenant_id = 3, id = -id WHERE tenant_id = 1 AND id % 3 = 1")
    follow(config, store, any_source)
    assert replayed(store, "things") == copied(any_source, other_store, "things")
    assert newest_contract(store, TableId.parse("things")) == newest_contract(other_store, TableId.parse("things"))


@pytest.mark.parametrize(
    ("key", "old", "text"),
    [
        ("timestamptz", "2026-11-23 10:00+02", "2026-11-23 08:00:00"),
        ("boolean", "t", "true"),
        ("text", 'a "quoted", text', 'a "quoted", text'),
        ("text", "", ""),
    ],
)
def test_an_old_key_has_the_text_of_the_column(source: Source, store: DirectoryStore, key: str, old: str, text: str):
    new = {"timestamptz": "infinity", "boolean": "false", "text": "new"}[key]
    source.execute(f"CREATE TABLE keyed (k {key} PRIMARY KEY)")
    source.execute(f"INSERT INTO keyed VALUES ({quote(old)})")
    config = config_of(source, "keyed")
    begin(config, store)
    source.execute(f"UPDATE keyed SET k = {quote(new)}")
    follow(config, store, source)
    (row,) = changes(store)
    assert (json.loads(row["_old_key"] or ""), row["k"]) == ({"k": text}, new)


def test_shapes_change_between_changes(any_source: Source, store: DirectoryStore, other_store: DirectoryStore):
    any_source.execute("CREATE TABLE t (id int PRIMARY KEY, a numeric(5,2), gone text)")
    config = config_of(any_source, "t")
    begin(config, store)
    watch(any_source)

    def alter_and_insert(number: int, ddl: str, columns: str, values: str) -> None:
        any_source.execute(f"BEGIN; {ddl}; INSERT INTO t ({columns}) VALUES ({number}, {values}); COMMIT")

    any_source.execute("INSERT INTO t VALUES (1, 1.5, 'x')")
    with following(config, store, any_source) as running:
        alter_and_insert(2, "ALTER TABLE t ADD b text DEFAULT 'd'", "id, a", "2")
        running.catch_up()
    with following(config, store, any_source) as running:  # Several between two looks at the source.
        running.catch_up()
        alter_and_insert(3, "ALTER TABLE t DROP gone", "id, a", "3")
        alter_and_insert(4, "ALTER TABLE t RENAME b TO c", "id, c", "'renamed'")
        alter_and_insert(5, "ALTER TABLE t ALTER a TYPE numeric(9,3)", "id, a", "5.125")
        running.catch_up()
    alter_and_insert(6, "ALTER TABLE t ADD short_lived int", "id, short_lived", "6")
    alter_and_insert(7, "ALTER TABLE t DROP short_lived, ALTER id TYPE bigint", "id, c", "'seven'")
    follow(config, store, any_source)

    assert landed(store) == witnessed(any_source)
    rows = [{name: value for name, value in row.items() if name[0] not in "_Ot"} for row in changes(store)]
    assert rows == [
        {"id": "1", "a": "1.50", "gone": "x"},
        {"id": "2", "a": "2.00", "gone": None, "b": "d"},
        {"id": "3", "a": "3.00", "b": "d"},
        {"id": "4", "a": None, "c": "renamed"},
        {"id": "5", "a": "5.125", "c": "d"},
        {"id": "6", "a": None, "c": "d", "short_lived": "6"},
        {"id": "7", "a": None, "c": "seven"},
    ]
    table = TableId.parse("t")
    versions = sorted({file.contract_version for manifest in flushes(store) for file in manifest.files})
    shapes = [
        [(column.name, column.attnum, column.type) for column in read_contract(store, table, version).columns]
        for version in versions
    ]
    assert shapes == [
        [("id", 1, "integer"), ("a", 2, "decimal(5,2)"), ("gone", 3, "text")],
        [("id", 1, "integer"), ("a", 2, "decimal(5,2)"), ("gone", 3, "text"), ("b", 4, "text")],
        [("id", 1, "integer"), ("a", 2, "decimal(5,2)"), ("b", 4, "text")],
        [("id", 1, "integer"), ("a", 2, "decimal(5,2)"), ("c", 4, "text")],
        [("id", 1, "integer"), ("a", 2, "decimal(9,3)"), ("c", 4, "text")],
        [("id", 1, "integer"), ("a", 2, "decimal(9,3)"), ("c", 4, "text"), ("short_lived", 5, "integer")],
        [("id", 1, "bigint"), ("a", 2, "decimal(9,3)"), ("c", 4, "text")],
    ]
    copied(any_source, other_store, "t")
    newest = newest_contract(store, table)
    copy = newest_contract(other_store, table)
    assert newest is not None
    assert copy is not None
    assert [(column.name, column.fill) for column in newest.columns] == [("id", None), ("a", None), ("c", "d")]
    assert [replace(column, fill=None) for column in newest.columns] == list(copy.columns)


PACE_SECONDS = 0.01  # Between two transactions of a writer, so that reading what came takes no longer than writing it.


@contextmanager
def writing(source: Source, *, seed: int = 1, truncates: bool = True) -> Iterator[None]:
    """Keep changing `items` and `parts` from two sessions."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def write(number: int) -> None:
        chance = random.Random(seed * 10 + number)
        try:
            with psycopg.connect(source.url) as connection:
                while not ended.wait(PACE_SECONDS):
                    change(connection, chance, truncates=truncates)
                    if chance.random() < 0.2:
                        connection.rollback()
                    connection.commit()
        except BaseException as error:  # noqa: BLE001 - carried to the test
            errors.append(error)

    threads = [threading.Thread(target=write, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not errors


def change(connection: psycopg.Connection, chance: random.Random, *, truncates: bool) -> None:
    """Change some rows; two sessions never wait for each other for long, because they skip what is locked."""
    some = f"SELECT id FROM items WHERE id % 7 = {chance.randrange(7)} ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED"
    first = chance.randrange(10**12)
    last, width = first + chance.randrange(300), chance.choice([3, 9000])
    statements = (
        f"INSERT INTO items SELECT i, 'n', repeat('x', {width}) FROM generate_series({first}, {last}) i",
        f"INSERT INTO parts SELECT {chance.randrange(5)}, i, NULL FROM generate_series(1, 3) i ON CONFLICT DO NOTHING",
        f"UPDATE items SET note = note || 'ü' WHERE id IN ({some})",
        f"UPDATE items SET big = repeat('y', 7000) WHERE id IN ({some})",
        f"UPDATE items SET id = -id + {chance.randrange(1000)} WHERE id IN ({some})",
        f"DELETE FROM items WHERE id IN ({some})",
        f"SAVEPOINT s; DELETE FROM items WHERE id IN ({some}); ROLLBACK TO s",
        "TRUNCATE parts" if truncates and chance.random() < 0.1 else "SELECT 1",
    )
    for statement in chance.sample(statements, chance.randrange(1, 4)):
        connection.execute("SAVEPOINT whole")
        try:
            connection.execute(statement.encode())
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.ObjectInUse):
            connection.execute("ROLLBACK TO whole")  # Two keys met, two sessions met, or a truncate met its own rows.


def test_writes_go_on_while_the_load_is_taken_and_none_is_lost(
    source: Source, store: DirectoryStore, other_store: DirectoryStore
):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts")
    with writing(source, truncates=False):  # A load refuses tables that are truncated under it.
        wait_until(lambda: source.execute("SELECT count(*) > 500 FROM items") == [(True,)])
        load = begin(config, store)
        assert load is not None
        assert sum(file.rows for file in load.manifest.files) > 0
        with following(config, store, source) as running:
            wait_until(lambda: running.status is not None and running.status.changes > 500)
    follow(config, store, source)
    for table in ("items", "parts"):
        assert replayed(store, table) == copied(source, other_store, table)


DEADLY = [moment for moment in Moment if moment is not Moment.SLOT_CREATED]


@pytest.mark.parametrize("moment", DEADLY)
def test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path, moment: Moment
):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts", spool_folder=tmp_path)
    begin(config, store)
    watch(source)
    root = tmp_path / "lake" / "bronze"
    with writing(source, seed=len(moment)):
        for times in (1, 2, 3):
            once_only = moment is Moment.CONTRACT_RECORDED  # It is passed once a table and connection.
            child = spawn(config, root, die_at=moment, times=min(times, 2) if once_only else times)
            if moment is Moment.MID_TRANSACTION:  # Received in pieces, because it is larger than a batch.
                source.execute("INSERT INTO items SELECT -i, repeat('m', 2000) FROM generate_series(1, 20000) i")
                source.execute("DELETE FROM items WHERE id < 0")
            wait_until(lambda child=child: child.process.poll() is not None)
            assert child.process.returncode == -9
    child = spawn(config, root)
    child.catch_up(source)
    assert child.terminate() == 0
    assert_equal(source, store, other_store, "items", "parts")


def test_killed_while_the_first_load_is_taken_it_is_begun_anew(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path
):
    source.execute(PAIRS)
    source.execute("INSERT INTO items SELECT i FROM generate_series(1, 1000) i")
    config = config_of(source, "items", "parts")
    child = spawn(config, tmp_path / "lake" / "bronze", die_at=Moment.SLOT_CREATED, begins=True)
    assert child.process.wait(60) == -9
    assert source.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()") == [(SLOT,)]
    with pytest.raises(NotBegunError):
        replicate(config, store, stop=threading.Event())
    wait_until(lambda: source.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == [])
    load = begin(config, store)
    source.execute("UPDATE items SET note = 'later' WHERE id = 1")
    follow(config, store, source)
    assert replayed(store, "items") == copied(source, other_store, "items")
    assert begin(config, store).manifest == load.manifest, "what was begun is not begun again"


def test_stopped_it_lands_what_it_received(source: Source, store: DirectoryStore):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts", flush_seconds=3600.0)
    begin(config, store)
    received = threading.Event()
    with following(config, store, source, failpoint=lambda _moment: received.set()) as running:
        source.execute("INSERT INTO items VALUES (1, 'x')")
        assert received.wait(DEADLINE_SECONDS)
    assert running.error is None
    assert [row["id"] for row in changes(store)] == ["1"]


def test_ended_by_a_signal_again_and_again_it_goes_on_where_it_was(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path
):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts")
    begin(config, store)
    watch(source)
    with writing(source):
        for _ in range(3):
            child = spawn(config, tmp_path / "lake" / "bronze")
            wait_until(lambda child=child: child.status.get("changes", 0) > 0)
            started = time.monotonic()
            assert child.terminate() == 0
            assert time.monotonic() - started < 10
    follow(config, store, source)
    assert_equal(source, store, other_store, "items", "parts")


def test_a_second_replicator_refuses_and_writes_nothing(source: Source, store: DirectoryStore):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t")
    begin(config, store)
    with following(config, store, source) as first:
        source.execute("INSERT INTO t VALUES (1)")
        first.catch_up()
        before = [info.key for info in store.list("")]
        with pytest.raises(SlotBusyError):
            replicate(config, store, stop=threading.Event())
        assert [info.key for info in store.list("")] == before
        source.execute("INSERT INTO t VALUES (2)")
        first.catch_up()
    assert first.error is None
    assert [row["id"] for row in changes(store)] == ["1", "2"]


def test_a_dropped_slot_is_explained_and_a_resync_mends_it(
    source: Source, store: DirectoryStore, other_store: DirectoryStore
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    config = config_of(source, "t")
    begin(config, store)
    source.execute("INSERT INTO t VALUES (1)")
    follow(config, store, source)
    source.execute(f"SELECT pg_drop_replication_slot('{SLOT}')")
    source.execute("INSERT INTO t VALUES (2)")
    for attempt in (replicate, begin):
        with pytest.raises(SlotLostError, match=r"manage\.py lakehouse resync"):
            attempt(config, store, **({"stop": threading.Event()} if attempt is replicate else {}))
    resync(config, store)
    source.execute("INSERT INTO t VALUES (3)")
    follow(config, store, source)
    assert replayed(store, "t") == copied(source, other_store, "t")


def test_a_slot_whose_log_is_gone_is_explained(old_server_url: str, store: DirectoryStore):
    with fresh_database(old_server_url) as source:
        source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        config = config_of(source, "t")
        begin(config, store)
        lost = "SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = 'lakeside_test'"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while source.execute(lost) == [(False,)]:
            assert time.monotonic() < deadline
            source.execute("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t")
            source.execute("SELECT pg_switch_wal()")
            source.execute("CHECKPOINT")
        with pytest.raises(SlotLostError, match=r"max_slot_wal_keep_size.*lakehouse resync"):
            replicate(config, store, stop=threading.Event())
        assert changes(store) == []


def test_an_idle_source_holds_back_no_log(any_source: Source, store: DirectoryStore):
    any_source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE elsewhere (v text)")
    config = config_of(any_source, "t")
    begin(config, store)
    with following(config, store, any_source) as running:
        any_source.execute("INSERT INTO elsewhere SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
        target = end_of_log(any_source)
        confirmed = f"SELECT confirmed_flush_lsn >= '{target}' FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
        wait_until(lambda: any_source.execute(confirmed) == [(True,)])
    assert running.error is None
    assert flushes(store) == []
    any_source.execute("INSERT INTO t VALUES (1)")
    follow(config, store, any_source)
    assert [row["id"] for row in changes(store)] == ["1"]


def test_an_open_transaction_is_neither_landed_nor_confirmed(source: Source, store: DirectoryStore):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    config = config_of(source, "t")
    begin(config, store)
    with following(config, store, source) as running, psycopg.connect(source.url) as other:
        other.execute("INSERT INTO t VALUES (1)")
        source.execute("INSERT INTO t VALUES (2)")
        running.catch_up()
        assert [row["id"] for row in changes(store)] == ["2"]
        other.commit()
        running.catch_up()
    assert [row["id"] for row in changes(store)] == ["2", "1"]


def test_a_cut_connection_is_made_anew(source: Source, store: DirectoryStore, other_store: DirectoryStore):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts")
    begin(config, store)
    watch(source)
    with writing(source), following(config, store, source) as running:
        for kind in ("backend_type = 'walsender'", "application_name = 'lakeside' AND backend_type = 'client backend'"):
            landed_before = running.status.changes if running.status else 0
            wait_until(lambda least=landed_before: running.status is not None and running.status.changes > least)
            troubles = len(running.troubles)
            source.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {kind} AND datname = current_database()"
            )
            if "walsender" in kind:
                wait_until(lambda least=troubles: len(running.troubles) > least)
    follow(config, store, source)
    assert running.error is None
    assert_equal(source, store, other_store, "items", "parts")


class FullForAWhile(DirectoryStore):
    """A disk that has no room for the first few objects it is given, sooner or later."""

    def __init__(self, root: Path, failures: int) -> None:
        super().__init__(root)
        self._fails = cycle([True, False])
        self.failures = failures

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        with super().writer(key) as file:
            yield file
            if self.failures and next(self._fails):
                self.failures -= 1
                raise StoreFullError


def test_a_full_disk_is_waited_for(source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path):
    source.execute(PAIRS)
    config = config_of(source, "items", "parts")
    begin(config, store)
    watch(source)
    full = FullForAWhile(tmp_path / "lake" / "bronze", failures=4)
    with following(config, full, source) as running:
        for number in range(4):
            source.execute(
                f"BEGIN; INSERT INTO items VALUES ({number}); INSERT INTO parts VALUES (1, {number}); COMMIT"
            )
        running.catch_up()
    assert running.error is None
    assert [type(error) for error in running.troubles] == [StoreFullError] * 4
    assert_equal(source, store, other_store, "items", "parts")


def test_a_large_transaction_needs_little_memory(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t", "u", spool_folder=tmp_path)
    begin(config, store)
    child = spawn(config, tmp_path / "lake" / "bronze")
    source.execute("INSERT INTO u VALUES (0)")
    child.catch_up(source)
    at_rest = child.status["peak_kib"]
    source.execute(
        "BEGIN; INSERT INTO t SELECT i, repeat(md5(i::text), 12) FROM generate_series(1, 500000) i; "
        "INSERT INTO u VALUES (1); COMMIT"
    )
    child.catch_up(source)
    peak = child.status["peak_kib"]
    assert child.terminate() == 0
    assert peak < 512 * 1024
    assert peak - at_rest < 200 * 1024, "memory grew with the transaction"
    (first, second) = flushes(store)
    assert second.transactions == 1
    assert [(str(file.table), file.rows) for file in second.files] == [("public.t", 500_000), ("public.u", 1)]
    assert second.files[1].first_change_seq.endswith(f"{500_001:015d}")
    assert first.last_lsn == second.previous_lsn


def test_a_renamed_table_is_left_out_and_the_others_go_on(source: Source, store: DirectoryStore):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t", "u")
    begin(config, store)
    source.execute("ALTER TABLE t RENAME TO v")
    source.execute("INSERT INTO v VALUES (1)")
    source.execute("INSERT INTO u VALUES (1)")
    with following(config, store, source) as running:
        running.catch_up()
        source.execute("INSERT INTO v VALUES (2)")
        source.execute("INSERT INTO u VALUES (2)")
        running.catch_up()
        assert running.status is not None
        (trouble,) = running.status.troubles
    assert running.error is None
    assert trouble.table == "public.t"
    assert [(row["table"], row["id"]) for row in changes(store)] == [("public.u", "1"), ("public.u", "2")]
    (gap,) = flushes(store)[-1].gaps
    assert (str(gap.table), "public.v" in gap.message, "LAKEHOUSE_SOURCE_TABLES" in gap.guidance) == (
        "public.t",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "SET LOGGED"),
        ("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING", "REPLICA IDENTITY FULL"),
        ("CREATE TABLE t (id int, v int, PRIMARY KEY (id) DEFERRABLE)", "REPLICA IDENTITY FULL"),
        (
            "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); CREATE UNIQUE INDEX u ON t (v); "  # noqa: ISC004
            "ALTER TABLE t REPLICA IDENTITY USING INDEX u",
            "REPLICA IDENTITY FULL",
        ),
        ("CREATE TABLE t (id int)", "ADD PRIMARY KEY"),
        ("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION lakeside FOR ALL TABLES", "DROP PUBLICATION"),
    ],
)
def test_what_changes_cannot_carry_is_refused_with_the_sql_that_mends_it(
    source: Source, store: DirectoryStore, tables: str, words: str
):
    for statement in tables.split(";"):
        source.execute(statement)
    with pytest.raises(SourceNotReadyError, match=words):
        begin(config_of(source, "t"), store)
    assert source.execute("SELECT 1 FROM pg_replication_slots WHERE database = current_database()") == []


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL", "USING INDEX t_more"])
def test_replica_identities_that_hold_the_key_will_do(any_source: Source, store: DirectoryStore, identity: str):
    any_source.execute("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); CREATE UNIQUE INDEX t_more ON t (v, id)")
    any_source.execute(f"ALTER TABLE t REPLICA IDENTITY {identity}")
    config = config_of(any_source, "t")
    begin(config, store)
    any_source.execute("INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2; UPDATE t SET id = 3")
    any_source.execute("DELETE FROM t")
    follow(config, store, any_source)
    assert [(row["Op"], row["id"], row["_old_key"]) for row in changes(store)] == [
        ("I", "1", None),
        ("U", "1", None),
        ("U", "3", '{"id": "1"}'),
        ("D", "3", None),
    ]


def test_generated_columns_are_carried_or_refused(any_source: Source, store: DirectoryStore):
    any_source.execute("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)")
    config = config_of(any_source, "t")
    if any_source.connection.info.server_version < 180000:
        with pytest.raises(SourceNotReadyError, match="generated"):
            begin(config, store)
        return
    begin(config, store)
    any_source.execute("INSERT INTO t VALUES (4)")
    follow(config, store, any_source)
    assert [row["twice"] for row in changes(store)] == ["8"]


def test_a_partitioned_table_is_one_table(any_source: Source, store: DirectoryStore, other_store: DirectoryStore):
    any_source.execute("CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)")
    any_source.execute("CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (10)")
    any_source.execute("CREATE TABLE high PARTITION OF t FOR VALUES FROM (10) TO (20)")
    config = config_of(any_source, "t")
    begin(config, store)
    any_source.execute("INSERT INTO t VALUES (1, 'a'), (11, 'b'), (12, 'c')")
    any_source.execute("UPDATE t SET id = 15 WHERE id = 1")  # Moves to the other partition: a delete and an insert.
    any_source.execute("DELETE FROM t WHERE id = 12")
    follow(config, store, any_source)
    assert replayed(store, "t") == copied(any_source, other_store, "t")
    assert {row["table"] for row in changes(store)} == {"public.t"}


def test_a_role_that_may_not_publish_is_told_the_sql_and_with_it_replicates(source: Source, store: DirectoryStore):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    name = f"role_{secrets.token_hex(6)}"
    source.execute(f"CREATE ROLE {name} LOGIN REPLICATION PASSWORD '{name}'")
    try:
        source.execute(f"GRANT SELECT ON t TO {name}")
        theirs = Source(url=source.url_of(name, name), connection=source.connection)
        config = config_of(theirs, "t")
        with pytest.raises(SourceNotReadyError) as refused:
            begin(config, store)
        source.execute(str(refused.value).partition("owner: ")[2])
        begin(config, store)
        source.execute("INSERT INTO t VALUES (1)")
        follow(config, store, source)
        assert [row["id"] for row in changes(store)] == ["1"]
    finally:
        source.execute(f"DROP OWNED BY {name} CASCADE")
        source.execute(f"DROP ROLE {name}")


def test_a_column_called_like_a_field_of_bronze_is_refused(source: Source, store: DirectoryStore):
    source.execute('CREATE TABLE t (id int PRIMARY KEY, "_Old_key" int)')
    with pytest.raises(UnsupportedColumnError, match="_Old_key"):
        begin(config_of(source, "t"), store)


LONG = "repeat('x', 17 * 1024 * 1024)"


def test_a_row_too_long_for_bronze_holds_up_no_other_table_and_a_resync_mends_its_own(
    source: Source, store: DirectoryStore, other_store: DirectoryStore
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t", "u")
    begin(config, store)
    source.execute("INSERT INTO t VALUES (1, repeat('x', 15 * 1024 * 1024))")
    source.execute(f"BEGIN; INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, {LONG}); COMMIT")
    source.execute("INSERT INTO u VALUES (1)")
    follow(config, store, source)
    source.execute("INSERT INTO t VALUES (4, 'd')")
    source.execute("INSERT INTO u VALUES (2)")
    with following(config, store, source) as running:
        running.catch_up()
        wait_until(lambda: running.status is not None and bool(running.status.troubles))
        assert running.status is not None
        (trouble,) = running.status.troubles
        assert (trouble.table, "lakehouse resync" in trouble.guidance) == ("public.t", True)
        (gap,) = flushes(store)[-1].gaps
        assert trouble.since_lsn == gap.first_lsn
        landed_keys = [(row["table"], row["id"]) for row in changes(store)]
        assert ("public.u", "1") in landed_keys
        assert ("public.u", "2") in landed_keys
        assert ("public.t", "3") not in landed_keys

        source.execute("UPDATE t SET v = 'short' WHERE id = 3")
        running.catch_up()
        resync(config, store, [TableId.parse("t")])
        source.execute("INSERT INTO t VALUES (5, 'e')")
        running.catch_up()
        wait_until(lambda: running.status is not None and running.status.troubles == ())
        source.execute("INSERT INTO u VALUES (3)")
        running.catch_up()
        assert flushes(store)[-1].gaps == ()
    assert running.error is None
    for table in ("t", "u"):
        assert replayed(store, table) == copied(source, other_store, table)
