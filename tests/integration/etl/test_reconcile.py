"""Silver against its source: equal only if every cell is, and able to say which key is not."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import etl.quality.live
from etl.bronze.directory import DirectoryStore
from etl.contracts.source import open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, summary
from etl.engine.write import table_write
from etl.ports.replicator import SourceNotReadyError
from etl.quality.differences import Difference, DifferenceKind
from etl.quality.fingerprint import source_fingerprint_sql
from etl.quality.live import LakeLayer, LiveComparison, compare_live
from etl.quality.reconcile import LoadNotAppliedError, NotFingerprintedError
from tests.integration.etl.conftest import Source
from tests.integration.etl.things import EDGES, INFINITE, THINGS
from tests.lakes import apply, compare, lake_in, load

pytestmark = pytest.mark.integration

ORDERS = """
    CREATE TABLE orders (
        tenant_id bigint, id bigint, total numeric(12,2) NOT NULL, note text, placed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, id)
    );
    INSERT INTO orders SELECT i % 3, i, i * 1.01, nullif('note ' || i % 4, 'note 0'),
           '2026-01-01'::timestamptz + i * interval '1.5 hour'
      FROM generate_series(1, 300) AS i
"""


@pytest.fixture
def lake(tmp_path: Path, source: Source) -> LakeConfig:
    return lake_in(tmp_path, source.url)


@pytest.fixture
def orders(source: Source, lake: LakeConfig) -> str:
    """300 orders at the source and in silver; the load's id."""
    source.execute(ORDERS)
    load_id = load(lake, source.url, ["orders"]).load_id
    apply(lake, load_id)
    return load_id


def live(source: Source, lake: LakeConfig, *tables: str, differences: int = 20) -> tuple[LiveComparison, ...]:
    """Compare a lake whose load nothing continues: what the source did since is missing in bronze."""
    store = DirectoryStore(Path(lake.bronze_root))
    wanted = [TableId.parse(table) for table in tables]
    return compare_live(source.url, lake, store, wanted, differences=differences).tables


def test_equal_tables_are_equal(source: Source, lake: LakeConfig, orders: str) -> None:
    (compared,) = live(source, lake, "orders")
    assert compared.equal
    assert (compared.source_rows, compared.bronze.rows, compared.silver.rows) == (300, 300, 300)
    assert compared.source_hash == compared.bronze.hash == compared.silver.hash
    assert compared.bronze.differences == compared.silver.differences == ()
    recorded = compare(lake, orders)
    assert recorded.equal
    assert recorded.tables[0].source_hash == compared.source_hash


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE orders SET total = total + 0.01 WHERE id = 7", [("1|7", DifferenceKind.CHANGED)]),
        ("UPDATE orders SET note = '' WHERE note IS NULL AND id = 8", [("2|8", DifferenceKind.CHANGED)]),
        ("UPDATE orders SET note = NULL WHERE id = 9", [("0|9", DifferenceKind.CHANGED)]),
        ("UPDATE orders SET note = note || ' ' WHERE id = 9", [("0|9", DifferenceKind.CHANGED)]),
        (
            "UPDATE orders SET placed_at = placed_at + interval '1 microsecond' WHERE id = 9",
            [("0|9", DifferenceKind.CHANGED)],
        ),
        ("DELETE FROM orders WHERE id = 10", [("1|10", DifferenceKind.EXTRA)]),
        ("INSERT INTO orders VALUES (5, 1, 0, NULL, now())", [("5|1", DifferenceKind.MISSING)]),
        (
            "UPDATE orders SET tenant_id = 9 WHERE id = 11",
            [("2|11", DifferenceKind.EXTRA), ("9|11", DifferenceKind.MISSING)],
        ),
        (
            "UPDATE orders SET total = CASE id WHEN 1 THEN 2.02 ELSE 1.01 END WHERE id IN (1, 2)",
            [("1|1", DifferenceKind.CHANGED), ("2|2", DifferenceKind.CHANGED)],
        ),
    ],
)
def test_a_difference_is_named(
    source: Source, lake: LakeConfig, orders: str, change: str, expected: list[tuple[str, DifferenceKind]]
) -> None:
    source.execute(change)
    (compared,) = live(source, lake, "orders")
    assert (compared.equal, compared.first_different) == (False, LakeLayer.BRONZE)
    assert compared.silver.equal
    assert sorted(compared.bronze.differences, key=lambda each: each.key) == [
        Difference(key=key, kind=kind) for key, kind in expected
    ]
    assert compare(lake, orders).equal, "the load itself was right"


def test_many_differences_are_named_up_to_the_limit(source: Source, lake: LakeConfig, orders: str) -> None:
    source.execute("UPDATE orders SET total = 0")
    (compared,) = live(source, lake, "orders", differences=3)
    assert len(compared.bronze.differences) == 3
    (compared,) = live(source, lake, "orders", differences=0)
    assert not compared.equal
    assert compared.bronze.differences == ()


def test_a_row_that_stands_twice_in_silver_is_seen(source: Source, lake: LakeConfig, orders: str) -> None:
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        table = load_table(catalog, "silver.orders")
        again = f"SELECT * FROM read_parquet('{table.location()}/data/**/*.parquet', hive_partitioning = false)"
        with table_write(table, connection) as write:
            own = {name: text for name, text in summary(table).items() if name.startswith("lakeside.")}
            write.commit(add=write.parquet(f"{again} WHERE id = 4"), properties=own)
    (compared,) = live(source, lake, "orders")
    assert (compared.first_different, compared.silver.rows) == (LakeLayer.SILVER, 301)
    assert compared.silver.differences == (Difference(key="1|4", kind=DifferenceKind.CHANGED),)


def test_every_value_of_every_kind_has_its_own_fingerprint(source: Source) -> None:
    source.execute(THINGS)
    source.execute("INSERT INTO things (tenant_id, id) VALUES (1, 1)")
    with open_source(source.url) as session:
        (contract,) = read_contracts(session, [TableId.parse("things")])
        for column, values in EDGES.items():
            found = [fingerprint(session, contract)]
            for value in [*values, *([INFINITE[column]] if column in INFINITE else [])]:
                update = sql.SQL("UPDATE public.things SET {} = %s").format(sql.Identifier(column))
                session.execute(update, [value])
                found.append(fingerprint(session, contract))
            default = sql.SQL("UPDATE public.things SET {} = DEFAULT").format(sql.Identifier(column))
            session.execute(default)
            assert fingerprint(session, contract) == found[0]
            distinct = len(values) + (column in INFINITE) + 1
            distinct -= column in {"required", "ratio"}  # '' is the default of the one; the other has two zeros
            assert len(set(found)) == distinct, column


def fingerprint(session: psycopg.Connection, contract: TableContract) -> tuple:
    row = session.execute(source_fingerprint_sql(contract).encode()).fetchone()
    assert row is not None
    return row


def test_both_engines_agree_on_random_rows(source: Source, lake: LakeConfig) -> None:
    source.execute(THINGS)
    chance = random.Random(20261123)
    columns = list(EDGES)
    with source.connection.cursor() as cursor:
        names = sql.SQL(", ").join(map(sql.Identifier, ["tenant_id", "id", *columns]))
        with cursor.copy(sql.SQL("COPY things ({}) FROM STDIN").format(names)) as copy:
            for number in range(1000):
                values = [
                    chance.choice([*EDGES[column], *([None] if column != "required" else [])]) for column in columns
                ]
                copy.write_row([number % 5, number, *values])
    load_id = load(lake, source.url, ["things"]).load_id
    (applied,) = apply(lake, load_id).tables
    assert (applied.rows, applied.rejects) == (1000, 0)
    assert compare(lake, load_id).equal
    assert live(source, lake, "things")[0].equal


def test_all_tables_are_read_at_one_moment(
    source: Source, lake: LakeConfig, orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.execute("CREATE TABLE notes (id bigint PRIMARY KEY); INSERT INTO notes VALUES (1)")
    apply(lake, load(lake, source.url, ["orders", "notes"]).load_id)

    def read_while_others_write(session: psycopg.Connection, tables: list[TableId]) -> list[TableContract]:
        source.execute("DELETE FROM orders; DELETE FROM notes")
        return read_contracts(session, tables)

    monkeypatch.setattr(etl.quality.live, "read_contracts", read_while_others_write)
    assert [each.equal for each in live(source, lake, "orders", "notes")] == [True, True]
    monkeypatch.undo()
    assert [each.equal for each in live(source, lake, "orders", "notes")] == [False, False]


def test_what_silver_lacks_is_said(source: Source, lake: LakeConfig, orders: str) -> None:
    source.execute("CREATE TABLE notes (id bigint PRIMARY KEY); ALTER TABLE orders ADD more text")
    changed, missing = live(source, lake, "orders", "notes")
    assert (changed.equal, changed.bronze.rows, changed.silver.rows) == (False, None, None)
    assert (changed.bronze.problem, changed.silver.problem) == (
        "bronze lacks the column more",
        "silver lacks the column more",
    )
    assert (missing.equal, missing.first_different) == (False, LakeLayer.BRONZE)
    assert "no full load of public.notes" in missing.bronze.problem
    assert missing.silver.problem


def test_a_role_that_sees_some_rows_proves_nothing(source: Source, lake: LakeConfig, orders: str, role: str) -> None:
    source.execute(
        f"GRANT SELECT ON orders TO {role}; ALTER TABLE orders ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON orders USING (tenant_id = 1)"
    )
    with pytest.raises(SourceNotReadyError, match=r"hides rows of public\.orders"):
        compare_live(source.url_of(role, role), lake, DirectoryStore(Path(lake.bronze_root)), [TableId.parse("orders")])


def test_a_load_that_silver_does_not_hold_is_not_equal_to_anything(
    source: Source, lake: LakeConfig, orders: str
) -> None:
    newer = load(lake, source.url, ["orders"]).load_id
    with pytest.raises(LoadNotAppliedError):
        compare(lake, newer)


def test_a_load_without_fingerprints_says_so(source: Source, lake: LakeConfig, orders: str) -> None:
    (Path(lake.bronze_root) / "_manifests" / "fingerprints" / f"{orders}.json").unlink()
    with pytest.raises(NotFingerprintedError):
        compare(lake, orders)


def test_a_wrong_row_in_silver_fails_the_load(source: Source, lake: LakeConfig) -> None:
    source.execute(ORDERS)
    result = load(lake, source.url, ["orders"])
    path = Path(lake.bronze_root) / "_manifests" / "fingerprints" / f"{result.load_id}.json"
    path.chmod(0o600)
    fingerprint_of_orders = result.tables[0].fingerprint
    assert fingerprint_of_orders is not None
    path.write_text(
        path.read_text().replace(str(fingerprint_of_orders.hash_lo), str(fingerprint_of_orders.hash_lo + 1))
    )
    apply(lake, result.load_id)
    compared = compare(lake, result.load_id)
    assert not compared.equal
    assert compared.tables[0].source_rows == compared.tables[0].silver_rows
