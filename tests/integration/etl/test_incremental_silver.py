"""Changes reach silver: any history, cut anywhere, repeated anywhere, gives what the source holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog

from etl.bronze.directory import DirectoryStore
from etl.bronze.window import ChangeLog, Window
from etl.contracts.table import TableContract, TableId
from etl.engine import merge_on_read
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, snapshot_relation
from etl.silver import compact as compaction
from etl.silver.applier import ChangeApplier, Outcome
from etl.silver.apply import apply_load
from etl.silver.changed import changed_rows
from etl.silver.failpoint import Failpoint, Moment, ignore
from etl.silver.load import loaded_table
from tests.change_files import SLOT, Bronze, Change
from tests.contracts import contract
from tests.integration.etl.conftest import Source
from tests.lakes import lake_in

pytestmark = pytest.mark.integration

Key = tuple[int, int]
Row = tuple[str | None, str | None, Decimal]
"""note, document (large: not sent again if it is as before), amount."""

TEXTS = ("", "NULL", 'say "hi"', "two\nlines", "a,b", "\U0001f926", "\\N", "plain", None)
_numbers = itertools.count()


@dataclass
class World:
    """A lake and the session that works on it."""

    lake: LakeConfig
    catalog: Catalog
    connection: duckdb.DuckDBPyConnection
    store: DirectoryStore

    def parts(self) -> TableContract:
        """A table of its own for each example."""
        return contract(
            f"parts{next(_numbers)}",
            ("tenant_id", "bigint"),
            ("id", "bigint"),
            ("note", "text"),
            ("document", "json"),
            ("amount", "decimal(12,2)!"),
            key=("tenant_id", "id"),
        )

    def load(self, bronze: Bronze, table: TableContract, rows: Mapping[Key, Row]) -> None:
        manifest = bronze.load({table: [_values(key, row) for key, row in rows.items()]})
        apply_load(self.catalog, self.connection, loaded_table(self.store, manifest, table.table))

    def applier(self, table: TableContract, failpoint: Failpoint = ignore) -> ChangeApplier:
        return ChangeApplier(
            self.catalog,
            self.connection,
            self.store,
            slot=SLOT,
            tables=[table.table],
            threads=1,
            failpoint=failpoint,
        )

    def rows(self, table: TableContract, columns: str = "note, document, amount") -> dict[Key, Row]:
        relation = snapshot_relation(load_table(self.catalog, f"silver.{table.table.lake_name}"))
        found = self.connection.execute(f"SELECT tenant_id, id, {columns} FROM ({relation})").fetchall()
        rows = {(tenant, number): tuple(row) for tenant, number, *row in found}
        assert len(rows) == len(found), "a key has two rows"
        return rows

    def scanned(self, table: TableContract) -> dict[Key, Row]:
        """What pyiceberg itself reads."""
        scan = load_table(self.catalog, f"silver.{table.table.lake_name}").scan().to_arrow().to_pylist()
        return {(row["tenant_id"], row["id"]): (row["note"], row["document"], row["amount"]) for row in scan}


@pytest.fixture(scope="module")
def world(source_database: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    lake = lake_in(tmp_path_factory.mktemp("incremental"), source_database.url)
    source_database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        yield World(lake, catalog, connection, DirectoryStore(Path(lake.bronze_root)))


@pytest.fixture
def bronze(world: World) -> Bronze:
    """A slot's changes from the beginning: each test has bronze for itself."""
    return fresh_bronze(world)


def fresh_bronze(world: World) -> Bronze:
    world.store = DirectoryStore(Path(world.lake.bronze_root) / str(next(_numbers)))
    return Bronze(world.store)


def _values(key: Key, row: Row) -> dict[str, str | None]:
    return {"tenant_id": str(key[0]), "id": str(key[1]), "note": row[0], "document": row[1], "amount": str(row[2])}


# -- Histories ------------------------------------------------------------------------------------------------------

keys = st.tuples(st.integers(1, 2), st.integers(1, 5))
notes = st.sampled_from(TEXTS)
documents = st.sampled_from(('{"a": 1}', '["x, y", "\\n"]', "null", None))
amounts = st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents).scaleb(-2))
rows = st.tuples(notes, documents, amounts)
acts = st.one_of(
    st.tuples(st.just("put"), keys, rows),
    st.tuples(st.just("note"), keys, notes),
    st.tuples(st.just("note"), keys, notes),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("move"), keys, keys, notes),
    st.tuples(st.just("swap"), keys, keys),
    st.tuples(st.just("truncate")),
)
transactions = st.lists(st.lists(acts, min_size=1, max_size=4), min_size=1, max_size=8)


class Model:
    """The source's table: a dictionary, and the changes that it would send."""

    def __init__(self, table: TableContract, rows: Mapping[Key, Row]) -> None:
        self.table = table
        self.rows = dict(rows)

    def act(self, act: tuple) -> list[Change]:
        match act:
            case ("put", key, row) if key in self.rows:
                return [self._update(key, key, row)]
            case ("put", key, row):
                self.rows[key] = row
                return [self._change("I", key, row)]
            case ("note", key, note) if key in self.rows:
                return [self._update(key, key, (note, *self.rows[key][1:]))]
            case ("delete", key) if key in self.rows:
                del self.rows[key]
                return [Change(contract=self.table, op="D", values={"tenant_id": str(key[0]), "id": str(key[1])})]
            case ("move", old, new, note) if old in self.rows and new not in self.rows:
                return [self._update(old, new, (note, *self.rows[old][1:]))]
            case ("swap", one, other) if one != other and {one, other} <= self.rows.keys():
                aside = (1, 99)
                return [
                    self._update(old, new, self.rows[old]) for old, new in ((one, aside), (other, one), (aside, other))
                ]
            case ("truncate",):
                self.rows.clear()
                return [Change(contract=self.table, op="T")]
        return []

    def _update(self, old: Key, new: Key, row: Row) -> Change:
        is_unchanged = row[1] is not None and row[1] == self.rows[old][1]
        del self.rows[old]
        self.rows[new] = row
        change = self._change("U", new, (row[0], None, row[2]) if is_unchanged else row)
        old_key = {"tenant_id": str(old[0]), "id": str(old[1])} if old != new else None
        return replace(change, unchanged=("document",) if is_unchanged else (), old_key=old_key)

    def _change(self, op: str, key: Key, row: Row) -> Change:
        return Change(contract=self.table, op=op, values=_values(key, row))


@settings(
    phases=[__import__("hypothesis").Phase.generate],
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    first=st.dictionaries(keys, rows, max_size=6),
    history=transactions,
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=6),
    windows=st.lists(st.integers(1, 3), min_size=1, max_size=6),
    small=st.sampled_from((0, 2, 4_000)),
    chance=st.randoms(use_true_random=False),
)
def test_silver_is_what_the_source_holds(world: World, first, history, cuts, windows, small, chance) -> None:
    """Whatever happens at the source, however it is cut into flushes and windows, repeated or compacted."""
    bronze, table = fresh_bronze(world), world.parts()
    model = Model(table, first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_on_read, "SMALL_FILE_ROWS", small)
        patch.setattr(merge_on_read, "SMALL_DELETE_ROWS", small)
        patch.setattr(compaction, "MERGED_FILES", 1)
        world.load(bronze, table, first)
        bronze.flushed_lsn = bronze.lsn
        states = _land(bronze, model, history, cuts)
        with world.applier(table) as applier:
            log = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start())
            done: list[Window] = []
            for most in itertools.cycle(windows):
                before = load_table(world.catalog, f"silver.{table.table.lake_name}").current_snapshot()
                held = world.rows(table)
                window = log.read(most=most)
                if not window.manifests:
                    break
                _applied(applier, window)
                assert world.rows(table) == states[window.last_lsn]
                if chance.random() < 0.3:
                    applier.compact()
                assert before is not None
                _check_changed(world, table, before.snapshot_id, held)
                done.append(window)
                if chance.random() < 0.3:
                    _applied(applier, chance.choice(done))
                    assert world.rows(table) == states[window.last_lsn]
        with world.applier(table) as later:
            later.start()
            for window in done:
                _applied(later, window)
    assert world.rows(table) == world.scanned(table) == model.rows


def _land(bronze: Bronze, model: Model, history, cuts) -> dict[int, dict[Key, Row]]:
    """Land a history in flushes of so many transactions; return what the source held after each."""
    states = {bronze.lsn: dict(model.rows)}
    sizes = itertools.cycle(cuts)
    rest = list(history)
    while rest:
        size = next(sizes)
        flush = [[change for act in acts for change in model.act(act)] for acts in rest[:size]]
        rest = rest[size:]
        if any(flush):
            states[bronze.flush([changes for changes in flush if changes]).last_lsn] = dict(model.rows)
    return states


def _applied(applier: ChangeApplier, window: Window) -> None:
    for outcome in applier.apply(window):
        assert outcome.outcome in {Outcome.APPLIED, Outcome.IDLE}, outcome.error


def _check_changed(world: World, table: TableContract, since: int, held: Mapping[Key, Row]) -> None:
    """Every row that differs, old or new, is among those that `changed_rows` tells."""
    opened = load_table(world.catalog, f"silver.{table.table.lake_name}")
    select = changed_rows(opened, since)
    assert select is not None
    told = {
        ((tenant, number), (note, document, amount))
        for tenant, number, note, document, amount in world.connection.execute(
            f"SELECT tenant_id, id, note, document, amount FROM ({select})"
        ).fetchall()
    }
    now = world.rows(table)
    assert set(held.items()) ^ set(now.items()) <= told
