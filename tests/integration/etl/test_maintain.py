"""Maintenance: whatever happened before, what a kept publication reads stays, and what nobody reaches goes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import StaticTable, Table

from etl.bronze.directory import DirectoryStore
from etl.bronze.window import ChangeLog
from etl.contracts.publication import TablePin
from etl.engine.catalog import FILE_IO, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.live_files import live_files
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_session
from etl.engine.tables import ensure_table, load_table
from etl.engine.types import iceberg_schema
from etl.engine.write import table_write
from etl.jobs import maintain
from etl.jobs.maintain import Maintain
from etl.jobs.progress import Progress
from etl.maintain.bronze import prune_bronze
from etl.maintain.compact import compact_gold
from etl.maintain.expire import expire
from etl.maintain.folder import stored_files
from etl.maintain.reach import PinBrokenError, Reach, RetainedBy
from etl.maintain.storage import UNKNOWN, stored_in_bronze, stored_in_tables
from etl.maintain.sweep import look_through, sweep
from tests.change_files import Bronze, Change
from tests.contracts import contract
from tests.lakes import apply, lake_in
from tests.servers import Database

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
_NAMES = itertools.count(1)
_SCHEMA = iceberg_schema([("tenant_id", "bigint"), ("amount", "bigint")])

Rows = frozenset[tuple[int, int]]


class KilledError(BaseException):
    """The process is gone."""


def dying(after: int) -> Callable[[str], None]:
    """Return a failpoint that kills the process once so many files are gone."""
    left = itertools.count(after, -1)

    def die(_path: str) -> None:
        if next(left) <= 0:
            raise KilledError

    return die


class Gold:
    """One table of gold, its publications, and what each of them showed when it was made."""

    def __init__(self, catalog: Catalog, session: object) -> None:
        self.catalog, self.session = catalog, session
        self.name = f"gold.history_{next(_NAMES)}"
        self.table: Table = ensure_table(catalog, self.name, _SCHEMA, partition_by="tenant_id")
        self.rows: dict[int, int] = {}
        self.published: dict[int, tuple[TablePin, Rows]] = {}
        self.numbers = itertools.count(1)

    def change(self, *tenants: int, files: int = 1) -> None:
        """Replace the rows of some tenants, as an incremental model does; a tenant may lose its rows."""
        self.table = load_table(self.catalog, self.name)
        live = live_files(self.table)
        for tenant in tenants:
            self.rows[tenant] = self.rows.get(tenant, 0) + 1
        with table_write(self.table, self.session) as write:  # type: ignore[arg-type]
            added = [
                file
                for tenant in tenants
                for _ in range(files)
                for file in write.parquet(f"SELECT {tenant} AS tenant_id, {self.rows[tenant]} AS amount")
            ]
            removed = [file for tenant in tenants for file in live.data_by_partition.get(tenant, ())]
            delta = RowDelta(add=added, remove=removed, properties={"lakeside.as-of": "now"})
            write.commit_delta(live, delta, is_settled=lambda _file: False)

    def publish(self) -> None:
        self.table = load_table(self.catalog, self.name)
        snapshot = self.table.current_snapshot()
        assert snapshot is not None
        pin = TablePin(
            table=self.name, metadata_location=self.table.metadata_location, snapshot_id=snapshot.snapshot_id, rows=0
        )
        self.published[next(self.numbers)] = pin, frozenset(self.rows.items())

    @property
    def pins(self) -> list[TablePin]:
        return [pin for pin, _ in self.published.values()]

    def sweep(self, *, age: timedelta = 2 * HOUR, **options: object) -> int:
        """Sweep as if so much time had passed."""
        now = datetime.now(UTC) + age
        return sweep(self.catalog, self.name, pins=self.pins, now=now, safe_age=HOUR, **options).files  # type: ignore[arg-type]

    def sweep_and_die(self, *, after: int) -> None:
        """Sweep, and be killed after some files if there are so many."""
        with suppress(KilledError):
            self.sweep(failpoint=dying(after))

    def retire(self, chance: random.Random) -> None:
        """Keep some publication no longer; never the newest."""
        if len(self.published) > 1:
            del self.published[chance.choice(sorted(self.published)[:-1])]

    def compact(self) -> int:
        return compact_gold(self.catalog, self.session, self.name, dry_run=False)  # type: ignore[arg-type]

    def forget(self) -> int:
        return len(expire(self.catalog, self.name, before=datetime.now(UTC) + HOUR))

    def check(self) -> None:
        """Read every publication that is kept, and the table itself, as an independent reader does."""
        for pin, rows in self.published.values():
            assert read(pin) == rows
        table = load_table(self.catalog, self.name)
        snapshot = table.current_snapshot()
        if snapshot is not None:
            now = TablePin(
                table=self.name, metadata_location=table.metadata_location, snapshot_id=snapshot.snapshot_id, rows=0
            )
            assert read(now) == frozenset(self.rows.items())

    @property
    def files(self) -> list[str]:
        return sorted(file.path for file in stored_files(Path(self.table.location())))


def read(pin: TablePin) -> Rows:
    table = StaticTable.from_metadata(pin.metadata_location, properties=FILE_IO)
    rows = table.scan(snapshot_id=pin.snapshot_id).to_arrow().to_pylist()
    return frozenset((row["tenant_id"], row["amount"]) for row in rows)


@pytest.fixture
def lake(scratch_database: Callable[[], Database], tmp_path: Path) -> LakeConfig:
    return lake_in(tmp_path, scratch_database().catalog_url)


@pytest.fixture
def new_gold(lake: LakeConfig) -> Iterator[Callable[[], Gold]]:
    with ExitStack() as stack:
        catalog = stack.enter_context(open_catalog(lake))
        session = stack.enter_context(duckdb_session(lake))
        yield lambda: Gold(catalog, session)


@pytest.fixture
def gold(new_gold: Callable[[], Gold]) -> Gold:
    return new_gold()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happened_every_kept_publication_reads_what_it_read(
    seed: int, new_gold: Callable[[], Gold], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random histories of changes, publications, retirement, forgetting, compaction, sweeps and kills."""
    gold, chance, reach = new_gold(), random.Random(seed), Reach()
    monkeypatch.setattr("etl.maintain.compact.GOLD_FILES", 1)
    acts: dict[Callable[[], object], int] = {
        lambda: gold.change(*chance.sample(range(4), chance.randint(1, 2))): 8,
        gold.publish: 8,
        lambda: gold.retire(chance): 4,
        gold.forget: 2,
        gold.compact: 1,
        lambda: gold.sweep(reach=chance.choice((reach, Reach()))): 3,
        lambda: gold.sweep_and_die(after=chance.randint(0, 5)): 2,
    }
    gold.change(1, files=2)
    for _ in range(30):
        (act,) = chance.choices(list(acts), list(acts.values()))
        act()
        gold.check()
    for number in sorted(gold.published)[:-1]:
        del gold.published[number]
    gold.forget()
    gold.sweep()
    gold.check()
    stays = {
        each.retained_by
        for each in look_through(
            gold.catalog,
            gold.name,
            pins=gold.pins,
            now=datetime.now(UTC) + 2 * HOUR,
            safe_age=HOUR,
            reach=Reach(),
        )
    }
    assert RetainedBy.NOTHING not in stays, "a finished sweep leaves nothing that nobody reaches"


def test_what_gathers_is_bounded_by_what_is_kept(gold: Gold) -> None:
    for _ in range(30):
        gold.change(1)
        gold.publish()
    before = len(gold.files)
    gold.published = {30: gold.published[30]}
    gold.forget()
    removed = gold.sweep()
    assert (len(gold.files), removed) == (before + 1 - removed, removed)
    data = [file for file in gold.files if file.endswith(".parquet")]
    assert len(data) <= 3, "those of the newest snapshots"
    assert len(gold.files) < 25
    gold.check()


def test_a_young_file_stays_though_nobody_reaches_it(gold: Gold) -> None:
    gold.change(1)
    folder = Path(gold.table.location()) / "data"
    (folder / "being-written.parquet").write_bytes(b"PAR1")
    gold.change(1)
    assert gold.sweep(age=timedelta()) == 0
    gone = gold.sweep(age=2 * HOUR, dry_run=True)
    assert (folder / "being-written.parquet").exists()
    assert gold.sweep(age=2 * HOUR) == gone
    assert not (folder / "being-written.parquet").exists()
    gold.check()


def test_a_reader_of_what_was_current_within_the_safe_age_is_not_disturbed(gold: Gold) -> None:
    gold.change(1)
    reader = gold.table
    before = frozenset(gold.rows.items())
    for _ in range(6):
        gold.change(1)
    expire(gold.catalog, gold.name, before=datetime.now(UTC))  # By an impatient hand.
    swept = sweep(gold.catalog, gold.name, pins=(), now=datetime.now(UTC) + HOUR / 2, safe_age=HOUR)
    assert swept.files == 0
    rows = reader.scan().to_arrow().to_pylist()
    assert frozenset((row["tenant_id"], row["amount"]) for row in rows) == before


def test_an_interrupted_sweep_is_finished_by_the_next(gold: Gold) -> None:
    for _ in range(8):
        gold.change(1, 2)
    gold.publish()
    gold.forget()
    whole = gold.sweep(dry_run=True)
    for killed_at in (1, 3, 7):
        with pytest.raises(KilledError):
            gold.sweep(failpoint=dying(killed_at))
        gold.check()
    assert gold.sweep() == whole - 11
    assert gold.sweep() == 0
    gold.check()


def test_nothing_of_a_table_is_removed_if_a_pinned_file_is_gone(gold: Gold) -> None:
    gold.change(1)
    gold.publish()
    for _ in range(5):
        gold.change(1)
    Path(gold.published[1][0].metadata_location).unlink()
    gold.forget()
    before = gold.files
    with pytest.raises(PinBrokenError):
        gold.sweep()
    assert gold.files == before


def test_compaction_of_gold_changes_no_row_and_carries_what_the_rows_come_from(gold: Gold) -> None:
    gold.change(1, files=9)
    gold.change(2)
    rows = read_all(gold)
    assert compact_gold(gold.catalog, gold.session, gold.name, dry_run=True) == 1  # type: ignore[arg-type]
    assert compact_gold(gold.catalog, gold.session, gold.name, dry_run=False) == 1  # type: ignore[arg-type]
    assert read_all(gold) == rows
    table = load_table(gold.catalog, gold.name)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.additional_properties["lakeside.as-of"] == "now"
    assert len(live_files(table).data) == 2
    assert compact_gold(gold.catalog, gold.session, gold.name, dry_run=False) == 0  # type: ignore[arg-type]


def read_all(gold: Gold) -> list[tuple[int, int]]:
    rows = load_table(gold.catalog, gold.name).scan().to_arrow().to_pylist()
    return sorted((row["tenant_id"], row["amount"]) for row in rows)


class TestBronze:
    """What silver rests upon stays, however old."""

    LATER = datetime(2027, 6, 1, tzinfo=UTC)

    @pytest.fixture
    def store(self, tmp_path: Path) -> DirectoryStore:
        return DirectoryStore(tmp_path / "bronze")

    @pytest.fixture
    def bronze(self, store: DirectoryStore) -> Bronze:
        return Bronze(store)

    ORDERS = contract("orders", ("id", "bigint"), key=("id",))
    EVENTS = contract("events", ("id", "bigint"), key=("id",))

    def prune(self, store: DirectoryStore, rests_upon: dict[str, str], **options: object) -> tuple[int, int, int]:
        values = {"now": self.LATER, "keep": timedelta(days=30), "safe_age": HOUR, **options}
        pruned = prune_bronze(store, rests_upon, **values)  # type: ignore[arg-type]
        return pruned.loads, pruned.flushes, pruned.orphans

    def flush(self, bronze: Bronze, table: object, *numbers: int) -> int:
        changes = [Change(contract=table, op="I", values={"id": str(each)}) for each in numbers]  # type: ignore[arg-type]
        return bronze.flush([changes]).last_lsn

    def test_only_what_every_table_has_left_behind_goes(self, bronze: Bronze, store: DirectoryStore) -> None:
        first = bronze.load({self.ORDERS: [{"id": "1"}], self.EVENTS: [{"id": "1"}]})
        bronze.flushed_lsn = bronze.lsn
        self.flush(bronze, self.ORDERS, 2)
        self.flush(bronze, self.EVENTS, 2)
        second = bronze.load({self.ORDERS: [{"id": "1"}, {"id": "2"}]})
        last = self.flush(bronze, self.ORDERS, 3)
        silver = {"orders": second.load_id, "events": first.load_id}
        assert self.prune(store, silver, dry_run=True) == (0, 1, 0)
        assert self.prune(store, silver, now=datetime(2026, 11, 24, tzinfo=UTC)) == (0, 0, 0), "it is young"
        assert self.prune(store, silver) == (0, 1, 0), "events rests upon the first load and its own change"
        log = ChangeLog(store, slot="tests", after_lsn=first.lsn + 10)
        assert log.read().last_lsn == last, "what is left has no gap"
        third = bronze.load({self.ORDERS: [{"id": "1"}], self.EVENTS: [{"id": "1"}]})
        silver = dict.fromkeys(("orders", "events"), third.load_id)
        assert self.prune(store, silver) == (2, 1, 0), "the newest flush stays: the replicator goes on from it"
        keys = {info.key for info in store.list("")}
        assert {file.key for file in third.files} < keys
        assert not {file.key for file in (*first.files, *second.files)} & keys
        assert self.prune(store, silver) == (0, 0, 0)

    def test_a_load_that_silver_has_not_taken_stays(self, bronze: Bronze, store: DirectoryStore) -> None:
        bronze.load({self.ORDERS: [{"id": "1"}]})
        bronze.load({self.ORDERS: [{"id": "2"}]})
        assert self.prune(store, {}) == (0, 0, 0)

    def test_killed_at_any_object_the_next_one_finishes(self, bronze: Bronze, store: DirectoryStore) -> None:
        old = bronze.load({self.ORDERS: [{"id": "1"}]})
        bronze.flushed_lsn = bronze.lsn
        self.flush(bronze, self.ORDERS, 2)
        self.flush(bronze, self.ORDERS, 3)
        new = bronze.load({self.ORDERS: [{"id": "1"}]})
        assert self.prune(store, {"orders": new.load_id}, dry_run=True) == (1, 1, 0)
        for _ in range(3):
            with pytest.raises(KilledError):
                self.prune(store, {"orders": new.load_id}, failpoint=dying(1))
            assert {file.key for file in new.files} < {info.key for info in store.list("")}
        self.prune(store, {"orders": new.load_id})
        left = {info.key for info in store.list("")}
        assert not {file.key for file in old.files} & left
        assert self.prune(store, {"orders": new.load_id}) == (0, 0, 0)

    def test_files_of_a_load_that_died_go_and_young_ones_stay(self, bronze: Bronze, store: DirectoryStore) -> None:
        load = bronze.load({self.ORDERS: [{"id": "1"}]})
        store.put("public/orders/LOAD0000002A.csv.gz", b"half")
        silver = {"orders": load.load_id}
        assert self.prune(store, silver, now=datetime.now(UTC)) == (0, 0, 0)
        assert self.prune(store, silver, now=datetime.now(UTC) + timedelta(days=31)) == (0, 0, 1)
        assert [info.key for info in store.list("public/")] == [load.files[0].key]


def test_the_job_maintains_every_table_and_says_what_it_did(lake: LakeConfig, gold: Gold) -> None:
    store = DirectoryStore(Path(lake.bronze_root))
    bronze = Bronze(store)
    orders = contract("orders", ("id", "bigint"), key=("id",))
    for _ in range(5):
        apply(lake, bronze.load({orders: [{"id": "1"}]}).load_id)
    for _ in range(6):
        gold.change(1)
    gold.publish()
    stray = Path(lake.warehouse) / "gold" / "dropped"
    stray.mkdir()
    (stray / "file").write_bytes(b"12345")
    later = datetime.now(UTC) + timedelta(days=400)
    arguments = Maintain(
        lake=lake,
        pins=tuple(gold.pins),
        safe_age_seconds=3600,
        bronze_keep_seconds=30 * 86_400,
        now=later.isoformat(),
        dry_run=True,
    )
    looked = maintain.run(arguments, Progress())
    done = maintain.run(replace(arguments, dry_run=False), Progress())
    assert [(each.table, each.forgotten_snapshots) for each in looked.tables] == [
        (each.table, each.forgotten_snapshots) for each in done.tables
    ], "a look tells what is done"
    # But for the metadata file that forgetting itself supersedes.
    assert {
        after.removed_files - before.removed_files for before, after in zip(looked.tables, done.tables, strict=True)
    } <= {0, 1}
    by_table = {each.table: each for each in done.tables}
    assert by_table["silver.orders"].forgotten_snapshots > 0
    assert by_table[gold.name].removed_files > 0
    assert done.bronze.loads == 4
    assert not done.problems
    gold.check()
    again = maintain.run(replace(arguments, dry_run=False), Progress())
    assert sum(each.removed_files for each in again.tables) <= len(again.tables), "metadata that forgetting wrote"
    with open_catalog(lake) as catalog:
        stored = stored_in_tables(catalog, pins=gold.pins, now=later, safe_age=HOUR)
    assert (stray / "file").exists(), "no table of the catalog: not ours to remove"
    assert ("gold", "dropped", UNKNOWN, 1, 5) in {
        (each.layer, each.table, each.retained_by, each.files, each.size_bytes) for each in stored
    }
    layers = {each.retained_by for each in stored_in_bronze(store)}
    assert layers == {"full loads", "manifests", "contracts"}
    on_disk = sum(file.size_bytes for file in stored_files(Path(lake.warehouse)))
    assert sum(each.size_bytes for each in stored) == on_disk
