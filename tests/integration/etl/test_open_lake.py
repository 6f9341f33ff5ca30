"""The lake belongs to whoever owns it: readers that know nothing of Lakeside get the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
from pyiceberg.table import StaticTable

from etl.contracts.publication import TablePin
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, snapshot_relation
from etl.gold.materialise import materialise
from etl.jobs.progress import Progress
from tests.lakes import lake_in
from tests.servers import Servers
from tests.silver_lake import write_silver

pytestmark = pytest.mark.integration

AS_OF = datetime(2026, 7, 1, 12, tzinfo=UTC)
EDGES = ["", "NULL", "it's", 'say "so"', "two\nlines", "a\tb", "Zürich ☕ 漢字 👩🏽‍🚀", " padded ", None]
Rows = list[tuple[object, ...]]


def shops() -> dict[str, list[dict[str, object]]]:
    """Return two shops with texts, amounts and times that careless readers change."""
    people = [
        {"id": number, "tenant_id": 1 + number % 2, "name": name or "Ada", "phone": name}
        for number, name in enumerate(EDGES, start=1)
    ]
    orders = [
        {"id": number, "tenant_id": 1 + number % 2, "customer_id": number, "number": f"N{number}", "total": amount,
         "order_date": f"2026-06-{number:02d} 23:59:59.{number:06d}+00", "metadata": '{"gift": true}'}
        for number, amount in enumerate(["0.00", "0.01", "-0.01", "9999999999.99", "1.10", "7.00"], start=1)
    ]  # fmt: skip
    tenants = [{"id": 1, "name": "One", "timezone": "Asia/Tokyo"}, {"id": 2, "name": "Two", "timezone": "UTC"}]
    return {"tenants": tenants, "customers": people, "orders": orders}


@pytest.fixture(scope="module")
def lake(servers: Servers, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeConfig]:
    with servers.scratch_database() as database:
        lake = lake_in(tmp_path_factory.mktemp("open"), database.catalog_url)
        write_silver(lake, {"customers": [{"id": 99, "tenant_id": 1, "name": "gone since"}]})
        write_silver(lake, shops())
        materialise(lake, Progress(), as_of=AS_OF)
        yield lake


@pytest.fixture(scope="module")
def pins(lake: LakeConfig) -> list[TablePin]:
    """Every table of silver and gold with its current metadata file: all that an outsider is given."""
    pins = []
    with open_catalog(lake) as catalog:
        for namespace in ("silver", "gold"):
            for name in sorted(".".join(each) for each in catalog.list_tables(namespace)):
                table = load_table(catalog, name)
                snapshot = table.current_snapshot()
                assert snapshot is not None
                pins.append(
                    TablePin(
                        table=name,
                        metadata_location=table.metadata_location,
                        snapshot_id=snapshot.snapshot_id,
                        rows=int(snapshot.summary.additional_properties["total-records"]),
                    )
                )
    return pins


def ours(lake: LakeConfig, pin: TablePin) -> tuple[list[str], Rows]:
    """Read a table as the product does."""
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        found = connection.execute(snapshot_relation(load_table(catalog, pin.table)))
        return [column[0] for column in found.description], in_order(found.fetchall())


def by_pyiceberg(pin: TablePin) -> tuple[list[str], Rows]:
    """Read it with pyiceberg's own reader, from the metadata file alone."""
    read = StaticTable.from_metadata(pin.metadata_location).scan().to_arrow()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", read)
        return read.column_names, in_order(connection.execute("SELECT * FROM given").fetchall())


def by_duckdb(pin: TablePin) -> tuple[list[str], Rows]:
    """Read it with DuckDB's Iceberg extension, which is code of its own, from the metadata file alone."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        for name in ("avro", "iceberg"):
            spec = find_spec(f"duckdb_extension_{name}")
            assert spec is not None
            assert spec.origin is not None
            (file,) = Path(spec.origin).parent.rglob(f"{name}.duckdb_extension")
            connection.execute(f"LOAD '{file}'")
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute("SELECT * FROM iceberg_scan(?)", [pin.metadata_location])
        return [column[0] for column in found.description], in_order(found.fetchall())


def in_order(rows: Rows) -> Rows:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("outsider", [by_pyiceberg, by_duckdb])
def test_an_independent_reader_gets_the_same_rows(
    lake: LakeConfig, pins: list[TablePin], outsider: Callable[[TablePin], tuple[list[str], Rows]]
) -> None:
    names = {pin.table for pin in pins}
    assert {"silver.orders", "silver.customers", "gold.daily_revenue", "gold.tenant_summary"} <= names
    for pin in pins:
        columns, rows = ours(lake, pin)
        assert outsider(pin) == (columns, rows), pin.table
        assert len(rows) == pin.rows
    filled = {pin.table for pin in pins if pin.rows}
    assert {"silver.orders", "silver.customers", "gold.daily_revenue", "gold.tenant_summary"} <= filled


def test_texts_amounts_and_times_arrive_as_they_were(lake: LakeConfig, pins: list[TablePin]) -> None:
    (customers,) = [pin for pin in pins if pin.table == "silver.customers"]
    columns, rows = by_duckdb(customers)
    phones = {row[columns.index("id")]: row[columns.index("phone")] for row in rows}
    assert phones == dict(enumerate(EDGES, start=1))
