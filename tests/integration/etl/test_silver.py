"""From bronze to silver with real files, read back by readers that are not ours."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from psycopg import sql
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table
from sqlalchemy.exc import OperationalError

from etl.bronze.reader import BronzeDamagedError
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.live_files import live_files
from etl.engine.row_delta import RowDelta, commit_row_delta, described
from etl.engine.session import MemoryExhaustedError, duckdb_session
from etl.engine.tables import DeleteFilesError, data_files, ensure_table, load_table, snapshot_relation, summary
from etl.engine.types import iceberg_schema
from etl.engine.write import CommitConflictError, CommitUnknownError, TableWrite, table_write
from etl.ports.catalog import CatalogUnavailableError, TableMissingError
from etl.ports.object_store import StoreFullError
from etl.silver.apply import StaleLoadError
from etl.silver.evolve import IncompatibleContractError
from tests.contracts import contract
from tests.integration.etl.conftest import Source
from tests.integration.etl.things import EDGES, INFINITE, THINGS
from tests.lakes import apply, compare, lake_in, land, load, silver, table_of, write_table

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(tmp_path: Path, source: Source) -> LakeConfig:
    """A lake whose catalog stands in the source's database, emptied with it."""
    return lake_in(tmp_path, source.url)


def insert(source: Source, table: str, **values: object) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    holders = sql.SQL(", ").join(sql.Placeholder() * len(values))
    source.connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, holders), list(values.values())
    )


def orders(source: Source, rows: int = 20) -> None:
    source.execute(
        "CREATE TABLE orders (tenant_id bigint, id bigint, total numeric(12,2) NOT NULL, placed_at timestamptz,"
        " PRIMARY KEY (tenant_id, id));"
        f"INSERT INTO orders SELECT i % 3, i, i * 1.01, '2026-01-01'::timestamptz + i * interval '1 hour'"
        f" FROM generate_series(1, {rows}) AS i"
    )


def everything(folder: str) -> set[Path]:
    return {path for path in Path(folder).rglob("*") if path.is_file()}


def loaded(source: Source, lake: LakeConfig, *tables: str) -> str:
    return load(lake, source.url, tables).load_id


def test_every_kind_of_value_arrives_unchanged(source: Source, lake: LakeConfig) -> None:
    source.execute(THINGS)
    insert(source, "things", tenant_id=1, id=0)
    number = 0
    for column, values in EDGES.items():
        for value in values:
            number += 1
            insert(source, "things", tenant_id=number % 3, id=number, **{column: value})
    load_id = loaded(source, lake, "things")

    (applied,) = apply(lake, load_id).tables

    assert (applied.rows_in, applied.rows, applied.rejects, applied.duplicates) == (number + 1, number + 1, 0, 0)
    assert compare(lake, load_id).equal
    arrow = silver(lake, "things").scan().to_arrow().sort_by("id")
    expected = source.execute(
        "SELECT tenant_id, id, small::int, whole, amount, precise, fraction, hundreds, note, label, code::text,"
        ' token::text, data::text, raw::text, flag, day, local, moment, bytes, "Strange "" name", required,'
        " numbers::text"
        " FROM things ORDER BY id"
    )
    names = (
        "tenant_id", "id", "small", "whole", "amount", "precise", "fraction", "hundreds", "note", "label", "code",
        "token", "data", "raw", "flag", "day", "local", "moment", "bytes", 'Strange " name', "required", "numbers",
    )  # fmt: skip
    assert list(zip(*(arrow[name].to_pylist() for name in names), strict=True)) == expected


def test_a_plain_iceberg_reader_sees_the_right_types(source: Source, lake: LakeConfig) -> None:
    source.execute(THINGS)
    insert(source, "things", tenant_id=7, id=1, amount="1.50")
    apply(lake, loaded(source, lake, "things"))

    table = silver(lake, "things")

    types = {field.name: field.type for field in table.scan().to_arrow().schema}
    assert types == {
        "tenant_id": pa.int64(), "id": pa.int64(), "small": pa.int32(), "whole": pa.int32(),
        "amount": pa.decimal128(12, 2), "precise": pa.decimal128(38, 10), "fraction": pa.decimal128(5, 5),
        "hundreds": pa.decimal128(7, 0), "free": pa.string(), "note": pa.string(), "label": pa.string(),
        "code": pa.string(), "token": pa.string(), "data": pa.string(), "raw": pa.string(), "flag": pa.bool_(),
        "day": pa.date32(), "local": pa.timestamp("us"), "moment": pa.timestamp("us", tz="UTC"),
        "ratio": pa.float64(), "approx": pa.float64(), "bytes": pa.binary(), "numbers": pa.string(),
        "host": pa.string(), "span": pa.string(), 'Strange " name': pa.string(), "required": pa.string(),
        "_committed_at": pa.timestamp("us", tz="UTC"), "_change_seq": pa.string(),
    }  # fmt: skip
    assert table.metadata.format_version == 2
    assert [(field.name, str(field.transform)) for field in table.spec().fields] == [("tenant_id", "identity")]
    (file,) = data_files(table)
    (metadata,) = duckdb.sql(
        f"SELECT list(field_id ORDER BY field_id), any_value(compression) FROM parquet_schema('{file.file_path}') AS s,"
        f" (SELECT DISTINCT compression FROM parquet_metadata('{file.file_path}')) WHERE field_id > 0"
    ).fetchall()
    assert metadata == ([field.field_id for field in table.schema().fields], "SNAPPY")
    assert (file.partition[0], file.record_count) == (7, 1)


def test_one_snapshot_carries_the_watermark(source: Source, lake: LakeConfig) -> None:
    orders(source)
    result = load(lake, source.url, ["orders"])

    (applied,) = apply(lake, result.load_id).tables

    table = silver(lake, "orders")
    (snapshot,) = table.snapshots()
    assert snapshot.snapshot_id == applied.snapshot_id
    properties = summary(table)
    assert properties["lakeside.load-id"] == result.load_id
    assert properties["lakeside.watermark"] == f"{result.lsn:020d}{0:015d}"
    assert properties["lakeside.source-lsn"] == str(result.lsn)
    assert properties["lakeside.contract-version"] == "1"
    assert properties["total-records"] == "20"


def test_a_repetition_does_nothing(source: Source, lake: LakeConfig) -> None:
    orders(source)
    load_id = loaded(source, lake, "orders")
    (first,) = apply(lake, load_id).tables
    files = everything(lake.lake_uri)

    (second,) = apply(lake, load_id).tables

    assert second.unchanged
    assert (second.snapshot_id, second.rows, second.rejects) == (first.snapshot_id, 20, 0)
    assert everything(lake.lake_uri) == files


def test_a_new_load_replaces_every_row(source: Source, lake: LakeConfig) -> None:
    orders(source)
    old = loaded(source, lake, "orders")
    apply(lake, old)
    source.execute("DELETE FROM orders WHERE tenant_id = 1; UPDATE orders SET total = 0 WHERE tenant_id = 2")
    new = loaded(source, lake, "orders")

    (applied,) = apply(lake, new).tables

    assert applied.rows == 13
    assert compare(lake, new).equal
    assert compare(lake, old).equal, "the older snapshot still holds the older load"
    with pytest.raises(StaleLoadError):
        apply(lake, old)


def test_an_empty_table_stands_in_silver(source: Source, lake: LakeConfig) -> None:
    orders(source, rows=0)
    first = loaded(source, lake, "orders")
    assert apply(lake, first).tables[0].rows == 0
    assert compare(lake, first).equal
    source.execute("INSERT INTO orders VALUES (1, 1, 1, now())")
    second = loaded(source, lake, "orders")
    assert apply(lake, second).tables[0].rows == 1
    source.execute("DELETE FROM orders")
    third = loaded(source, lake, "orders")
    assert apply(lake, third).tables[0].rows == 0
    assert compare(lake, third).equal
    assert silver(lake, "orders").scan().to_arrow().num_rows == 0


def test_several_tables_with_and_without_tenant(source: Source, lake: LakeConfig) -> None:
    orders(source)
    source.execute("CREATE TABLE countries (code char(2) PRIMARY KEY); INSERT INTO countries VALUES ('AT'), ('US')")
    source.execute("CREATE SCHEMA other; CREATE TABLE other.orders (id uuid PRIMARY KEY)")
    load_id = loaded(source, lake, "orders", "countries", "other.orders")

    result = apply(lake, load_id)

    assert [(each.table, each.rows) for each in result.tables] == [
        ("orders", 20),
        ("countries", 2),
        ("other__orders", 0),
    ]
    assert silver(lake, "countries").spec().is_unpartitioned()
    assert compare(lake, load_id).equal


def test_what_no_file_can_hold_is_quarantined_as_it_came(source: Source, lake: LakeConfig) -> None:
    source.execute(THINGS)
    insert(source, "things", tenant_id=1, id=1, note="good")
    for number, (column, value) in enumerate(INFINITE.items(), start=2):
        insert(source, "things", tenant_id=1, id=number, note="", **{column: value})
    load_id = loaded(source, lake, "things")

    (applied,) = apply(lake, load_id).tables

    assert (applied.rows, applied.rejects) == (1, 3)
    assert not compare(lake, load_id).equal
    quarantine = table_of(lake, "quarantine.things").scan().to_arrow().sort_by("row").to_pylist()
    assert [(each["load_id"], each["row"], each["reason"]) for each in quarantine] == [
        (load_id, 2, "invalid:day"),
        (load_id, 3, "invalid:local"),
        (load_id, 4, "invalid:moment"),
    ]
    assert {each["file"] for each in quarantine} == {"public/things/LOAD00000001.csv.gz"}
    raw = json.loads(quarantine[0]["raw"])
    assert (raw["Op"], raw["id"], raw["note"], raw["label"], raw["day"]) == ("I", "2", "", None, "infinity")

    source.execute("DELETE FROM things WHERE id > 1")
    cured = loaded(source, lake, "things")
    assert apply(lake, cured).tables[0].rejects == 0
    assert compare(lake, cured).equal
    assert table_of(lake, "quarantine.things").scan().to_arrow().num_rows == 0


def test_a_table_without_rejects_gets_no_quarantine(source: Source, lake: LakeConfig) -> None:
    orders(source)
    apply(lake, loaded(source, lake, "orders"))
    with pytest.raises(TableMissingError):
        table_of(lake, "quarantine.orders")


NOTES = contract("notes", ("tenant_id", "bigint"), ("id", "bigint"), ("note", "text"), key=("tenant_id", "id"))


def note(row: str, *, seq: int = 1, op: str = "I") -> str:
    return f"{op},2026-01-01 00:00:00.000000,{row},{seq:035d}"


def test_the_newest_row_of_a_repeated_key_stays(source: Source, lake: LakeConfig) -> None:
    load_id = land(lake, NOTES, note("1,1,newer", seq=2), note("1,1,older"), note("1,2,only"), note("2,1,other"))

    (applied,) = apply(lake, load_id).tables

    assert (applied.rows_in, applied.rows, applied.rejects, applied.duplicates) == (4, 3, 0, 1)
    rows = silver(lake, "notes").scan().to_arrow().sort_by([("tenant_id", "ascending"), ("id", "ascending")])
    assert rows["note"].to_pylist() == ["newer", "only", "other"]
    assert len([path for path in everything(lake.warehouse) if path.suffix == ".parquet"]) == 2


def test_rejects_and_repeated_keys_together(source: Source, lake: LakeConfig) -> None:
    load_id = land(lake, NOTES, note("1,1,a", seq=2), note("1,x,bad"), note("1,1,b", op="D"), note("1,1,c"))

    (applied,) = apply(lake, load_id).tables

    assert (applied.rows_in, applied.rows, applied.rejects, applied.duplicates) == (4, 1, 2, 1)
    quarantine = table_of(lake, "quarantine.notes").scan().to_arrow().sort_by("row")
    assert quarantine["reason"].to_pylist() == ["bad_key:id", "bad_op"]
    assert quarantine["row"].to_pylist() == [2, 3]


def test_a_file_of_another_shape_is_not_read_as_ours(source: Source, lake: LakeConfig) -> None:
    load_id = land(lake, NOTES, note("1,1,secret,one field too many"))
    with pytest.raises(BronzeDamagedError) as caught:
        apply(lake, load_id)
    assert "secret" not in str(caught.value)
    assert not silver(lake, "notes").snapshots()


def test_rows_that_a_manifest_does_not_count_are_noticed(
    source: Source, lake: LakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_id = land(lake, NOTES, note("1,1,one"), note("1,2,two"))
    path = Path(lake.bronze_root) / "_manifests" / "loads" / f"{load_id}.json"
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"rows": 2', '"rows": 3'))
    with pytest.raises(BronzeDamagedError, match="gave 2 rows, but 3 were written"):
        apply(lake, load_id)
    assert not silver(lake, "notes").snapshots()


def test_a_damaged_file_is_not_read(source: Source, lake: LakeConfig) -> None:
    orders(source)
    load_id = loaded(source, lake, "orders")
    path = Path(lake.bronze_root) / "public" / "orders" / "LOAD00000001.csv.gz"
    path.chmod(0o600)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    with pytest.raises(BronzeDamagedError):
        apply(lake, load_id)


def test_a_new_column_is_added(source: Source, lake: LakeConfig) -> None:
    orders(source)
    apply(lake, loaded(source, lake, "orders"))
    old = silver(lake, "orders").current_snapshot()
    source.execute("ALTER TABLE orders ADD note text DEFAULT 'new', ALTER total TYPE numeric(14,2)")

    load_id = loaded(source, lake, "orders")
    apply(lake, load_id)

    table = silver(lake, "orders")
    assert compare(lake, load_id).equal
    assert [field.name for field in table.schema().fields] == [
        "tenant_id", "id", "total", "placed_at", "_committed_at", "_change_seq", "note",
    ]  # fmt: skip
    with duckdb_session(lake) as connection:
        before = snapshot_relation(table, snapshot_id=old.snapshot_id)
        now = snapshot_relation(table)
        assert connection.execute(f"SELECT count(*), count(note), sum(total) FROM ({before})").fetchall() == [
            (20, 0, Decimal("212.10"))
        ]
        assert connection.execute(f"SELECT count(*), count(note), sum(total) FROM ({now})").fetchall() == [
            (20, 20, Decimal("212.10"))
        ]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER total TYPE numeric(10,2)",
        "ALTER total TYPE numeric(14,4)",
        "ALTER total TYPE text",
    ],
)
def test_a_change_that_loses_values_stops(source: Source, lake: LakeConfig, change: str) -> None:
    orders(source)
    apply(lake, loaded(source, lake, "orders"))
    snapshot = silver(lake, "orders").current_snapshot()
    source.execute(f"ALTER TABLE orders {change}")

    with pytest.raises(IncompatibleContractError, match="total"):
        apply(lake, loaded(source, lake, "orders"))

    table = silver(lake, "orders")
    assert table.current_snapshot() == snapshot
    assert len(table.schemas()) == 1


def test_an_error_before_the_commit_leaves_nothing(
    source: Source, lake: LakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(source)
    apply(lake, loaded(source, lake, "orders"))
    load_id = loaded(source, lake, "orders")
    before = everything(lake.warehouse)

    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(TableWrite, "commit_delta", fail)
        with pytest.raises(RuntimeError, match="power"):
            apply(lake, load_id)
    assert everything(lake.warehouse) == before
    assert not apply(lake, load_id).tables[0].unchanged


KILLED_BEFORE_THE_COMMIT = """
import os, sys
from etl.engine.lake import LakeConfig
from etl.engine.write import TableWrite
from etl.jobs.bronze_to_silver import BronzeToSilver, run
from etl.jobs.progress import Progress
TableWrite.commit_delta = lambda *_, **__: os._exit(9)
lake = LakeConfig(lake_uri=sys.argv[1], catalog_url=sys.stdin.read(), memory_limit_bytes=2**28, threads=2)
run(BronzeToSilver(lake=lake, load_id=sys.argv[2]), Progress())
"""


def test_a_kill_before_the_commit_leaves_the_table_as_it_was(source: Source, lake: LakeConfig) -> None:
    orders(source)
    apply(lake, loaded(source, lake, "orders"))
    snapshot = silver(lake, "orders").current_snapshot()
    source.execute("DELETE FROM orders WHERE id > 10")
    load_id = loaded(source, lake, "orders")
    files = everything(lake.warehouse)

    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_COMMIT, lake.lake_uri, load_id],
        input=lake.catalog_url,
        text=True,
        check=False,
    )

    assert killed.returncode == 9
    assert len(everything(lake.warehouse) - files) == 3, "files without a snapshot, for the cleaner"
    assert silver(lake, "orders").current_snapshot() == snapshot
    assert silver(lake, "orders").scan().to_arrow().num_rows == 20
    assert apply(lake, load_id).tables[0].rows == 10
    assert compare(lake, load_id).equal


def test_both_jobs_run_as_processes_of_their_own(source: Source, lake: LakeConfig, tmp_path: Path) -> None:
    orders(source)
    load_id = loaded(source, lake, "orders")

    silver_result = run_job("bronze_to_silver", lake, load_id, tmp_path)
    quality_result = run_job("reconcile", lake, load_id, tmp_path)

    (applied,) = silver_result["tables"]
    assert (applied["table"], applied["rows"], applied["rejects"], applied["duplicates"]) == ("orders", 20, 0, 0)
    (compared,) = quality_result["tables"]
    assert quality_result["equal"]
    assert (compared["table"], compared["source_rows"], compared["silver_rows"]) == ("orders", 20, 20)
    assert compared["source_hash"] == compared["silver_hash"]


def run_job(name: str, lake: LakeConfig, load_id: str, folder: Path) -> dict[str, Any]:
    result = folder / f"{name}.json"
    document = {
        "arguments": {"lake_uri": lake.lake_uri, "memory_limit_bytes": 2**28, "threads": 2, "load_id": load_id},
        "secrets": {"catalog_url": lake.catalog_url, "source_url": "not for this job"},
        "result_path": str(result),
        "progress_path": str(folder / f"{name}.progress.json"),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "etl.jobs", name],
        input=json.dumps(document),
        text=True,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(result.read_text())
    assert outcome["state"] == "succeeded"
    return outcome["result"]


SCHEMA = iceberg_schema([("tenant_id", "bigint"), ("id", "bigint")])


def table_in(lake: LakeConfig, name: str) -> Table:
    with open_catalog(lake) as catalog:
        return ensure_table(catalog, name, SCHEMA, partition_by="tenant_id")


def test_one_of_two_writers_wins(lake: LakeConfig) -> None:
    table_in(lake, "silver.contested")
    for _ in range(3):
        won = race(lake)
        assert sorted(won) == [False, True]
        rows = silver(lake, "contested").scan().to_arrow()["id"].to_pylist()
        assert rows == [won.index(True)]
    table = silver(lake, "contested")
    referenced = {Path(snapshot.manifest_list) for snapshot in table.snapshots()}
    for snapshot in table.snapshots():
        referenced |= {Path(manifest.manifest_path) for manifest in snapshot.manifests(table.io)}
    assert {path for path in everything(lake.warehouse) if path.suffix == ".avro"} == referenced
    assert len([path for path in everything(lake.warehouse) if path.suffix == ".parquet"]) == 3, "the losers' are gone"


def race(lake: LakeConfig) -> list[bool]:
    """Have two writers replace the table's one row by their number; tell who won."""
    ready = Barrier(2)

    def replace_all(number: int) -> bool:
        with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
            table = load_table(catalog, "silver.contested")
            try:
                with table_write(table, connection) as write:
                    files = write.parquet(f"SELECT 1 AS tenant_id, {number} AS id")
                    ready.wait(timeout=30)
                    write.commit(add=files, delete=data_files(table), properties={})
            except CommitConflictError:
                return False
        return True

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(replace_all, [0, 1]))


def test_only_the_named_files_are_swapped(lake: LakeConfig) -> None:
    table_in(lake, "silver.parts")
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        table = load_table(catalog, "silver.parts")
        with table_write(table, connection) as write:
            write.commit(add=write.parquet("SELECT i % 3 AS tenant_id, i AS id FROM range(9) AS t(i)"), properties={})
        old = {file.partition[0]: file.file_path for file in data_files(table)}
        with table_write(table, connection) as write:
            write.commit(
                add=write.parquet("SELECT 1 AS tenant_id, 100 AS id"),
                delete=data_files(table, partition=1),
                properties={},
            )
    new = {file.partition[0]: file.file_path for file in data_files(table)}
    assert (new[0], new[2]) == (old[0], old[2])
    assert new[1] != old[1]
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [0, 2, 3, 5, 6, 8, 100]
    assert len(table.snapshots()) == 2


def test_a_commit_whose_answer_was_lost_is_found(lake: LakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    table_in(lake, "silver.parts")
    commit_table = SqlCatalog.commit_table

    def commit_and_lose_the_answer(*arguments: Any) -> object:
        commit_table(*arguments)
        raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        table = load_table(catalog, "silver.parts")
        monkeypatch.setattr(SqlCatalog, "commit_table", commit_and_lose_the_answer)
        with table_write(table, connection) as write:
            snapshot_id = write.commit(add=write.parquet("SELECT 1 AS tenant_id, 2 AS id"), properties={})
    found = silver(lake, "parts")
    assert found.current_snapshot().snapshot_id == snapshot_id
    assert found.scan().to_arrow()["id"].to_pylist() == [2]


@pytest.mark.parametrize(
    ("failure", "error", "files"),
    [
        (OperationalError("COMMIT", {}, Exception("server closed the connection")), CommitUnknownError, 1),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFullError, 0),
    ],
)
def test_files_stay_only_if_a_snapshot_may_refer_to_them(
    lake: LakeConfig, monkeypatch: pytest.MonkeyPatch, failure: Exception, error: type[Exception], files: int
) -> None:
    table_in(lake, "silver.parts")

    def fail(*_: object) -> object:
        raise failure

    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        table = load_table(catalog, "silver.parts")
        with monkeypatch.context() as patch, table_write(table, connection) as write:
            written = write.parquet("SELECT 1 AS tenant_id, 2 AS id")
            patch.setattr(SqlCatalog, "commit_table", fail)
            with pytest.raises(error):
                write.commit(add=written, properties={})
    assert silver(lake, "parts").current_snapshot() is None
    assert len([path for path in everything(lake.warehouse) if path.suffix == ".parquet"]) == files


def test_equality_deletes_of_another_engine_are_refused(lake: LakeConfig) -> None:
    write_table(lake, "silver.parts", {"tenant_id": "bigint", "id": "bigint"}, "SELECT 1 AS tenant_id, 2 AS id")
    with open_catalog(lake) as catalog:
        table = load_table(catalog, "silver.parts")
        live = live_files(table)
        theirs = described(
            table,
            f"{table.location()}/data/deletes.parquet",
            content=DataFileContent.EQUALITY_DELETES,
            rows=1,
            size_bytes=1,
            partition=live.data[0].partition,
        )
        commit_row_delta(table, live, RowDelta(add=(theirs,), remove=(), properties={}), is_settled=lambda _: False)
        for opened in (table, load_table(catalog, "silver.parts")):
            with pytest.raises(DeleteFilesError):
                snapshot_relation(opened)


def test_a_snapshot_nobody_made_is_not_an_empty_one(lake: LakeConfig) -> None:
    write_table(lake, "silver.parts", {"id": "bigint"}, "SELECT 2 AS id")
    with pytest.raises(ValueError, match="no snapshot 5"):
        data_files(silver(lake, "parts"), snapshot_id=5)


def test_nothing_outside_the_lake_can_be_read(lake: LakeConfig, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    look_alike = Path(f"{lake.lake_uri}-other")
    look_alike.mkdir()
    (look_alike / "x.csv").write_text("a\n1\n")
    with duckdb_session(lake) as connection:
        for path in (outside, look_alike / "x.csv", f"{lake.lake_uri}/../outside.csv"):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(f"SELECT * FROM read_csv('{path}')")
        with pytest.raises(duckdb.Error, match="locked"):
            connection.execute("SET enable_external_access = true")
        assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_more_rows_than_memory(tmp_path: Path, source: Source) -> None:
    lake = lake_in(tmp_path, source.url, memory_limit_bytes=160 * 1024 * 1024)
    source.execute("CREATE TABLE events (tenant_id bigint, id bigint, data text, PRIMARY KEY (tenant_id, id))")
    source.execute(
        "INSERT INTO events SELECT i % 5, i, repeat(md5(i::text), 20) FROM generate_series(1, 300000) AS i"
    )  # 192 MB of text
    load_id = loaded(source, lake, "events")
    assert apply(lake, load_id).tables[0].rows == 300_000
    assert compare(lake, load_id).equal


def test_too_little_memory_says_what_to_raise(tmp_path: Path, source: Source) -> None:
    lake = lake_in(tmp_path, source.url, memory_limit_bytes=2 * 1024 * 1024)
    orders(source)
    load_id = loaded(source, lake, "orders")
    with pytest.raises(MemoryExhaustedError) as caught:
        apply(lake, load_id)
    assert "LAKEHOUSE_JOB_MEMORY_BYTES" in caught.value.guidance


def test_sorting_spills_to_disk(tmp_path: Path) -> None:
    lake = lake_in(tmp_path, "", memory_limit_bytes=32 * 1024 * 1024)
    with duckdb_session(lake) as connection:
        connection.execute("CREATE TABLE t AS SELECT md5(i::VARCHAR) AS h FROM range(1500000) AS r(i)")  # 48 MB
        ((row,),) = connection.execute("SELECT h FROM t ORDER BY h LIMIT 1 OFFSET 750000").fetchall()
    assert row.startswith(("7", "8"))


def test_a_catalog_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogUnavailableError):
        open_catalog(lake_in(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing"))


def test_catalogs_opened_at_once_agree(source: Source, lake: LakeConfig) -> None:
    ready = Barrier(4)

    def create(_: int) -> str:
        ready.wait(timeout=30)
        table = table_in(lake, "silver.shared")
        return str(table.metadata.table_uuid)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(create, range(4)))) == 1


@pytest.mark.parametrize("columns", [{"id": "bigint"}, {"tenant_id": "bigint", "id": "bigint"}])
def test_no_rows_make_no_files(lake: LakeConfig, columns: dict[str, str]) -> None:
    nothing = f"SELECT {', '.join(f'1 AS {name}' for name in columns)} WHERE false"
    pin = write_table(lake, "silver.parts", columns, nothing)
    assert pin.rows == 0
    assert not [path for path in everything(lake.warehouse) if path.suffix == ".parquet"]
    assert silver(lake, "parts").scan().to_arrow().num_rows == 0
