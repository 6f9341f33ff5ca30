"""The replicator as a process: what it says of itself, what it waits for, what ends it, and whom it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import env
from config.embedded.ports import free_port
from etl.bronze.directory import DirectoryStore
from etl.contracts.source import open_source
from etl.contracts.table import TableId
from etl.jobs import full_load as job
from etl.jobs.progress import Progress as JobProgress
from etl.ports.replicator import SourceNotReadyError
from etl.replicate.changes import newest_loads
from etl.replicate.fence import FenceNotReachedError, set_fence, wait_for_fence
from etl.replicate.lsn import Lsn
from etl.replicate.preflight import all_problems
from etl.replicate.replicator import begin, resync
from etl.replicate.slot import SlotLostError
from etl.replicate.status import ReplicatorState, ReplicatorStatus, Standing
from tests.integration.etl.conftest import Source
from tests.integration.etl.replication import (
    DEADLINE_SECONDS,
    SLOT,
    changes,
    config_of,
    copied,
    flushes,
    fresh_database,
    replayed,
    serving,
    wait_until,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def source() -> Iterator[Source]:
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as database:
        yield database


def test_it_begins_follows_and_says_how_far_it_is(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)")
    with serving(config_of(source, "t"), store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        assert running.status.loaded_rows == 10
        source.execute("DELETE FROM t WHERE id <= 3")
        status = running.catch_up(source)
        assert (status.changes, status.error_class, status.tables) == (3, None, ())
        assert status.standing(datetime.now(UTC)) is Standing.WELL
        assert replayed(store, "t") == copied(source, other_store, "t")
        before = len(flushes(store))
        running.catch_up(source)
        assert len(flushes(store)) == before, "an idle source makes no flush, and the fence is passed all the same"
    assert running.errors == []
    assert running.status.state is ReplicatorState.STOPPED


def test_what_is_newest_in_bronze_is_known_before_anything_comes_and_after_a_restart(
    source: Source, store: DirectoryStore, tmp_path: Path
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    with serving(config_of(source, "t"), store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        (load,) = newest_loads(store)
        assert running.status.committed_to == load.snapshot_at, "a lone source that is idle from the start"
        source.execute("INSERT INTO t VALUES (2)")
        newest = running.catch_up(source).committed_to
        assert newest is not None
        assert datetime.fromisoformat(newest) > datetime.fromisoformat(load.snapshot_at)
    with serving(config_of(source, "t"), store, tmp_path) as again:
        again.await_state(ReplicatorState.STREAMING)
        assert again.status.committed_to == newest


def test_a_fence_that_nobody_brings_nearer_is_explained(source: Source):
    with closing(open_source(source.url)) as connection:
        fence = set_fence(connection)
        assert set_fence(connection) > fence
    with pytest.raises(FenceNotReachedError, match="No replicator has said"):
        wait_for_fence(lambda: None, slot=SLOT, fence=fence, seconds=0)
    failed = ReplicatorStatus(
        slot=SLOT,
        state=ReplicatorState.FAILED,
        written_at="2026-11-23T08:00:00+00:00",
        error_message="The slot is gone.",
    )
    with pytest.raises(FenceNotReachedError, match=r"is failed \(The slot is gone\.\)"):
        wait_for_fence(lambda: failed, slot=SLOT, fence=fence, seconds=0)


def test_a_selected_table_is_loaded_and_one_that_cannot_be_is_refused_alone(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path
):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    begin(config_of(source, "t"), store)
    source.execute("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    source.execute("CREATE TABLE keyless (id int); INSERT INTO keyless VALUES (1)")
    config = config_of(source, "t", "u", "keyless")
    with serving(config, store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        source.execute("INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)")
        status = running.catch_up(source)
        (trouble,) = status.tables
        assert trouble.table == "public.keyless"
        assert "has no primary key" in trouble.message
    assert running.errors == []
    for table in ("t", "u"):
        assert replayed(store, table) == copied(source, other_store, table)


def test_a_table_that_is_gone_stops_no_other_not_even_at_a_start(source: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t", "u")
    begin(config, store)
    source.execute("DROP TABLE u")
    with serving(config, store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        source.execute("INSERT INTO t VALUES (1)")
        (trouble,) = running.catch_up(source).tables
        assert (trouble.table, "no table public.u" in trouble.message) == ("public.u", True)
        resync(config, store, [TableId.parse("t")])
        with pytest.raises(SourceNotReadyError):
            resync(config, store, [TableId.parse("u")])
    assert running.errors == []
    assert [row["id"] for row in changes(store, "t")] == ["1"]


def test_a_table_left_out_of_the_publication_is_a_gap_until_it_is_loaded_again(
    source: Source, store: DirectoryStore, other_store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("etl.replicate.session._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("etl.replicate.session._LOOK_AT_TABLES_SECONDS", 0.05)
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    config = config_of(source, "t", "u")
    with serving(config, store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        source.execute("BEGIN; ALTER PUBLICATION lakeside DROP TABLE t; INSERT INTO t VALUES (1); COMMIT")
        source.execute("INSERT INTO t VALUES (2)")
        published = "SELECT 1 FROM pg_publication_tables WHERE tablename = 't'"
        wait_until(lambda: source.execute(published) != [])
        source.execute("INSERT INTO t VALUES (3); INSERT INTO u VALUES (1)")
        running.catch_up(source)
        (gap,) = flushes(store)[-1].gaps
        assert (str(gap.table), "did not send" in gap.message) == ("public.t", True)
        resync(config, store, [TableId.parse("t")])
        source.execute("INSERT INTO t VALUES (4)")
        running.catch_up(source)
        wait_until(lambda: running.status.tables == ())
    assert replayed(store, "t") == copied(source, other_store, "t")


def test_a_lost_slot_ends_it_and_the_status_says_what_to_do(source: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    config = config_of(source, "t")
    begin(config, store)
    source.execute(f"SELECT pg_drop_replication_slot('{SLOT}')")
    with serving(config, store, tmp_path) as running:
        running.thread.join(DEADLINE_SECONDS)
    assert [type(error) for error in running.errors] == [SlotLostError]
    status = running.status
    assert (status.state, status.standing(datetime.now(UTC))) == (ReplicatorState.FAILED, Standing.FAILED)
    assert "lakehouse resync --all" in str(status.guidance)
    resync(config, store)
    with serving(config, store, tmp_path) as running:
        source.execute("INSERT INTO t VALUES (1)")
        running.await_state(ReplicatorState.STREAMING)
        running.catch_up(source)
    assert [row["id"] for row in changes(store, "t")] == ["1"]


def test_a_source_that_does_not_answer_is_waited_for(source: Source, store: DirectoryStore, tmp_path: Path):
    nowhere = replace(config_of(source, "t"), source_url=f"postgresql://me@127.0.0.1:{free_port()}/shop")
    with serving(nowhere, store, tmp_path) as running:
        status = running.await_state(ReplicatorState.WAITING)
        assert "did not" in str(status.error_message) or "not" in str(status.error_message)
        assert status.standing(datetime.now(UTC)) is Standing.WAITING
        assert status.standing(datetime.now(UTC) + timedelta(seconds=60)) is Standing.SILENT
    assert running.errors == []


def test_with_too_little_room_it_waits_and_confirms_nothing(source: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    room = [0]
    config = replace(config_of(source, "t"), reserve_bytes=10, free_bytes=lambda: room[0])
    begin(config, store)
    with serving(config, store, tmp_path) as running:
        status = running.await_state(ReplicatorState.WAITING)
        assert "LAKEHOUSE_DISK_RESERVE_BYTES" in str(status.error_message)
        source.execute("INSERT INTO t VALUES (1)")
        assert changes(store) == []
        room[0] = 10
        running.await_state(ReplicatorState.STREAMING)
        running.catch_up(source)
    assert [row["id"] for row in changes(store)] == ["1"]


def test_behind_and_not_moving_is_a_standing_of_its_own():
    moved = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    now = moved + timedelta(minutes=2)
    status = ReplicatorStatus(
        slot=SLOT,
        state=ReplicatorState.STREAMING,
        written_at=now.isoformat(),
        durable_lsn=1,
        server_lsn=5,
        moved_at=moved.isoformat(),
    )
    assert status.standing(now) is Standing.NOT_MOVING
    assert replace(status, durable_lsn=5).standing(now) is Standing.WELL
    assert ReplicatorStatus.from_json(status.to_json()) == status


def test_the_job_begins_the_slot_and_loads_around_it_afterwards(source: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1)")

    def run(request_id: str, *tables: str, takes_new: bool = True) -> job.FullLoadResult:
        arguments = job.FullLoadArguments(
            lake_uri=str(tmp_path),
            tables=tables,
            request_id=request_id,
            source_url=source.url,
            slot=SLOT,
            slot_tables=("t", "u"),
            takes_new=takes_new,
        )
        with JobProgress(tmp_path / "progress") as progress:
            return job.run(arguments, progress, store=store)

    first = run("one", "t", "u")
    assert source.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()") == [(SLOT,)]
    source.execute("INSERT INTO t VALUES (2)")
    assert run("one", "t", "u").load_id == first.load_id
    assert run("two", "t", "u", takes_new=False).load_id == first.load_id
    second = run("three", "t", "u")
    assert Lsn(second.lsn) > Lsn(first.lsn)
    assert [table.rows for table in second.tables] == [2, 0]
    assert [(table.table, table.rows) for table in run("four", "t").tables] == [("public.t", 2)]
    config = config_of(source, "t", "u")
    with serving(config, store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        running.catch_up(source)
    assert [row["id"] for row in changes(store)] == ["2"], "changes go on from where the slot began"


def test_everything_that_is_missing_is_named_at_once(source: Source):
    source.execute("CREATE TABLE keyless (id int); CREATE TABLE t (id int PRIMARY KEY, price money)")
    source.execute("CREATE TABLE mute (id int PRIMARY KEY); ALTER TABLE mute REPLICA IDENTITY NOTHING")
    tables = [TableId.parse(name) for name in ("keyless", "t", "mute", "absent")]
    with closing(open_source(source.url)) as connection:
        problems = all_problems(connection, tables, slot=SLOT, publication="lakeside")
    texts = [str(problem) for problem in problems]
    assert len(texts) == 5
    for part in ("keyless", "price", "REPLICA IDENTITY FULL", "absent", "CREATE PUBLICATION"):
        assert any(part in text for text in texts), part
    assert source.execute("SELECT 1 FROM pg_publication") == []


def test_a_slot_of_another_database_is_left_alone(source: Source, store: DirectoryStore):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as other:
        other.execute(f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
        with pytest.raises(SourceNotReadyError, match="LAKEHOUSE_SLOT"):
            begin(config_of(source, "t"), store)
        assert other.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()") == [
            (SLOT,)
        ]
