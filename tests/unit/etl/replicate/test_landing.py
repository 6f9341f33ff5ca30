import gzip
import random
from collections.abc import Iterator
from typing import Any

import pytest

from etl.bronze.layout import file_manifest_key, load_key, load_manifest_key
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.bronze.reader import verify
from etl.contracts.table import Column, TableContract, TableId
from etl.ports.object_store import ObjectExistsError, ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.replicate.landing import commit_load, find_load, land_table, next_file_number, remove_uncommitted
from etl.replicate.lsn import Lsn, change_seq
from etl.replicate.snapshot import Block
from tests.fakes import FakeStore

ORDERS = TableId(schema="public", name="orders")
CONTRACT = TableContract(
    table=ORDERS,
    version=3,
    columns=(Column(name="id", attnum=1, source_type="bigint", type="bigint", nullable=False),),
    key=("id",),
)
HEADER = Block(text=b"Op,_committed_at,id,_change_seq\n", rows=0)
LSN = Lsn(4711)


def blocks(*counts: int):
    yield HEADER
    number = 0
    for count in counts:
        yield Block(text=b"".join(b"I,,%d,7\n" % (number + row) for row in range(count)), rows=count)
        number += count


def wide_blocks(count: int):
    """Blocks that do not compress away, so that each one makes the file grow."""
    yield HEADER
    for number in range(count):
        noise = random.Random(number).randbytes(100_000).hex().encode()
        yield Block(text=b"I,%b,%d,7\n" % (noise, number), rows=1)


def land(store: ObjectStore, source: Iterator[Block], *, first_number: int = 1, lsn: Lsn = LSN, **options: Any):
    return land_table(store, CONTRACT, source, first_number=first_number, sequence=change_seq(lsn), **options)


def commit(store: ObjectStore, files: tuple[FileManifest, ...], *, lsn: Lsn = LSN, request_id: str = "r"):
    load = LoadManifest(
        load_id=lsn.hex,
        request_id=request_id,
        lsn=lsn,
        snapshot_at="2026-11-23T08:00:00+00:00",
        files=files,
        tables=(ORDERS,),
    )
    commit_load(store, load)
    return load


def test_a_file_holds_the_header_and_the_rows_and_its_manifest_says_so():
    store = FakeStore()
    (file,) = land(store, blocks(2, 1))
    assert gzip.decompress(store.get(file.key)) == HEADER.text + b"I,,0,7\nI,,1,7\nI,,2,7\n"
    assert (file.rows, file.contract_version, file.contract_fingerprint) == (3, 3, CONTRACT.fingerprint)
    assert (file.first_change_seq, file.last_change_seq) == (change_seq(LSN), change_seq(LSN))
    assert FileManifest.from_json(store.get(file_manifest_key(file.key))) == file
    verify(store, [file])


@pytest.mark.parametrize(("max_file_bytes", "rows_by_file"), [(1, [1, 1, 1, 1, 1]), (150_000, [2, 2, 1]), (10**9, [5])])
def test_files_divide_the_rows_between_them_each_with_its_header(max_file_bytes: int, rows_by_file: list[int]):
    store = FakeStore()
    files = land(store, wide_blocks(5), max_file_bytes=max_file_bytes)
    assert [file.key for file in files] == [load_key(ORDERS, number + 1) for number in range(len(rows_by_file))]
    assert [file.rows for file in files] == rows_by_file
    texts = [gzip.decompress(store.get(file.key)) for file in files]
    assert all(text.startswith(HEADER.text) for text in texts)
    rows = b"".join(text.removeprefix(HEADER.text) for text in texts)
    assert rows == b"".join(block.text for block in list(wide_blocks(5))[1:])
    verify(store, files)


def test_a_table_without_rows_has_no_file():
    store = FakeStore()
    assert land(store, blocks()) == ()
    assert store.objects == {}


def test_progress_is_told_block_by_block():
    told: list[int] = []
    land(FakeStore(), blocks(2, 3), on_rows=told.append)
    assert told == [2, 3]


def test_a_source_that_fails_on_the_way_leaves_nothing_of_the_file():
    def failing() -> Iterator[Block]:
        yield from blocks(2)
        raise SourceUnavailableError

    store = FakeStore()
    with pytest.raises(SourceUnavailableError):
        land(store, failing())
    assert store.objects == {}


def test_a_taken_name_is_not_overwritten():
    store = FakeStore()
    land(store, blocks(1))
    before = dict(store.objects)
    with pytest.raises(ObjectExistsError):
        land(store, blocks(2))
    assert store.objects == before


def test_numbers_continue_after_every_file_that_ever_was_uncommitted_ones_too():
    store = FakeStore()
    assert next_file_number(store, ORDERS) == 1
    land(store, blocks(1))
    store.objects[load_key(ORDERS, 0x1F)] = b"left by a crash"
    store.objects["public/orders/20261123-075831123.csv.gz"] = b"changes"
    store.objects["public/orders_archive/LOAD000000FF.csv.gz"] = b"another table's"
    assert next_file_number(store, ORDERS) == 0x20


def test_what_broken_loads_left_is_removed_and_committed_files_stay():
    store = FakeStore()
    commit(store, land(store, wide_blocks(2), max_file_bytes=1))
    committed = dict(store.objects)
    land(store, wide_blocks(2), first_number=3, lsn=Lsn(5000), max_file_bytes=1)
    store.objects[load_key(ORDERS, 5)] = b"data without a manifest"
    assert remove_uncommitted(store, ORDERS) == 3
    assert store.objects == committed
    assert remove_uncommitted(store, ORDERS) == 0


def test_changes_are_not_taken_for_remains_of_a_full_load():
    store = FakeStore()
    store.objects["public/orders/20261123-075831123.csv.gz"] = b"changes"
    assert remove_uncommitted(store, ORDERS) == 0
    assert store.objects


def test_a_request_finds_its_own_load():
    store = FakeStore()
    first = commit(store, land(store, blocks(1)), request_id="monday")
    second = commit(store, land(store, blocks(1), first_number=2, lsn=Lsn(5000)), lsn=Lsn(5000), request_id="tuesday")
    assert find_load(store, "monday") == first
    assert find_load(store, "tuesday") == second
    assert find_load(store, "wednesday") is None


def test_two_loads_at_one_lsn_are_refused():
    store = FakeStore()
    commit(store, ())
    with pytest.raises(ObjectExistsError):
        commit(store, (), request_id="another")
    assert load_manifest_key(LSN.hex) in store.objects
