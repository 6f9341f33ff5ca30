"""Changes reach silver: any history, cut anywhere, repeated anywhere, gives what the source holds."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog

from etl.bronze.directory import DirectoryStore
from etl.bronze.window import ChangeLog, Window
from etl.contracts.table import Column, TableContract
from etl.engine import merge_on_read
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, snapshot_relation
from etl.jobs.changes_to_silver import ChangesToSilver, run
from etl.jobs.progress import Progress
from etl.silver import compact as compaction
from etl.silver.applier import ChangeApplier, Outcome
from etl.silver.apply import apply_load
from etl.silver.changed import changed_rows
from etl.silver.evolve import IncompatibleContractError
from etl.silver.failpoint import Failpoint, Moment, ignore
from etl.silver.load import loaded_table
from etl.silver.quarantine import waiting_rows
from etl.silver.replay import Replayed, replay, replay_tables
from etl.silver.table import SilverTable
from tests.change_files import SLOT, Bronze, Change
from tests.contracts import contract
from tests.integration.etl.conftest import Source
from tests.lakes import lake_in

pytestmark = pytest.mark.integration

Key = tuple[int, int]
Row = tuple[str | None, str | None, Decimal]
"""note, document (large: not sent again if it is as before), amount."""

History = list[list[tuple]]
"""Acts by transaction."""

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

    def act(self, act: tuple) -> list[Change]:  # noqa: PLR0911 - one for each act
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


_ROW: Row = ("first", '{"a": 1}', Decimal(1))
_KEYS_ON_THE_MOVE: History = [
    [("move", (1, 1), (2, 3), "moved")],
    [("swap", (1, 2), (2, 1))],
    [("move", (1, 2), (1, 1), None), ("put", (1, 2), _ROW)],
    [("note", (1, 2), "noted"), ("delete", (2, 1))],
    [("truncate",), ("put", (1, 5), _ROW)],
    [("note", (1, 5), "last")],
]
"""What chance alone finds too seldom."""


@example(
    first={(1, 1): _ROW, (1, 2): _ROW, (2, 1): ("other", None, Decimal(2))},
    history=_KEYS_ON_THE_MOVE, cuts=[1], windows=[1], small=0, chance=Random(1),
)  # fmt: skip
@example(
    first={(1, 1): _ROW, (1, 2): _ROW, (2, 1): ("other", None, Decimal(2))},
    history=_KEYS_ON_THE_MOVE, cuts=[4], windows=[3], small=2, chance=Random(1),
)  # fmt: skip
@settings(
    max_examples=15,
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
def test_silver_is_what_the_source_holds(
    world: World,
    *,
    first: dict[Key, Row],
    history: History,
    cuts: list[int],
    windows: list[int],
    small: int,
    chance: Random,
) -> None:
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


def _land(bronze: Bronze, model: Model, history: History, cuts: list[int]) -> dict[int, dict[Key, Row]]:
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


# -- Quarantine -----------------------------------------------------------------------------------------------------

TOO_LARGE = Decimal("99999999999.00")
"""One digit more than the column holds before its type is widened."""


def _widened(table: TableContract) -> TableContract:
    columns = [replace(each, type="decimal(14,2)") if each.name == "amount" else each for each in table.columns]
    return replace(table, version=2, columns=tuple(columns))


def _catch_up(world: World, table: TableContract, failpoint: Failpoint = ignore) -> Outcome:
    """Apply all that bronze has, in a process of its own."""
    with world.applier(table, failpoint) as applier:
        window = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start()).read()
        (outcome,) = applier.apply(window)
        applier.remember()
    if isinstance(outcome.error, Exception):
        raise outcome.error
    return outcome.outcome


def _replay(world: World, table: TableContract, failpoint: Failpoint = ignore) -> Replayed:
    silver = SilverTable(world.catalog, table.table.lake_name)
    with world.connection.cursor() as cursor:
        return replay(silver, world.catalog, cursor, world.store, table.table, failpoint=failpoint)


def _refused(world: World, table: TableContract) -> list[tuple[Key | None, str]]:
    quarantine = load_table(world.catalog, f"quarantine.{table.table.lake_name}")
    found = world.connection.execute(f"SELECT key, reason FROM ({snapshot_relation(quarantine)}) ORDER BY change_seq")
    return [(tuple(map(int, json.loads(key))) if key else None, reason) for key, reason in found.fetchall()]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=st.dictionaries(keys, rows, max_size=4),
    history=st.lists(
        st.lists(
            st.one_of(
                st.tuples(st.just("put"), keys, rows),
                st.tuples(st.just("put"), keys, st.tuples(notes, documents, st.just(TOO_LARGE))),
                st.tuples(st.just("note"), keys, notes),
                st.tuples(st.just("delete"), keys),
                st.tuples(st.just("move"), keys, keys, notes),
                st.tuples(st.just("truncate")),
            ),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=6,
    ),
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    is_refused_at_first=st.booleans(),
)
def test_a_replay_makes_good_what_was_refused(
    world: World, *, first: dict[Key, Row], history: History, cuts: list[int], is_refused_at_first: bool
) -> None:
    """Once the column is wider, silver is what the source holds, whatever happened to the refused rows since."""
    bronze, table = fresh_bronze(world), world.parts()
    if is_refused_at_first:
        first = {**first, (2, 5): ("of the load", None, TOO_LARGE)}
    world.load(bronze, table, first)
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, first)
    _land(bronze, model, history, cuts)
    assert _catch_up(world, table) in {Outcome.APPLIED, Outcome.IDLE}
    model.table = _widened(table)
    bronze.flush([model.act(("put", (1, 77), ("wide", None, TOO_LARGE)))])
    assert _catch_up(world, table) is Outcome.APPLIED
    _replay(world, table)
    assert world.rows(table) == world.scanned(table) == model.rows
    again = _replay(world, table)
    assert (again.resolved, again.remaining) == (0, 0)


def test_rows_that_do_not_conform_wait_in_quarantine(world: World, bronze: Bronze) -> None:
    """With a reason, once, however often the window comes; what builds on them waits too, and nothing else."""
    table = world.parts()
    good, bad = ("a", '{"a": 1}', Decimal(1)), ("a", '{"a": 2}', TOO_LARGE)
    world.load(bronze, table, {(1, 1): good, (1, 2): good})
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, {(1, 1): good, (1, 2): good})
    bronze.flush(
        [
            [*model.act(("put", (1, 1), bad)), *model.act(("put", (1, 3), good))],
            # Its document is not sent again, so that it is known from the refused row alone.
            model.act(("put", (1, 1), ("b", '{"a": 2}', Decimal(2)))),
            model.act(("note", (1, 2), "changed")),
        ]
    )

    def cut(moment: Moment) -> None:
        if moment is Moment.QUARANTINED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _catch_up(world, table, cut)
    assert _catch_up(world, table) is Outcome.APPLIED
    assert _catch_up(world, table) is Outcome.IDLE
    assert world.rows(table) == {(1, 1): good, (1, 2): ("changed", *good[1:]), (1, 3): good}
    expected = [((1, 1), "missing_or_invalid:amount"), ((1, 1), "unchanged_of_unknown_row:document")]
    assert _refused(world, table) == expected
    assert _replay(world, table).remaining == 2  # As long as the column is as narrow.
    assert _refused(world, table) == expected
    told = [(each.reason, each.rows) for each in waiting_rows(world.lake, [table.table])]
    assert told == [(reason, 1) for _, reason in expected]
    (replayed,) = replay_tables(world.lake, world.store, [table.table])
    assert (replayed.resolved, replayed.remaining) == (0, 2)


def test_a_replay_brings_nothing_back(world: World, bronze: Bronze) -> None:
    """A refused row that was deleted or overtaken since, or whose table was emptied, stays gone."""
    table = world.parts()
    bad, good = ("a", None, TOO_LARGE), ("b", None, Decimal(1))
    world.load(bronze, table, {})
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, {})
    bronze.flush([model.act(("put", (1, 1), bad)), model.act(("truncate",))])
    bronze.flush([model.act(("put", (1, number), bad)) for number in (2, 3, 4)])
    bronze.flush([model.act(("delete", (1, 2))), model.act(("put", (1, 3), good))])
    model.table = _widened(table)
    bronze.flush([model.act(("put", (1, 5), bad))])
    assert _catch_up(world, table) is Outcome.APPLIED
    replayed = _replay(world, table)
    assert (replayed.resolved, replayed.remaining, replayed.inserted) == (4, 0, 1)
    assert world.rows(table) == model.rows == {(1, 3): good, (1, 4): bad, (1, 5): bad}


# -- Crashes, failures, resync --------------------------------------------------------------------------------------


def _eventful(world: World, bronze: Bronze) -> Model:
    """Land changes of every kind, with a reject and a new column."""
    table = world.parts()
    first = {(tenant, number): ("first", '{"a": 1}', Decimal(number)) for tenant in (1, 2) for number in range(1, 6)}
    world.load(bronze, table, first)
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, first)
    bronze.flush([model.act(("note", (1, 1), "one")), model.act(("delete", (2, 1)))])
    added = Column(name="colour", attnum=9, source_type="text", type="text", nullable=True, fill="blue")
    model.table = replace(table, version=2, columns=(*table.columns, added))
    bronze.flush(
        [
            model.act(("move", (1, 2), (2, 9), "moved")),
            [*model.act(("delete", (1, 3))), *model.act(("put", (1, 3), ("again", None, Decimal(3))))],
            [*model.act(("put", (1, 4), ("new", None, Decimal(4)))), *model.act(("delete", (1, 5)))],
        ]
    )
    refused = model.act(("put", (2, 2), ("refused", None, TOO_LARGE)))
    bronze.flush([refused])
    model.rows[2, 2] = first[2, 2]
    return model


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("times", [1, 2])
def test_a_crash_anywhere_is_repeated_to_the_same_rows(
    world: World, bronze: Bronze, moment: Moment, times: int
) -> None:
    """Whatever a crash leaves behind, the next process ends where one without a crash does."""
    model = _eventful(world, bronze)
    passed = 0

    def crash(here: Moment) -> None:
        nonlocal passed
        passed += here is moment
        if here is moment and passed == times:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        _catch_up(world, model.table, crash)
    assert passed
    assert _catch_up(world, model.table) in {Outcome.APPLIED, Outcome.IDLE}
    assert world.rows(model.table) == world.scanned(model.table) == model.rows
    assert [key for key, _ in _refused(world, model.table)] == [(2, 2)]
    colours = world.rows(model.table, "colour")
    assert {colour for key, (colour,) in colours.items() if key not in {(2, 9), (1, 3), (1, 4)}} == {"blue"}
    silver = SilverTable(world.catalog, model.table.table.lake_name)
    assert (silver.source_lsn, silver.rejects) == (bronze.lsn, 1)


def test_columns_follow_the_contract(world: World, bronze: Bronze) -> None:
    """Added with a value for older rows, renamed, exchanged, widened, dropped: values stay with their column."""
    table = contract(
        f"parts{next(_numbers)}",
        ("tenant_id", "bigint"),
        ("id", "bigint"),
        ("a", "text"),
        ("b", "text"),
        ("size", "integer"),
        ("gone", "text"),
        key=("tenant_id", "id"),
    )
    row = {"tenant_id": "1", "id": "1", "a": "was a", "b": "was b", "size": "7", "gone": "x"}
    manifest = bronze.load({table: [row]})
    apply_load(world.catalog, world.connection, loaded_table(world.store, manifest, table.table))
    bronze.flushed_lsn = bronze.lsn
    tenant, number, a, b, size, _ = table.columns
    later = replace(
        table,
        version=2,
        columns=(
            tenant,
            replace(number, name="number"),
            replace(a, name="b"),
            replace(b, name="a"),
            replace(size, type="bigint"),
            Column(name="stock", attnum=7, source_type="integer", type="integer", nullable=False, fill="5"),
        ),
        key=("tenant_id", "number"),
    )
    new = {"tenant_id": "1", "number": "2", "b": "new b", "a": "new a", "size": "9000000000", "stock": "6"}
    bronze.flush([[Change(contract=later, op="I", values=new)]])
    assert _catch_up(world, later) is Outcome.APPLIED
    opened = load_table(world.catalog, f"silver.{table.table.lake_name}")
    found = world.connection.execute(
        f"SELECT * EXCLUDE (_committed_at, _change_seq) FROM ({snapshot_relation(opened)}) ORDER BY number"
    )
    names = [column[0] for column in found.description]
    assert [dict(zip(names, row, strict=True)) for row in found.fetchall()] == [
        {"tenant_id": 1, "number": 1, "b": "was a", "a": "was b", "size": 7, "stock": 5},
        {"tenant_id": 1, "number": 2, "b": "new b", "a": "new a", "size": 9_000_000_000, "stock": 6},
    ]
    assert sorted(opened.scan().to_arrow()["stock"].to_pylist()) == [5, 6]


def test_one_table_that_cannot_follow_stops_no_other(world: World, bronze: Bronze) -> None:
    """It is told with its error, stays where it is, and catches up when it can."""
    good, bad = world.parts(), world.parts()
    row = ("a", None, Decimal(1))
    manifest = bronze.load({table: [_values((1, 1), row)] for table in (good, bad)})
    for table in (good, bad):
        apply_load(world.catalog, world.connection, loaded_table(world.store, manifest, table.table))
    bronze.flushed_lsn = bronze.lsn
    narrow = replace(bad, version=2, columns=tuple(replace(each, type="text") for each in bad.columns[:4]))
    values = {"tenant_id": "1", "id": "2"}
    bronze.flush([[Change(contract=narrow, op="I", values=values)], Model(good, {}).act(("put", (1, 2), row))])
    with ChangeApplier(
        world.catalog, world.connection, world.store, slot=SLOT, tables=[good.table, bad.table]
    ) as applier:
        log = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start())
        told = {outcome.table: outcome for outcome in applier.apply(log.read())}
        assert told[good.table].outcome is Outcome.APPLIED
        assert isinstance(told[bad.table].error, IncompatibleContractError)
        bronze.flush([Model(good, {}).act(("put", (1, 3), row))])
        told = {outcome.table: outcome for outcome in applier.apply(log.read(), leave_out=[bad.table])}
        assert told[good.table].outcome is Outcome.APPLIED
        assert told[bad.table].outcome is Outcome.LEFT_OUT
    assert world.rows(good) == {(1, 1): row, (1, 2): row, (1, 3): row}
    assert world.rows(bad) == {(1, 1): row}


def test_a_table_left_out_catches_up(world: World, bronze: Bronze) -> None:
    """From where it stands, with the first window that it is in again, whether that touches it or not."""
    table = world.parts()
    world.load(bronze, table, {})
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, {})
    with world.applier(table) as applier:
        log = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start())
        for number in range(1, 4):
            bronze.flush([model.act(("put", (1, number), ("a", None, Decimal(1))))])
            applier.apply(log.read(), leave_out=[table.table])
        assert world.rows(table) == {}
        _applied(applier, log.read())
    assert world.rows(table) == model.rows


def test_a_new_load_replaces_all_and_older_changes_stay_out(world: World, bronze: Bronze) -> None:
    """A table loaded anew at an LSN skips what the load has seen, and goes on with what comes after."""
    table, row = world.parts(), ("a", None, Decimal(1))
    world.load(bronze, table, {(1, 1): row})
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, {(1, 1): row})
    with world.applier(table) as applier:
        log = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start())
        bronze.flush([model.act(("put", (1, 2), row))])
        _applied(applier, log.read())
        # One flush, in which the load lies: what ended before it is in the load.
        before = [*model.act(("put", (1, 3), row))], [*model.act(("delete", (1, 1)))]
        reload = Bronze(world.store)
        reload.lsn, reload._files = bronze.lsn + 20, 1000
        known = dict(model.rows)
        world.load(reload, table, {**known, (1, 9): ("only the load has it", None, Decimal(9))})
        model.rows[1, 9] = ("only the load has it", None, Decimal(9))
        bronze.flush([*before, [], *[model.act(("note", (1, 9), "after"))]])
        _applied(applier, log.read())
        assert world.rows(table) == model.rows
        _applied(applier, Window(slot=SLOT, after_lsn=0, manifests=()))
    assert _catch_up(world, table) is Outcome.IDLE
    assert world.rows(table) == world.scanned(table) == model.rows


def test_files_stay_few_and_rows_stay_put(world: World, bronze: Bronze) -> None:
    """Twenty windows leave no more files than a few, and compaction changes neither rows nor what changed."""
    table = world.parts()
    first = {(1, number): ("a", None, Decimal(number)) for number in range(50)}
    world.load(bronze, table, first)
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, first)
    with pytest.MonkeyPatch.context() as patch, world.applier(table) as applier:
        patch.setattr(merge_on_read, "SMALL_FILE_ROWS", 20)
        log = ChangeLog(world.store, slot=SLOT, after_lsn=applier.start())
        for number in range(20):
            bronze.flush([model.act(("note", (1, number % 50), str(number)))])
            _applied(applier, log.read())
        silver = SilverTable(world.catalog, table.table.lake_name)
        assert len(silver.live.data) <= 4
        assert len(silver.live.deletes) <= 2
        (done,) = applier.compact()
        assert done.files_after < done.files_before
    opened = load_table(world.catalog, f"silver.{table.table.lake_name}")
    assert opened.current_snapshot().summary.operation.value == "replace"
    select = changed_rows(opened, silver.snapshot_id)
    assert world.connection.execute(f"SELECT COUNT(*) FROM ({select})").fetchall() == [(0,)]
    assert world.rows(table) == world.scanned(table) == model.rows


def test_the_job_tells_what_became_of_every_table(world: World, bronze: Bronze, tmp_path: Path) -> None:
    """Rows by kind, rejects, position; a repetition finds nothing to do."""
    table = world.parts()
    row = ("a", None, Decimal(1))
    world.load(bronze, table, {(1, 1): row, (1, 2): row})
    bronze.flushed_lsn = bronze.lsn
    model = Model(table, {(1, 1): row, (1, 2): row})
    bronze.flush([model.act(("note", (1, 1), "b")), model.act(("delete", (1, 2)))])
    bronze.flush([model.act(("put", (1, 3), row)), model.act(("put", (1, 4), ("x", None, TOO_LARGE)))])
    arguments = ChangesToSilver(lake=world.lake, slot=SLOT)
    with Progress(tmp_path / "progress") as progress:
        result = run(arguments, progress, store=world.store)
        (told,) = result.tables
        assert (told.inserted, told.updated, told.deleted, told.rejects) == (1, 1, 1, 1)
        assert (told.outcome, told.complete_lsn, result.last_lsn) == ("applied", bronze.lsn, bronze.lsn)
        (again,) = run(arguments, progress, store=world.store).tables
        assert (again.outcome, again.inserted, again.complete_lsn) == ("idle", 0, bronze.lsn)
