"""A refresher that lives on: after every change gold is what computing everything gives, and no more is written."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.table import StaticTable, Table

from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import data_files, load_table
from etl.engine.write import table_write
from etl.gold.compile import compile_models, load_models
from etl.gold.compute import compute
from etl.gold.inputs import snapshot_id
from etl.gold.materialise import silver_tables
from etl.gold.model import GoldModel
from etl.gold.refresh import Refresher
from etl.gold.results import ModelResult, Outcome
from etl.jobs.progress import Progress
from tests.lakes import lake_in
from tests.random_shops import START, Rows, random_shop, together
from tests.servers import Database
from tests.silver_lake import select_rows, write_silver
from tests.unit.etl.gold.silver import COLUMNS, TABLES, open_silver

NAMES = (
    "customer_days", "customer_lifetime_value", "customer_acquisition_monthly", "daily_active_customers",
    "daily_revenue", "daily_visits", "platform_usage", "tenant_summary",
)  # fmt: skip
MODELS = [model for model in load_models() if model.name in NAMES]
MOMENT = START + timedelta(days=100)


class Lake:
    """A lake, a refresher that lives as long, and the shops that silver should hold."""

    def __init__(self, config: LakeConfig, refresher: Refresher) -> None:
        self.config = config
        self.refresher = refresher
        self.shops: dict[int, Rows] = {}

    def open(self, shops: dict[int, Rows]) -> None:
        """Write all of silver anew, as a full load does."""
        self.shops = dict(shops)
        write_silver(self.config, together(shops))

    def change(self, tenant: int, shop: Rows | None) -> None:
        """Replace one tenant's rows, or remove them; nobody else's files are touched, except of tenants itself."""
        before = self.shops.pop(tenant, None)
        if shop is not None:
            self.shops[tenant] = shop
        for name, columns in TABLES.items():
            if (before or {}).get(name) == (shop or {}).get(name):
                continue
            table = load_table(self.refresher.catalog, f"silver.{name}")
            mine = "tenant_id" in columns
            rows = (shop or {}).get(name, []) if mine else together(self.shops)[name]
            with self.refresher.session.cursor() as cursor, table_write(table, cursor) as write:
                files = write.parquet(select_rows(name, rows)) if rows else ()
                gone = data_files(table, partition=tenant) if mine else data_files(table)
                write.commit(add=files, delete=gone, properties={})

    def forget_snapshots(self) -> None:
        """Leave silver only its current snapshots."""
        for table in silver_tables(self.refresher.catalog).values():
            old = [each.snapshot_id for each in table.snapshots() if each.snapshot_id != snapshot_id(table)]
            if old:
                table.maintenance.expire_snapshots().by_ids(old).commit()

    def refresh(self, as_of: datetime, *, patient: bool = False) -> dict[str, ModelResult]:
        silver = silver_tables(self.refresher.catalog)
        results = self.refresher.refresh(silver, as_of=as_of, progress=Progress(), patient=patient)
        return {result.table.removeprefix("gold."): result for result in results}

    def table(self, name: str) -> Table:
        return load_table(self.refresher.catalog, f"gold.{name}")

    def rows(self, model: GoldModel) -> list[tuple]:
        """Read a model's table as any reader of Iceberg does."""
        found = self.table(model.name).scan().to_arrow()
        return sorted((tuple(row[name] for name in model.column_names) for row in found.to_pylist()), key=repr)

    def expected(self, as_of: datetime) -> dict[str, list[tuple]]:
        """Compute everything from nothing, in memory."""
        with open_silver(together(self.shops)) as connection:
            found = {}
            for compiled in compile_models(MODELS, silver=COLUMNS):
                compute(connection, compiled, as_of=as_of)
                rows = connection.execute(f"SELECT * FROM {compiled.model.table}").fetchall()
                found[compiled.model.name] = sorted(rows, key=repr)
        return found


@contextmanager
def open_lake(config: LakeConfig) -> Iterator[Lake]:
    with open_catalog(config) as catalog, duckdb_session(config) as session:
        yield Lake(config, Refresher(catalog, session, MODELS, threads=2))


@pytest.fixture
def lake(scratch_database: Callable[[], Database], tmp_path: Path) -> Iterator[Lake]:
    with open_lake(lake_in(tmp_path, scratch_database().catalog_url)) as opened:
        opened.open({tenant: random_shop(random.Random(16 + tenant), tenant) for tenant in (1, 2, 3)})
        yield opened


def files(table: Table) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for file in data_files(table):
        found.setdefault(file.partition[0], set()).add(file.file_path)
    return found


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_after_every_change_gold_is_what_computing_everything_gives(
    scratch_database: Callable[[], Database], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    config = lake_in(tmp_path_factory.mktemp("lake"), scratch_database().catalog_url)
    with open_lake(config) as lake:
        lake.open({tenant: random_shop(rng, tenant) for tenant in (1, 2, 3)})
        as_of = START + timedelta(seconds=rng.randrange(150 * 86_400))
        for _ in range(4):
            lake.refresh(as_of)
            expected = lake.expected(as_of)
            for model in MODELS:
                assert lake.rows(model) == expected[model.name], model.name
            for tenant in rng.sample((1, 2, 3, 4), rng.randint(0, 2)):
                lake.change(tenant, None if rng.random() < 0.25 else random_shop(rng, tenant))
            as_of += timedelta(seconds=rng.choice([1, 3_000, 86_400]))
            if rng.random() < 0.3:
                lake.refresher.forget()


def test_only_the_touched_tenants_files_are_written(lake: Lake) -> None:
    lake.refresh(MOMENT)
    visits = {"daily_active_customers", "daily_visits"}
    before = {
        model.name: files(lake.table(model.name)) for model in MODELS if model.partition_by and model.name not in visits
    }
    lake.change(2, {**lake.shops[2], "orders": [order | {"status": "completed"} for order in lake.shops[2]["orders"]]})
    results = lake.refresh(MOMENT + timedelta(seconds=1))
    assert {name: results[name].tenants for name in before} == dict.fromkeys(before, 1)
    for name, old in before.items():
        new = files(lake.table(name))
        assert [tenant for tenant in (1, 2, 3) if new.get(tenant) != old.get(tenant)] == [2]
    assert {results[name].outcome for name in visits} == {Outcome.UNCHANGED}, "they read no orders"
    assert (results["platform_usage"].outcome, results["platform_usage"].tenants) == (Outcome.WRITTEN, None)


def test_a_second_without_changes_writes_nothing(lake: Lake) -> None:
    first = lake.refresh(MOMENT)
    second = lake.refresh(MOMENT + timedelta(seconds=1))
    assert {result.outcome for result in second.values()} == {Outcome.UNCHANGED}
    assert {name: result.pin for name, result in second.items()} == {name: result.pin for name, result in first.items()}


def test_at_a_tenants_midnight_that_tenant_is_computed_anew(lake: Lake) -> None:
    zones = {1: "UTC", 2: "Asia/Tokyo", 3: "UTC"}
    for tenant, zone in zones.items():
        shop = lake.shops[tenant]
        lake.change(tenant, {**shop, "tenants": [{**shop["tenants"][0], "timezone": zone}]})
    evening = MOMENT.replace(hour=14, minute=59, second=59)
    lake.refresh(evening)
    results = lake.refresh(evening + timedelta(seconds=1))
    assert results["tenant_summary"].tenants == 1
    assert results["daily_revenue"].outcome is Outcome.UNCHANGED
    assert {
        row[0]: row[4].day for row in lake.rows(next(model for model in MODELS if model.name == "tenant_summary"))
    } == {1: 9, 2: 10, 3: 9}


def test_a_change_that_only_a_check_reads_is_checked(lake: Lake) -> None:
    lake.refresh(MOMENT)
    shop = lake.shops[1]
    lake.change(1, {**shop, "orders": [{**shop["orders"][0], "status": "lost"}, *shop["orders"][1:]]})
    results = lake.refresh(MOMENT + timedelta(seconds=1))
    assert results["daily_revenue"].outcome is Outcome.FAILED
    assert "every_order_has_one_known_status (1 row)" in str(results["daily_revenue"].problem)
    assert results["tenant_summary"].outcome is Outcome.WRITTEN
    lake.change(1, shop)
    results = lake.refresh(MOMENT + timedelta(seconds=2))
    assert results["daily_revenue"].outcome in {Outcome.WRITTEN, Outcome.UNCHANGED}
    expected = lake.expected(MOMENT + timedelta(seconds=2))
    assert all(lake.rows(model) == expected[model.name] for model in MODELS)


def test_patience_waits_for_half_of_a_promise_and_says_how_old_the_rows_are(lake: Lake) -> None:
    lake.refresh(MOMENT, patient=True)
    lake.change(1, random_shop(random.Random(5), 1))
    promise = next(model.freshness_seconds for model in MODELS if model.name == "customer_lifetime_value")
    early = lake.refresh(MOMENT + timedelta(seconds=promise / 2 - 1), patient=True)
    waiting = early["customer_lifetime_value"]
    assert waiting.outcome is Outcome.DEFERRED
    assert waiting.pin is not None
    assert waiting.pin.as_of == MOMENT.isoformat()
    assert early["daily_revenue"].outcome is Outcome.WRITTEN
    assert early["daily_revenue"].pin.as_of is None
    lake.forget_snapshots()
    due = MOMENT + timedelta(seconds=promise / 2)
    late = lake.refresh(due, patient=True)["customer_lifetime_value"]
    assert (late.outcome, late.tenants) == (Outcome.WRITTEN, 1), "what changed was noted while it was still known"
    expected = lake.expected(due)
    assert all(lake.rows(model) == expected[model.name] for model in MODELS if model.name != "platform_usage")


def test_a_table_forgets_old_snapshots_but_its_pins_stay_readable(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.gold.refresh._SNAPSHOTS_KEPT", 2)
    first = lake.refresh(MOMENT)["daily_revenue"].pin
    for number in (5, 6, 11):
        lake.change(1, random_shop(random.Random(number), 1))
        lake.refresh(MOMENT + timedelta(seconds=number))
    assert len(lake.table("daily_revenue").metadata.snapshots) <= 3
    pinned = StaticTable.from_metadata(first.metadata_location).scan(snapshot_id=first.snapshot_id).to_arrow()
    assert pinned.num_rows == first.rows
