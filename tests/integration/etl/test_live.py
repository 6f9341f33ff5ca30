"""Source, bronze and silver at one position, while writers write: equal if they are, and a difference where it is."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import psycopg
import pytest

from config import env
from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import CHANGES_PREFIX
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.scratch import scratch_folder
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, snapshot_relation, summary
from etl.engine.write import table_write
from etl.jobs.changes_to_silver import ChangesToSilver
from etl.jobs.changes_to_silver import run as apply_changes
from etl.jobs.progress import Progress
from etl.quality.differences import Difference, DifferenceKind
from etl.quality.live import LakeLayer, LiveComparison, LiveReport, compare_live
from etl.replicate.fence import FenceNotReachedError
from etl.replicate.replicator import resync
from etl.replicate.status import STATUS_NAME, StatusFile
from etl.silver.repair import NotRepairableError, Repaired, repair
from tests.integration.etl.conftest import Source
from tests.integration.etl.replication import SLOT, config_of, flushes, fresh_database, newest_load, serving
from tests.lakes import apply, lake_in

pytestmark = pytest.mark.integration

TABLES = ("items", "notes")
SCHEMA = """
    CREATE TABLE items (tenant_id int, id int, amount numeric(12,2), document text, PRIMARY KEY (tenant_id, id));
    ALTER TABLE items ALTER document SET STORAGE EXTERNAL;
    CREATE TABLE notes (id bigint PRIMARY KEY, text text);
    INSERT INTO items SELECT i % 3, i, i * 1.01, repeat(md5(i::text), 100) FROM generate_series(1, 120) i;
    INSERT INTO notes SELECT i, nullif('note ' || i % 4, 'note 0') FROM generate_series(1, 60) i;
"""


@dataclass(frozen=True)
class World:
    """A source that is followed, and its lake."""

    source: Source
    lake: LakeConfig
    store: DirectoryStore
    status: StatusFile

    @classmethod
    def of(cls, source: Source, folder: Path) -> World:
        lake = lake_in(folder, source.url)
        store = DirectoryStore(Path(lake.bronze_root))
        return cls(source, lake, store, StatusFile(folder / STATUS_NAME))

    def load(self) -> None:
        apply(self.lake, newest_load(self.store).load_id)

    def bring_silver(self) -> None:
        result = apply_changes(ChangesToSilver(lake=self.lake, slot=SLOT), Progress())
        assert [each.message for each in result.tables if each.error] == []

    def compare(self, *tables: str, wait_seconds: float = 60.0) -> LiveReport:
        return compare_live(
            self.source.url,
            self.lake,
            self.store,
            [TableId.parse(table) for table in tables or TABLES],
            read_status=self.status.read,
            wait_seconds=wait_seconds,
        )

    def of_items(self) -> LiveComparison:
        items, notes = self.compare().tables
        assert notes.equal
        return items

    def repair(self, table: str = "items") -> Repaired:
        with open_catalog(self.lake) as catalog, duckdb_session(self.lake) as connection:
            return repair(catalog, connection, self.lake, self.store, TableId.parse(table), slot=SLOT)

    def plant(self, select: str) -> None:
        """Replace silver's items by a SELECT over ``items``, as if they had come about in the usual way."""
        with open_catalog(self.lake) as catalog, duckdb_session(self.lake) as connection:
            table = load_table(catalog, "silver.items")
            own = {name: text for name, text in summary(table).items() if name.startswith("lakeside.")}
            connection.execute(f"CREATE TEMP VIEW items AS {snapshot_relation(table)}")
            before = tuple(task.file for task in table.scan().plan_files())
            with table_write(table, connection) as write:
                write.commit(add=write.parquet(select), delete=before, properties=own)

    def silver_items(self) -> list[tuple]:
        with open_catalog(self.lake) as catalog, duckdb_session(self.lake) as connection:
            relation = snapshot_relation(load_table(catalog, "silver.items"))
            return connection.execute(f"SELECT * FROM ({relation}) ORDER BY ALL").fetchall()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A source whose first load is in silver, and a replicator that follows it."""
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as source:
        source.execute(SCHEMA)
        world = World.of(source, tmp_path)
        with serving(config_of(source, *TABLES), world.store, tmp_path) as running:
            running.catch_up(source)
            world.load()
            yield world


def write(url: str, number: int, stop: threading.Event, errors: list[BaseException]) -> None:
    """Insert, update, move and delete rows of one tenant, truncate the notes now and then."""
    chance = Random(number)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(0.01):
                with connection.transaction():
                    for _ in range(chance.randint(1, 5)):
                        row = chance.randint(1, 60) * 10 + number
                        act = chance.choice(_ACTS)
                        connection.execute(act.encode(), {"tenant": number, "id": row, "other": row + 1000})
                if number == 0 and chance.random() < 0.003:
                    connection.execute("TRUNCATE notes")
    except psycopg.Error as error:
        errors.append(error)


_ITEM = "(tenant_id, id) = (%(tenant)s, %(id)s)"
_OTHER = "(tenant_id, id) = (%(tenant)s, %(other)s)"
_NEW = "INSERT INTO items VALUES (%(tenant)s, %(id)s, random() * 100, repeat(md5(random()::text), 100))"
_NOTE = "INSERT INTO notes VALUES (%(id)s, md5(random()::text))"
_ACTS = (
    f"{_NEW} ON CONFLICT DO NOTHING",
    f"UPDATE items SET amount = amount + 1 WHERE {_ITEM}",
    f"UPDATE items SET id = %(other)s WHERE {_ITEM} AND NOT EXISTS (SELECT FROM items WHERE {_OTHER})",
    f"DELETE FROM items WHERE {_OTHER}",
    f"{_NOTE} ON CONFLICT (id) DO UPDATE SET text = excluded.text",
)


@contextmanager
def writers(url: str, count: int = 3) -> Iterator[None]:
    stop = threading.Event()
    errors: list[BaseException] = []
    threads = [threading.Thread(target=write, args=(url, number, stop, errors)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_layers_are_equal_at_one_position_while_everything_moves(world: World) -> None:
    lsns = []
    with writers(world.source.url):
        for number in range(3):
            report = world.compare()
            assert [(each.bronze, each.silver) for each in report.tables if not each.equal] == []
            lsns.append(report.lsn)
            if number % 2:  # Silver stands right behind the source, or far.
                world.bring_silver()
    assert lsns == sorted(set(lsns))
    assert list((Path(world.lake.lake_uri) / "scratch").glob("*/")) == [], "nothing is left"


WRONG = """
    SELECT * REPLACE (CASE WHEN id = 7 THEN 0 ELSE amount END AS amount) FROM items WHERE id <> 8
     UNION ALL SELECT * FROM items WHERE id = 9
     UNION ALL SELECT * REPLACE (9999 AS id) FROM items WHERE id = 9
"""


def test_wrong_rows_of_silver_are_found_and_put_right(world: World) -> None:
    world.source.execute("UPDATE items SET amount = amount + 1 WHERE id % 2 = 0; DELETE FROM items WHERE id = 20")
    assert world.of_items().equal
    world.bring_silver()
    right = world.silver_items()
    world.plant(WRONG)
    world.source.execute("UPDATE items SET amount = 5 WHERE id = 3")

    found = world.of_items()
    assert (found.first_different, found.bronze.equal) == (LakeLayer.SILVER, True)
    assert {each.key: each.kind for each in found.silver.differences} == {
        "1|7": DifferenceKind.CHANGED,
        "2|8": DifferenceKind.MISSING,
        "0|9": DifferenceKind.CHANGED,
        "0|9999": DifferenceKind.EXTRA,
    }

    repaired = world.repair()
    assert (repaired.keys, repaired.removed, repaired.added) == (4, 4, 3)
    assert world.silver_items() == right
    assert world.repair().keys == 0
    world.bring_silver()
    assert {row[1]: row[2] for row in world.silver_items()}[3] == 5
    assert world.of_items().equal


def test_a_key_that_bronze_deleted_gets_its_tombstone_back(world: World) -> None:
    world.source.execute("DELETE FROM items WHERE id = 9")
    assert world.of_items().equal
    world.bring_silver()
    again = (
        "(SELECT 0 AS tenant_id, 9 AS id, 1 AS amount, 'x' AS document, _committed_at, _change_seq FROM items LIMIT 1)"
    )
    with open_catalog(world.lake) as catalog:
        catalog.drop_table("tombstones.items")
    world.plant(f"SELECT * FROM items UNION ALL {again}")
    assert world.of_items().silver.differences == (Difference(key="0|9", kind=DifferenceKind.EXTRA),)
    assert world.repair().removed == 1
    with open_catalog(world.lake) as catalog:
        (buried,) = load_table(catalog, "tombstones.items").scan().to_arrow().to_pylist()
    assert buried["key"] == '["0","9"]'
    assert world.of_items().equal


def rewrite_change(world: World, old: bytes, new: bytes) -> None:
    """Change a value in bronze, and everything that would give it away."""
    root = Path(world.lake.bronze_root)
    for manifest in sorted((root / CHANGES_PREFIX).rglob("*.json")):
        document = json.loads(manifest.read_text())
        for file in document["files"]:
            path = root / file["key"]
            text = gzip.decompress(path.read_bytes())
            if old not in text:
                continue
            data = gzip.compress(text.replace(old, new))
            for each in (path, manifest):
                each.chmod(0o600)
            path.write_bytes(data)
            file |= {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            manifest.write_text(json.dumps(document))
            return
    raise AssertionError("no file holds this value")


def test_a_wrong_row_of_bronze_is_found_where_it_came_about(world: World) -> None:
    world.source.execute("UPDATE items SET amount = 77.77 WHERE id = 5")
    assert world.of_items().equal
    rewrite_change(world, b'"77.77"', b'"66.66"')

    found = world.of_items()
    assert (found.first_different, found.silver.equal) == (LakeLayer.BRONZE, True), "silver has not read it yet"
    assert found.bronze.differences == (Difference(key="2|5", kind=DifferenceKind.CHANGED),)

    resync(config_of(world.source, *TABLES), world.store, [TableId.parse("items")])
    apply(world.lake, newest_load(world.store).load_id)
    assert world.of_items().equal


def test_a_damaged_or_missing_file_of_bronze_is_told_of_its_table_alone(world: World) -> None:
    world.source.execute("UPDATE items SET amount = 77.77 WHERE id = 5")
    assert world.of_items().equal
    world.bring_silver()
    (file,) = [file for flush in flushes(world.store) for file in flush.files if file.table.name == "items"]
    path = Path(world.lake.bronze_root) / file.key
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:-5])
    found = world.of_items()
    assert (found.first_different, found.bronze.rows) == (LakeLayer.BRONZE, None)
    assert file.key in found.bronze.problem
    assert found.silver.equal, "with bronze unreadable, silver is held against the source"
    with pytest.raises(NotRepairableError, match="cannot be repaired"):
        world.repair()
    path.unlink()
    found = world.of_items()
    assert (found.first_different, bool(found.bronze.problem)) == (LakeLayer.BRONZE, True)


def test_columns_that_come_and_go_are_followed(world: World) -> None:
    world.source.execute(
        "ALTER TABLE items ADD COLUMN rank int NOT NULL DEFAULT 7; ALTER TABLE items RENAME document TO paper"
    )
    found = world.of_items()
    assert "lacks the column" in found.bronze.problem
    world.source.execute("UPDATE items SET rank = 8 WHERE id = 4")
    assert world.of_items().equal
    world.bring_silver()
    world.source.execute("ALTER TABLE items DROP COLUMN amount; UPDATE items SET rank = 9 WHERE id = 5")
    assert world.of_items().equal


def test_rows_in_quarantine_are_named_as_such(world: World) -> None:
    world.source.execute("ALTER TABLE notes ADD day date; UPDATE notes SET day = 'infinity' WHERE id = 5")
    items, notes = world.compare().tables
    assert items.equal
    assert (notes.first_different, notes.bronze.refused) == (LakeLayer.BRONZE, 1)
    assert "in quarantine" in notes.bronze.problem
    world.bring_silver()
    assert world.compare().tables[1].silver.equal


def test_without_a_replicator_it_is_not_waited_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.replicate.fence._GONE_SECONDS", 0.1)
    gone = replace(world, status=StatusFile(Path(world.lake.lake_uri) / "nowhere.json"))
    with pytest.raises(FenceNotReachedError, match="No replicator"):
        gone.compare()


def test_what_a_killed_comparison_left_is_removed_by_the_next(world: World) -> None:
    left = Path(world.lake.lake_uri) / "scratch" / "0123456789abcdef"
    left.mkdir(parents=True)
    (left / "in-use").touch()
    with scratch_folder(world.lake) as mine:
        assert not left.exists()
        with scratch_folder(world.lake) as another:
            assert mine.exists(), "it is in use"
        assert not another.exists()
    assert not mine.exists()
