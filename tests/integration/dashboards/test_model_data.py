"""Any model's rows over HTTP: the tenant's own, all of them, in the asked order, or a plain refusal."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from dashboards.metrics import model_rows
from dashboards.metrics.definitions import models
from etl.ports.query_engine import QueryRefusedError
from tests.integration.dashboards.world import CUSTOMERS, NOW, Published, World, query_engine

DAYS_AGO = (40, 10, 5, 2, 0)
"""Days on which each shop sold, see `publish`."""


def document(client: Client, address: str) -> dict[str, object]:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def exported(client: Client, address: str) -> list[list[str]]:
    return [*csv.reader(io.StringIO(b"".join(client.get(address)).decode()))]


def test_every_tenant_model_is_listed_with_its_definition(visit: Client, world: World) -> None:
    listed = {each["name"]: each for each in document(visit, world.ours.address("models.json"))["models"]}
    assert set(listed) == {model.name for model in models()} - {"platform_usage"}
    month = listed["monthly_revenue"]
    assert month["day"] == "month"
    assert month["grain"] == ["month"]
    (value,) = [column for column in month["columns"] if column["name"] == "average_order_value"]
    assert value["formula"] == "revenue / completed_orders"
    assert visit.get(month["rows"]).status_code == 200
    assert visit.get(month["csv"]).status_code == 200


def test_rows_come_with_exact_money_and_without_the_tenant(visit: Client, world: World) -> None:
    address = f"models/daily_revenue.json?order=-day&from={NOW.date() - timedelta(days=43)}"
    found = document(visit, world.ours.address(address))
    assert "tenant_id" not in found["columns"]
    assert found["of"] == len(DAYS_AGO)
    assert found["publication"] == 7
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert [row["day"] for row in rows] == sorted((row["day"] for row in rows), reverse=True)
    amount = Decimal(world.ours.tenant.id) * Decimal("100.10")
    assert {row["revenue"] for row in rows} == {str(amount)}


def test_days_narrow_the_rows_and_the_end_is_left_out(visit: Client, world: World) -> None:
    every = document(visit, world.ours.address("models/daily_revenue.json"))
    days = [row[every["columns"].index("day")] for row in every["rows"]]
    found = document(visit, world.ours.address(f"models/daily_revenue.json?from={days[1]}&to={days[3]}"))
    assert [row[0] for row in found["rows"]] == days[1:3]
    assert found["of"] == 2
    lines = exported(visit, world.ours.address(f"models/daily_revenue.csv?from={days[1]}&to={days[3]}"))
    assert [line[0] for line in lines[1:]] == days[1:3]


def test_pages_together_are_the_export(visit: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "models/product_performance.{}?order=-stock_quantity&page_size=5"  # All have the same stock.
    pages = [document(visit, f"{world.ours.address(address.format('json'))}&page={page}") for page in (1, 2, 3, 4)]
    assert [len(page["rows"]) for page in pages] == [5, 5, 2, 0]
    assert {page["of"] for page in pages} == {12}
    monkeypatch.setattr(model_rows, "_EXPORT_ROWS", 4)
    header, *lines = exported(visit, world.ours.address(address.format("csv")))
    assert header == pages[0]["columns"]
    sku = header.index("sku")
    assert [line[sku] for line in lines] == [row[sku] for page in pages for row in page["rows"]]
    assert len({line[sku] for line in lines}) == 12


def test_a_spreadsheet_runs_nothing_of_it(visit: Client, world: World) -> None:
    header, *lines = exported(visit, world.ours.address("models/customer_lifetime_value.csv"))
    names = {line[header.index("customer_name")] for line in lines}
    assert len(names) == CUSTOMERS
    assert all(name.startswith(f"'=1+1 {world.ours.canary}") for name in names)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("order=secret", "There is no column 'secret' to order by; there are day, orders, completed"),
        ("order=tenant_id", "There is no column 'tenant_id'"),
        ("order=day;drop table x", "There is no column"),
        ("from=yesterday", "from='yesterday' is no day; write one like 2026-01-31."),
        ("to=2026-02-30", "to='2026-02-30' is no day"),
        ("page=0", "page='0' is not a whole number from 1"),
        ("page=99999999999999999999", "is not a whole number"),
        ("page_size=1001", "page_size='1001' is not a whole number from 1 to 1000."),
        ("page=%D9%A1", "is not a whole number"),
        ("tenant_id=2", "There is no parameter 'tenant_id'; there are from, to, order, page, page_size."),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_sentence(visit: Client, world: World, query: str, told: str) -> None:
    for kind in ("json", "csv"):
        response = visit.get(world.ours.address(f"models/daily_revenue.{kind}?{query}"))
        assert response.status_code == 400
        assert told in json.loads(response.content)["detail"]


def test_a_model_without_days_cannot_be_narrowed_by_them(visit: Client, world: World) -> None:
    response = visit.get(world.ours.address("models/tenant_summary.json?from=2026-01-01"))
    assert response.status_code == 400
    assert "has no day" in json.loads(response.content)["detail"]


def test_another_tenants_rows_are_out_of_reach(visit: Client, world: World) -> None:
    for kind in ("json", "csv"):
        assert visit.get(world.theirs.address(f"models/daily_revenue.{kind}")).status_code == 404
    assert visit.get(world.theirs.address("models.json")).status_code == 404


@pytest.mark.parametrize("name", ["platform_usage", "nothing", "daily-revenue", "silver"])
def test_what_no_tenant_may_read_is_not_found(visit: Client, world: World, name: str) -> None:
    for kind in ("json", "csv"):
        assert visit.get(world.ours.address(f"models/{name}.{kind}")).status_code == 404
    assert "platform_usage" not in visit.get(world.ours.address("definitions/")).content.decode()


def test_the_engine_itself_refuses_the_platforms_model(db: None, world: World) -> None:
    assert world.publication.pin("gold.platform_usage").rows > 0
    with pytest.raises(QueryRefusedError, match="rows of the whole platform"):
        query_engine().query(
            "SELECT name FROM gold.platform_usage", tenant_id=world.ours.tenant.id, publication=world.publication
        )


def test_a_model_that_is_not_published_yet_is_not_found(visit: Client, world: World, published: Published) -> None:
    pins = tuple(pin for pin in world.publication.pins if pin.table != "gold.mrr_monthly")
    published.publication = dataclasses.replace(world.publication, pins=pins)
    assert visit.get(world.ours.address("models/mrr_monthly.json")).status_code == 404
    assert visit.get(world.ours.address("models/daily_revenue.json")).status_code == 200
    published.publication = None
    assert visit.get(world.ours.address("models/daily_revenue.json")).status_code == 404


def test_a_newcomer_has_no_rows_yet(db: None, world: World) -> None:
    client = Client()
    client.force_login(world.newcomer.owner)
    found = document(client, world.newcomer.address("models/daily_revenue.json"))
    assert (found["of"], found["rows"]) == (0, [])
    assert len(exported(client, world.newcomer.address("models/daily_revenue.csv"))) == 1


def test_a_browser_keeps_a_page_until_the_next_publication(visit: Client, world: World, published: Published) -> None:
    address = world.ours.address("models/daily_revenue.json")
    first = visit.get(address)
    assert visit.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
    published.publication = dataclasses.replace(world.publication, number=8, published_at=NOW + timedelta(seconds=1))
    assert visit.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200
