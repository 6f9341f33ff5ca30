"""What the source holds is what bronze says: values, names, order, shape."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from etl.contracts.table import TableId
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import UnsupportedColumnError
from etl.replicate.full_load import full_load
from etl.replicate.lsn import change_seq
from tests.integration.etl.bronze import load, read, visible_loads
from tests.integration.etl.conftest import Source

pytestmark = pytest.mark.integration


def values_of(source: Source, store: ObjectStore, column: str, *literals: str) -> list[str | None]:
    """Insert values as SQL literals and return what bronze says of them."""
    source.execute(f"CREATE TABLE subject (n integer PRIMARY KEY, c {column})")
    for number, literal in enumerate(literals):
        source.execute(f"INSERT INTO subject VALUES ({number}, {literal})")
    manifest = load(source, store, "subject").manifest
    rows = read(store, manifest, TableId.parse("subject"), "n, c")
    return [value for _, value in sorted(rows, key=lambda row: int(row[0]))]


@pytest.mark.parametrize(
    ("column", "literals_and_texts"),
    [
        ("boolean", {"true": "true", "false": "false", "NULL": None}),
        ("bigint", {"9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808"}),
        ("numeric(12,2)", {"1.1": "1.10", "-9999999999.99": "-9999999999.99", "'NaN'": "NaN"}),
        (
            "numeric",
            {
                "1e-20": "0.00000000000000000001",
                "'Infinity'": "Infinity",
                "1234567890123456789012345678901234567890": "1234567890123456789012345678901234567890",
            },
        ),
        (
            "double precision",
            {"0.1": "0.1", "1e308": "1e+308", "'-Infinity'": "-Infinity", "'NaN'": "NaN", "'-0'": "-0"},
        ),
        ("real", {"1.1": "1.100000023841858"}),
        ("date", {"'2026-02-28'": "2026-02-28", "'infinity'": "infinity", "'0044-03-15 BC'": "0044-03-15 BC"}),
        (
            "timestamptz",
            {
                "'2026-11-23 10:00:00.123456+02'": "2026-11-23 08:00:00.123456",
                "'2026-11-23 00:00+14'": "2026-11-22 10:00:00",
                "'-infinity'": "-infinity",
            },
        ),
        ("timestamp", {"'2026-11-23 10:00'": "2026-11-23 10:00:00"}),
        ("time", {"'23:59:59.5'": "23:59:59.5"}),
        ("interval", {"'1 year 2 months 3 days 04:05:06'": "1 year 2 mons 3 days 04:05:06"}),
        ("bytea", {r"'\x00ff5c22'": "00ff5c22", "''": "", "NULL": None}),
        ("char(5)", {"'a'": "a", "'  b'": "  b"}),
        ("uuid", {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
        ("inet", {"'10.0.0.1'": "10.0.0.1/32"}),
        ("text[]", {"ARRAY['a','b,c','NULL',NULL,'']": '{a,"b,c","NULL",NULL,""}'}),
        ("integer[]", {"'{}'": "{}", "'{{1,2},{3,4}}'": "{{1,2},{3,4}}"}),
        ("json", {"""'{"b":1,  "a":"x\\ny"}'""": '{"b":1,  "a":"x\\ny"}', "'null'": "null", "NULL": None}),
        ("jsonb", {"""'{"b":1,  "a":[1, 2]}'""": '{"a": [1, 2], "b": 1}'}),
        ("bigint GENERATED ALWAYS AS (n + 41) STORED", {"DEFAULT": "41"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_travel_as_agreed(source: Source, store: ObjectStore, column: str, literals_and_texts: dict[str, str]):
    assert values_of(source, store, column, *literals_and_texts) == list(literals_and_texts.values())


HOSTILE_TEXTS = [
    *("", " ", "NULL", "null", "\\N", "\\.", "\\", '"', '""', "'", ",", ",,", '"quoted"', 'a "quoted" word'),
    *("\n", "\r", "\r\n", "\n\n", "a\nb", "a\rb", "a\r\nb", "trailing\n", "\tTab", "\x01\x1f\x7f", "\ufeffbom"),
    *("\N{PILE OF POO}", "שלום", "e\u0301", "#comment", "=1+1", "I,2026-11-23 08:00:00.000000,1"),
    *("x" * 100_000, '"' * 10_001, "\n" * 10_001),
]


def insert_texts(source: Source, texts: Sequence[str | None]) -> None:
    source.execute("CREATE TABLE texts (n integer PRIMARY KEY, t text, v varchar, j json, a text[])")
    with source.connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO texts VALUES (%s, %s, %s, %s, %s)",
            [
                (n, t, t, None if t is None else json.dumps({"t": t}), None if t is None else [t])
                for n, t in enumerate(texts)
            ],
        )


def check_texts(source: Source, store: ObjectStore, texts: Sequence[str | None]) -> None:
    insert_texts(source, texts)
    rows = read(store, load(source, store, "texts").manifest, TableId.parse("texts"), "n, t, v, j, a")
    arrays = dict(source.execute("SELECT n, a::text FROM texts"))
    assert len(rows) == len(texts)
    for n, t, v, j, a in rows:
        expected = texts[int(n)]
        assert (t, v, a) == (expected, expected, arrays[int(n)])
        assert (None if j is None else json.loads(j)["t"]) == expected


def test_hostile_texts_travel_exactly(source: Source, store: ObjectStore):
    check_texts(source, store, [*HOSTILE_TEXTS, None])


def test_ten_thousand_texts_made_of_the_csv_dialects_own_characters_travel_exactly(source: Source, store: ObjectStore):
    chance = random.Random(20261123)
    pieces = ['"', ",", "\n", "\r", "\\", "\\N", "NULL", " ", "a", "ü", "\N{PILE OF POO}", "\t", "'", "\\."]
    texts = ["".join(chance.choices(pieces, k=chance.randrange(12))) for _ in range(10_000)]
    check_texts(source, store, texts)


def test_a_json_document_of_a_megabyte_travels_exactly(source: Source, store: ObjectStore):
    document = json.dumps({"lines": ['a, "b"\n'] * 100_000})
    assert len(document) > 1_000_000
    source.execute("CREATE TABLE documents (id bigint PRIMARY KEY, d json)")
    source.connection.execute("INSERT INTO documents SELECT g, %s::json FROM generate_series(1, 3) g", [document])
    rows = read(store, load(source, store, "documents").manifest, TableId.parse("documents"), "d")
    assert rows == [(document,)] * 3


def test_a_row_beyond_what_bronze_carries_is_refused_and_nothing_is_visible(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE documents (id bigint PRIMARY KEY, d text)")
    source.execute("INSERT INTO documents VALUES (1, repeat('x', 17 * 1024 * 1024))")
    with pytest.raises(UnsupportedColumnError, match=r"public\.documents"):
        load(source, store, "documents")
    assert visible_loads(store) == []


def test_a_row_just_within_what_bronze_carries_is_read_back(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE documents (id bigint PRIMARY KEY, d text)")
    source.execute("INSERT INTO documents VALUES (1, repeat('x', 16 * 1024 * 1024 - 1024))")
    rows = read(store, load(source, store, "documents").manifest, TableId.parse("documents"), "length(d)")
    assert rows == [(16 * 1024 * 1024 - 1024,)]


def test_a_row_carries_op_commit_time_columns_in_physical_order_and_change_sequence(source: Source, store: ObjectStore):
    source.execute(
        "CREATE TABLE subject (z text, gone text, id bigint PRIMARY KEY); ALTER TABLE subject DROP COLUMN gone"
    )
    source.execute("ALTER TABLE subject ADD COLUMN a text DEFAULT 'late'; INSERT INTO subject VALUES ('last', 1)")
    before = datetime.now(UTC)
    manifest = load(source, store, "subject").manifest
    (file,) = manifest.files
    committed_at = datetime.fromisoformat(manifest.snapshot_at)
    assert before - timedelta(seconds=1) <= committed_at <= datetime.now(UTC)
    row = ("I", committed_at.strftime("%Y-%m-%d %H:%M:%S.%f"), "last", "1", "late", change_seq(manifest.lsn))
    assert read(store, manifest, file.table) == [(*row, store.uri(file.key))]
    assert (file.rows, file.first_change_seq, file.last_change_seq) == (1, row[-1], row[-1])


def test_odd_identifiers_and_other_schemas_are_loaded(source: Source, store: ObjectStore):
    source.execute(
        'CREATE SCHEMA "My ""Shop/.."; '
        'CREATE TABLE "My ""Shop/.."."Order, Lines" ("The ""Id" bigint PRIMARY KEY, "ä,b" text)'
    )
    source.execute('INSERT INTO "My ""Shop/.."."Order, Lines" VALUES (1, \'x\')')
    table = TableId(schema='My "Shop/..', name="Order, Lines")
    manifest = full_load(source_url=source.url, store=store, tables=[table], request_id="r").manifest
    assert read(store, manifest, table, '"The ""Id", "ä,b"') == [("1", "x")]


def test_a_table_without_rows_is_part_of_the_load_without_a_file(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE nothing (id bigint PRIMARY KEY)")
    manifest = load(source, store, "nothing").manifest
    assert manifest.tables == (TableId.parse("nothing"),)
    assert manifest.files == ()


def test_a_partitioned_table_is_loaded_with_all_its_partitions(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id)")
    source.execute("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    source.execute("CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)")
    source.execute("INSERT INTO parts SELECT generate_series(0, 19)")
    assert len(read(store, load(source, store, "parts").manifest, TableId.parse("parts"))) == 20


def test_a_large_table_is_divided_at_rows(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE noise (id bigint PRIMARY KEY, t text)")
    source.execute(
        "INSERT INTO noise SELECT g, md5(g::text) || E'\\n' || md5((-g)::text) FROM generate_series(1, 30000) g"
    )
    manifest = load(source, store, "noise", max_file_bytes=300_000).manifest
    assert len(manifest.files) > 3
    assert sum(file.rows for file in manifest.files) == 30_000
    rows = read(store, manifest, TableId.parse("noise"), "id, t")
    assert sorted((int(id_), t) for id_, t in rows) == source.execute("SELECT id, t FROM noise ORDER BY id")


def test_a_changed_table_gets_the_next_contract_version_and_old_files_keep_theirs(source: Source, store: ObjectStore):
    source.execute("CREATE TABLE subject (id bigint PRIMARY KEY); INSERT INTO subject VALUES (1)")
    first, again = load(source, store, "subject", request_id="1"), load(source, store, "subject", request_id="2")
    source.execute("ALTER TABLE subject ADD COLUMN note text DEFAULT 'new'")
    third = load(source, store, "subject", request_id="3")
    versions = [one.manifest.files[0].contract_version for one in (first, again, third)]
    assert versions == [1, 1, 2]
    table = TableId.parse("subject")
    assert read(store, first.manifest, table, "id") == [("1",)]
    assert read(store, third.manifest, table, "id, note") == [("1", "new")]
