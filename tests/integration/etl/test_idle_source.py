"""A source that rests keeps no log for us, whoever else writes in its cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config import env
from etl.bronze.directory import DirectoryStore
from etl.replicate.lsn import Lsn
from etl.replicate.status import ReplicatorState
from tests.integration.etl.conftest import Source
from tests.integration.etl.replication import SLOT, changes, config_of, flushes, fresh_database, serving, wait_until

pytestmark = pytest.mark.integration

_FILL = "INSERT INTO busy SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 8000) i"


@pytest.fixture
def source() -> Iterator[Source]:
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as database:
        yield database


@pytest.fixture
def neighbour() -> Iterator[Source]:
    """Another database of the cluster: what it writes stands in the same log, and is not sent to us."""
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as database:
        database.execute("CREATE TABLE busy (id int, text text)")
        yield database


def lsn_of_slot(source: Source, column: str) -> Lsn:
    ((text,),) = source.execute(f"SELECT {column}::text FROM pg_replication_slots WHERE slot_name = '{SLOT}'")
    return Lsn.parse(text)


def end_of_log(source: Source) -> Lsn:
    ((text,),) = source.execute("SELECT pg_current_wal_flush_lsn()::text")
    return Lsn.parse(text)


def test_log_that_only_others_write_is_let_go(source: Source, neighbour: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with serving(config_of(source, "t"), store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        began = end_of_log(source)
        neighbour.execute(_FILL)
        written = end_of_log(source)
        assert written - began > 4 * 1024 * 1024
        wait_until(lambda: lsn_of_slot(source, "confirmed_flush_lsn") >= written)
        wait_until(lambda: running.status.durable_lsn >= written)
        # What the slot needs to start again from follows when the server notes its running transactions.
        neighbour.execute("CHECKPOINT")
        wait_until(lambda: lsn_of_slot(source, "restart_lsn") >= written)
    assert flushes(store) == [], "nothing happened, so nothing is written"
    neighbour.execute(_FILL)
    source.execute("INSERT INTO t VALUES (1)")
    with serving(config_of(source, "t"), store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        running.catch_up(source)
        source.execute("INSERT INTO t VALUES (2)")
        running.catch_up(source)
    assert [row["id"] for row in changes(store)] == ["1", "2"], "bronze ends before the slot does, and misses nothing"


def test_a_table_that_is_not_selected_holds_nothing_back(source: Source, store: DirectoryStore, tmp_path: Path):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE busy (id int, text text)")
    with serving(config_of(source, "t"), store, tmp_path) as running:
        running.await_state(ReplicatorState.STREAMING)
        source.execute(_FILL)
        written = end_of_log(source)
        wait_until(lambda: lsn_of_slot(source, "confirmed_flush_lsn") >= written)
