import hashlib
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from etl.bronze.directory import DirectoryStore
from etl.bronze.reader import BronzeDamagedError, bronze_relation_sql, check_rows, verify
from etl.contracts.table import Column, TableContract, TableId
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.replicate.landing import land_table
from etl.replicate.lsn import change_seq
from etl.replicate.snapshot import Block
from tests.fakes import FakeStore

NOTES = TableId(schema="public", name="notes")
CONTRACT = TableContract(
    table=NOTES,
    version=1,
    columns=(
        Column(name="id", attnum=1, source_type="bigint", type="bigint", nullable=False),
        Column(name='Te"xt', attnum=2, source_type="text", type="text", nullable=True),
    ),
    key=("id",),
)
HEADER = Block(text=b'Op,_committed_at,id,"Te""xt",_change_seq\n', rows=0)


def land(store: ObjectStore, *rows: bytes, contract: TableContract = CONTRACT, first_number: int = 1):
    blocks = iter([HEADER, *(Block(text=b"I,2026-11-23 08:00:00.000000," + row + b",7\n", rows=1) for row in rows)])
    return land_table(store, contract, blocks, first_number=first_number, sequence=change_seq(7))


def landed(*rows: bytes):
    """Return a store that holds one landed file, and its manifest."""
    store = FakeStore()
    (file,) = land(store, *rows)
    return store, file


SOME_ROWS = [b"%d,note %d" % (number, number * 7919) for number in range(300)]
STORE, FILE = landed(*SOME_ROWS)
WHOLE = STORE.objects[FILE.key]


def test_what_was_landed_is_accepted():
    verify(STORE, [FILE])


def refuse(body: bytes, match: str | None = None):
    store = FakeStore()
    store.objects[FILE.key] = body
    with pytest.raises(BronzeDamagedError, match=match or "LOAD00000001"):
        verify(store, [FILE])


@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_any_flipped_bit_is_refused(bit: int):
    damaged = bytearray(WHOLE)
    damaged[bit // 8] ^= 1 << bit % 8
    refuse(bytes(damaged))


@given(st.integers(0, len(WHOLE) - 1))
def test_any_shortening_is_refused(length: int):
    refuse(WHOLE[:length])


@given(st.binary(min_size=1, max_size=64))
def test_any_growth_is_refused(tail: bytes):
    refuse(WHOLE + tail)


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=32))
def test_any_other_content_is_refused(start: int, end: int, replacement: bytes):
    damaged = WHOLE[: min(start, end)] + replacement + WHOLE[max(start, end) :]
    assume(damaged != WHOLE)
    refuse(damaged)


def test_a_doubled_file_is_refused():
    refuse(WHOLE * 2, match="were written")


def test_an_empty_file_is_refused():
    refuse(b"")


def test_another_whole_bronze_file_of_the_same_size_is_refused():
    other_store, other = landed(*[row.replace(b"note 0", b"n0te 0") for row in SOME_ROWS])
    assert other.size_bytes == FILE.size_bytes
    refuse(other_store.objects[other.key], match="sha256")


def test_a_missing_file_is_named():
    with pytest.raises(ObjectMissingError):
        verify(FakeStore(), [FILE])


def test_text_beyond_the_bound_is_refused_even_if_the_manifest_vouches_for_it():
    store, file = landed(b"1," + b"0" * 10_000_000)
    assert file.size_bytes < 200_000
    verify(store, [file])
    with pytest.raises(BronzeDamagedError, match="decompresses to more"):
        verify(store, [file], max_text_bytes=9_000_000)


@pytest.mark.parametrize(
    "body", [WHOLE * 2, WHOLE + b"\0" * 512, WHOLE[:-8], b""], ids=["twice", "padded", "cut", "none"]
)
def test_anything_but_one_gzip_stream_is_refused_even_if_the_manifest_vouches_for_it(body: bytes):
    store = FakeStore()
    store.objects[FILE.key] = body
    vouched = replace(FILE, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    with pytest.raises(BronzeDamagedError, match="not one whole gzip stream"):
        verify(store, [vouched])


def test_rows_that_an_engine_lost_or_doubled_are_noticed(tmp_path: Path):
    store = DirectoryStore(tmp_path)
    (file,) = land(store, b"1,a", b"2,b")
    check_rows([file], {store.uri(file.key): 2}, store)
    for wrong in (0, 1, 3):
        with pytest.raises(BronzeDamagedError, match=f"gave {wrong} rows, but 2"):
            check_rows([file], {store.uri(file.key): wrong}, store)
    with pytest.raises(BronzeDamagedError, match="gave 0 rows"):
        check_rows([file], {}, store)


def read(relation: str) -> list[tuple]:
    return duckdb.sql(f"SELECT * FROM {relation}").fetchall()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"", None),
        (b'""', ""),
        (b"NULL", "NULL"),
        (b"\\N", "\\N"),
        (b'"a,b"', "a,b"),
        (b'"say ""hi"""', 'say "hi"'),
        (b'"two\nlines"', "two\nlines"),
        (b'"two\r\nlines"', "two\r\nlines"),
        (b'"old\rmac"', "old\rmac"),
        (b" padded ", " padded "),
        (b"# no comment", "# no comment"),
        ("\N{PILE OF POO} שלום".encode(), "\N{PILE OF POO} שלום"),
        (b'"' + b"x" * 3_000_000 + b'"', "x" * 3_000_000),
    ],
)
def test_a_field_is_read_exactly(tmp_path: Path, field: bytes, value: str | None):
    store = DirectoryStore(tmp_path / "with 'quotes' and [brackets]")
    (file,) = land(store, b"1," + field)
    uri = store.uri(file.key)
    assert read(bronze_relation_sql(CONTRACT, [uri])) == [("I", "2026-11-23 08:00:00.000000", "1", value, "7", uri)]


def test_every_row_names_its_file(tmp_path: Path):
    store = DirectoryStore(tmp_path)
    files = [*land(store, b"1,a"), *land(store, b"2,b", first_number=2)]
    uris = [store.uri(file.key) for file in files]
    rows = duckdb.sql(f"SELECT id, filename FROM {bronze_relation_sql(CONTRACT, uris)} ORDER BY id").fetchall()
    assert rows == [("1", uris[0]), ("2", uris[1])]


def test_a_marker_stands_for_null_only_unquoted(tmp_path: Path):
    store = DirectoryStore(tmp_path)
    (file,) = land(store, b"1,\\N", b'2,"\\N"')
    rows = read(bronze_relation_sql(CONTRACT, [store.uri(file.key)], null_marker="\\N"))
    assert [row[3] for row in rows] == [None, "\\N"]


@pytest.mark.parametrize("row", [b"1", b"1,a,surplus", b'1,"never closed'])
def test_a_row_of_another_shape_is_an_error(tmp_path: Path, row: bytes):
    store = DirectoryStore(tmp_path)
    (file,) = land(store, b"0,fine", row)
    with pytest.raises(duckdb.Error):
        read(bronze_relation_sql(CONTRACT, [store.uri(file.key)]))


def test_reading_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one file"):
        bronze_relation_sql(CONTRACT, [])
