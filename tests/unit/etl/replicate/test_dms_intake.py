"""What DMS landed becomes a load of ours, or nothing."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.bronze.reader import BronzeDamagedError, verify
from etl.contracts.store import record_contract
from etl.contracts.table import TableContract
from etl.errors import OperatorError
from etl.ports.object_store import ObjectExistsError
from etl.replicate.dms_intake import (
    AlienFileError,
    DmsLoad,
    LandedShapeError,
    LandingGapError,
    LateChangesError,
    _RowCounter,
    position_of,
    take_changes,
    take_load,
)
from etl.replicate.lsn import lsn_of
from tests.aws.landing import change_seq, land_load, land_rows
from tests.contracts import contract
from tests.fakes import FakeStore

AT = datetime(2026, 11, 23, 8, 30, 15, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


class Case:
    """Two tables, where DMS lands and where readers read."""

    def __init__(self) -> None:
        self.landing, self.bronze = FakeStore(), FakeStore()
        self.orders = record_contract(self.bronze, contract("orders", ("id", "bigint"), ("note", "text")))
        self.events = record_contract(self.bronze, contract("events", ("id", "bigint")))

    def take(self, orders: int, events: int = 0, *, request_id: str = "r1", at: datetime = AT) -> LoadManifest:
        load = DmsLoad(
            request_id=request_id,
            started_at=at,
            rows={self.orders.table: orders, self.events.table: events},
            slot="dms:lakeside-dev",
        )
        return take_load(self.landing, self.bronze, load, {each.table: each for each in (self.orders, self.events)})

    def changes(self, *, before: datetime = LATER + timedelta(days=1)) -> object:
        versions = {self.orders.table: [self.orders], self.events.table: [self.events]}
        return take_changes(self.landing, self.bronze, versions, slot="dms:lakeside-dev", settled_before=before)

    @property
    def loads(self) -> list[str]:
        return [info.key for info in self.bronze.list(LOADS_PREFIX)]


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_load_is_taken_in_whole(case: Case) -> None:
    land_load(case.landing, case.orders, ['1,"a, ""quoted"" word"', '2,"two\nlines"', "3,\\N", "4,"], at=AT)
    land_load(case.landing, case.events, ["1"], at=AT)
    load = case.take(orders=4, events=1)

    assert [(file.key, file.rows) for file in load.files] == [
        ("public/orders/LOAD00000001.csv.gz", 4),
        ("public/events/LOAD00000001.csv.gz", 1),
    ]
    verify(case.bronze, load.files)
    orders = load.files_of(case.orders.table)[0]
    assert case.bronze.get(orders.key) == case.landing.get(orders.key), "byte for byte"
    assert (orders.null_marker, orders.rows_have_change_seq) == ("\\N", False)
    assert orders.first_change_seq == orders.last_change_seq == "2026112308301500" + "0" * 19
    assert orders.first_change_seq < change_seq("2026112308301500", 1), "before every change after it"
    assert load.lsn == position_of(AT) == 2026112308301500
    assert load.snapshot_at == "2026-11-23T08:30:15+00:00"
    assert FileManifest.from_json(case.bronze.get(f"_manifests/{orders.key}.json")) == orders
    assert LoadManifest.from_json(case.bronze.get(case.loads[0])) == load


def test_a_repeated_request_gets_its_load(case: Case) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT)
    load = case.take(orders=1)
    case.landing.objects.clear()
    assert case.take(orders=1) == load


def test_a_reload_writes_over_the_landing_zone_and_not_over_bronze(case: Case) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT)
    first = case.take(orders=1)
    land_load(case.landing, case.orders, ["1,b", "2,c"], at=LATER)
    second = case.take(orders=2, request_id="r2", at=LATER)
    verify(case.bronze, first.files)
    verify(case.bronze, second.files)
    assert first.load_id < second.load_id
    assert [file.key for file in second.files] == ["public/orders/LOAD00000002.csv.gz"]


def test_many_files_are_taken_in_hexadecimal_order(case: Case) -> None:
    for number in range(1, 19):
        land_load(case.landing, case.orders, [f"{number},a"], at=AT, number=number)
    load = case.take(orders=18)
    assert [file.key[-15:] for file in load.files][8:17] == [f"{number:08X}.csv.gz"[-15:] for number in range(9, 18)]


def test_files_that_an_earlier_longer_load_left_are_passed_over(case: Case) -> None:
    for number in (1, 2, 3):
        land_load(case.landing, case.orders, [f"{number},old"], at=AT, number=number)
    land_load(case.landing, case.orders, ["1,new", "2,new"], at=LATER, number=1)
    load = case.take(orders=2, at=LATER)
    assert len(load.files) == 1


def test_a_table_without_rows_needs_no_file(case: Case) -> None:
    load = case.take(orders=0)
    assert load.files == ()
    assert load.tables == (case.orders.table, case.events.table)


def test_dmss_own_tables_are_passed_over(case: Case) -> None:
    case.landing.put("awsdms_control/awsdms_status/LOAD00000001.csv.gz", b"")
    case.landing.put("public/awsdms_apply_exceptions/20261123-083015000.csv.gz", b"")
    case.take(orders=0)


ALIENS = [
    "readme.txt",
    "public/orders/LOAD00000001.csv",
    "public/orders/LOAD0000000g.csv.gz",
    "public/orders/load00000001.csv.gz",
    "public/orders/20261123.csv.gz",
    "public/orders/sub/LOAD00000001.csv.gz",
    "public/strangers/LOAD00000001.csv.gz",
    "other/orders/LOAD00000001.csv.gz",
    "public/orders/20261123-083015000.parquet",
]


@pytest.mark.parametrize("key", ALIENS)
def test_what_is_not_dmss_stops_the_intake(case: Case, key: str) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT)
    case.landing.put(key, b"")
    with pytest.raises(AlienFileError, match=key.replace(".", r"\.")):
        case.take(orders=1)
    assert not case.loads


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_that_dms_did_not_count_or_did_and_are_not_there(case: Case, rows: int) -> None:
    land_load(case.landing, case.orders, ["1,a", "2,b"], at=AT)
    with pytest.raises(LandingGapError, match=f"has 2 rows .* loaded {rows}"):
        case.take(orders=rows)
    assert not case.loads


def test_a_missing_file_is_named(case: Case) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT, number=1)
    land_load(case.landing, case.orders, ["3,a"], at=AT, number=3)
    with pytest.raises(LandingGapError, match="lacks the file LOAD00000002"):
        case.take(orders=3)
    assert not case.loads


def test_files_of_two_loads_are_not_one(case: Case) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT, number=1)
    land_load(case.landing, case.orders, ["2,a"], at=LATER, number=2)
    with pytest.raises(LandingGapError, match="another load"):
        case.take(orders=2)


def test_another_header_is_another_shape(case: Case) -> None:
    grown = replace(case.orders, columns=(*case.orders.columns, case.events.columns[0]))
    land_load(case.landing, grown, ["1,a,1"], at=AT)
    with pytest.raises(LandedShapeError, match="version 1"):
        case.take(orders=1)
    assert not case.loads


@pytest.mark.parametrize("damage", ["cut", "flipped", "plain", "followed", "open"])
def test_a_damaged_file_is_refused(case: Case, damage: str) -> None:
    land_load(case.landing, case.orders, ["1,abcdefgh", "2,ijklmnop"], at=AT)
    key = "public/orders/LOAD00000001.csv.gz"
    whole = case.landing.objects[key]
    flipped = bytes([*whole[:-6], whole[-6] ^ 1, *whole[-5:]])
    text = gzip.decompress(whole)
    bad = {"cut": whole[:-9], "flipped": flipped, "plain": text, "followed": whole + b"x"}
    bad["open"] = gzip.compress(text[:-1])
    case.landing.objects[key] = bad[damage]
    with pytest.raises(BronzeDamagedError):
        case.take(orders=2)
    assert not case.loads
    assert not [name for name in case.bronze.objects if name.startswith("_manifests/public")]


def test_every_refusal_says_what_to_do() -> None:
    for kind in (AlienFileError, LandingGapError, LandedShapeError, LateChangesError):
        assert issubclass(kind, OperatorError)
        assert kind.guidance != OperatorError.guidance


@given(
    st.lists(st.lists(st.text(alphabet='a",\n\r é'), min_size=2, max_size=2), max_size=20),
    st.integers(min_value=1, max_value=7),
)
def test_rows_are_counted_whatever_stands_in_them(rows: list[list[str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    body = text.getvalue().encode()
    counter = _RowCounter()
    for start in range(0, len(body), size):
        counter.add(body[start : start + size])
    assert (counter.lines, counter.is_open) == (len(rows), False)


def land_changes(case: Case, table: TableContract, key: str, *changes: tuple[str, str, str], at: str) -> None:
    rows = [f"{op},{at},{values},{sequence}" for op, values, sequence in changes]
    land_rows(case.landing, table, key, rows)


def test_changes_are_taken_in_once_and_in_order(case: Case) -> None:
    land_load(case.landing, case.orders, ["1,a"], at=AT)
    load = case.take(orders=1)
    first, second = change_seq("2026112309000050", 1), change_seq("2026112309000050", 2)
    name = "2026/11/23/20261123-090000500.csv.gz"
    at = "2026-11-23 09:00:00.500000"
    land_changes(case, case.orders, name, ("U", "1,b", first), ("D", "1,\\N", second), at=at)
    flush = case.changes()
    assert flush is not None
    (file,) = flush.files  # type: ignore[attr-defined]
    assert (file.key, file.rows) == (f"public/orders/{name}", 2)
    assert (file.first_change_seq, file.last_change_seq) == (first, second)
    assert file.rows_have_change_seq
    assert flush.previous_lsn == load.lsn  # type: ignore[attr-defined]
    assert flush.last_lsn == 2026112309000050  # type: ignore[attr-defined]
    assert flush.committed_to == "2026-11-23T09:00:00.500000+00:00"  # type: ignore[attr-defined]
    assert case.changes() is None
    land_changes(case, case.events, "20261123-0901000000.csv.gz", ("I", "7", change_seq("2026112309010000", 3)), at=at)
    after = case.changes()
    assert after is not None
    assert after.previous_lsn == flush.last_lsn  # type: ignore[attr-defined]


def test_changes_that_may_still_have_company_wait(case: Case) -> None:
    at = "2026-11-23 09:00:00.500000"
    land_changes(case, case.events, "20261123-090000500.csv.gz", ("I", "1", change_seq("2026112309000050", 1)), at=at)
    assert case.changes(before=datetime(2026, 11, 23, 9, tzinfo=UTC)) is None
    assert case.changes(before=datetime(2026, 11, 23, 9, 1, tzinfo=UTC)) is not None


def test_changes_of_before_the_load_are_passed_over(case: Case) -> None:
    at = "2026-11-23 08:00:00.000000"
    land_changes(case, case.events, "20261123-080000000.csv.gz", ("I", "1", change_seq("2026112308000000", 1)), at=at)
    case.take(orders=0)
    assert case.changes() is None


def test_changes_that_come_too_late_are_refused(case: Case) -> None:
    at = "2026-11-23 09:00:00.500000"
    land_changes(case, case.events, "20261123-090100000.csv.gz", ("I", "1", change_seq("2026112309010000", 9)), at=at)
    assert case.changes() is not None
    land_changes(case, case.events, "20261123-090200000.csv.gz", ("I", "2", change_seq("2026112309005900", 8)), at=at)
    with pytest.raises(LateChangesError):
        case.changes()


@pytest.mark.parametrize(
    "row", ["X,2026-11-23 09:00:00.5,1,2026112309000050" + "0" * 19, "I,2026-11-23 09:00:00.5,1,", "I,x", ""]
)
def test_a_row_that_is_no_change_stops_the_intake(case: Case, row: str) -> None:
    land_rows(case.landing, case.events, "20261123-090000500.csv.gz", [row])
    with pytest.raises(BronzeDamagedError):
        case.changes()


def test_an_intake_that_was_killed_goes_on(case: Case) -> None:
    at = "2026-11-23 09:00:00.500000"
    land_changes(case, case.events, "20261123-090000500.csv.gz", ("I", "1", change_seq("2026112309000050", 1)), at=at)
    flush = case.changes()
    (key,) = [name for name in case.bronze.objects if name.startswith("_manifests/changes/")]
    del case.bronze.objects[key]  # As if it was killed before its commit.
    assert case.changes() == flush


def test_a_name_taken_by_something_else_is_refused(case: Case) -> None:
    at = "2026-11-23 09:00:00.500000"
    land_changes(case, case.events, "20261123-090000500.csv.gz", ("I", "1", change_seq("2026112309000050", 1)), at=at)
    other = gzip.compress(b"Op,_committed_at,id,_change_seq\n")
    case.bronze.put("public/events/20261123-090000500.csv.gz", other)
    with pytest.raises(ObjectExistsError):
        case.changes()


def test_positions_sort_as_dmss_own_change_sequences_do() -> None:
    moments = [AT + timedelta(milliseconds=10 * number) for number in range(200)]
    positions = [position_of(moment) for moment in moments]
    assert positions == sorted(set(positions))
    assert all(f"{position}".ljust(35, "0") < change_seq(f"{position}", 1) for position in positions)
    assert lsn_of("0" * 35) < positions[0]
