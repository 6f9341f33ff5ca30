"""One suite for every `Catalog`: pyiceberg's in PostgreSQL, and the tests' fake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from etl.contracts.publication import TablePin
from etl.engine.lake import LakeConfig
from etl.ports.catalog import Catalog, CatalogUnavailableError, TableMissingError
from lakehouse_admin.adapters.embedded.catalog import IcebergCatalog
from tests.fakes import FakeCatalog
from tests.lakes import lake_in, write_table
from tests.servers import Database

pytestmark = pytest.mark.integration

ROWS = {"gold.first": 2, "gold.second": 0, "silver.orders": 5}


@pytest.fixture
def lake(tmp_path: Path, scratch_database: Callable[[], Database]) -> LakeConfig:
    return lake_in(tmp_path, scratch_database().catalog_url)


@pytest.fixture(params=["fake", "iceberg"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    """A catalog with three tables."""
    if request.param == "fake":
        return FakeCatalog(
            [TablePin(table=name, metadata_location=f"{name}.json", snapshot_id=1, rows=n) for name, n in ROWS.items()]
        )
    lake: LakeConfig = request.getfixturevalue("lake")
    for name, rows in ROWS.items():
        write_table(lake, name, {"id": "bigint"}, f"SELECT i AS id FROM range({rows}) AS t(i)")
    return IcebergCatalog(lake)


def test_tables_are_listed_by_namespace(catalog: Catalog) -> None:
    assert list(catalog.tables("gold")) == ["gold.first", "gold.second"]
    assert list(catalog.tables("silver")) == ["silver.orders"]
    assert list(catalog.tables("nothing")) == []


def test_pins_come_in_the_order_asked(catalog: Catalog) -> None:
    pins = catalog.pin(["silver.orders", "gold.first", "gold.second"])
    assert [(pin.table, pin.rows) for pin in pins] == [("silver.orders", 5), ("gold.first", 2), ("gold.second", 0)]


def test_pinning_nothing_gives_nothing(catalog: Catalog) -> None:
    assert catalog.pin([]) == ()


def test_a_missing_table_is_named(catalog: Catalog) -> None:
    with pytest.raises(TableMissingError) as caught:
        catalog.pin(["gold.first", "gold.third"])
    assert caught.value.context["table"] == "gold.third"


def test_a_pin_moves_with_the_table_and_the_old_one_stays_readable(lake: LakeConfig) -> None:
    catalog = IcebergCatalog(lake)
    columns = {"id": "bigint"}
    write_table(lake, "gold.first", columns, "SELECT 1 AS id")
    (old,) = catalog.pin(["gold.first"])
    write_table(lake, "gold.first", columns, "SELECT 2 AS id UNION ALL SELECT 3")
    (new,) = catalog.pin(["gold.first"])
    assert (old.rows, new.rows) == (1, 2)
    assert old.snapshot_id != new.snapshot_id
    assert Path(old.metadata_location).exists()


def test_a_catalog_nobody_wrote_to_is_empty(lake: LakeConfig) -> None:
    assert list(IcebergCatalog(lake).tables("gold")) == []


def test_no_answer_is_told_apart_from_no_table(tmp_path: Path) -> None:
    catalog = IcebergCatalog(lake_in(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(CatalogUnavailableError):
        catalog.tables("gold")
    with pytest.raises(CatalogUnavailableError):
        catalog.pin(["gold.first"])
