"""What members see: their own numbers, or plainly why there are none."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client
from django.urls import get_resolver

from dashboards.formats import Money
from dashboards.metrics.definitions import tenant_models
from dashboards.pages.registry import CHARTS, PAGES
from dashboards.urls import urlpatterns
from etl.contracts.publication import Withheld
from tests.integration.dashboards.world import CUSTOMERS, NOW, Published, World

BERLIN_NOW = NOW.astimezone(ZoneInfo("Europe/Berlin"))


NAMES = {"overview", "page", "definitions", "chart-json", "chart-csv", "model-list", "model-json", "model-csv"}


PAGE_PATHS = ["", *(f"{page}/" for page in PAGES)]


def text(response: object) -> str:
    return b"".join(response).decode() if response.streaming else response.content.decode()


def every_path() -> list[str]:
    """Return every address below a tenant's, from the resolver itself."""
    names = {pattern.name for pattern in urlpatterns}
    assert names == NAMES, "a new address belongs into this list"
    data = [f"data/{chart}.{kind}" for chart in CHARTS for kind in ("json", "csv")]
    data += [f"models/{model.name}.{kind}" for model in tenant_models() for kind in ("json", "csv")]
    pages = [f"{page}/{days}" for page in PAGES for days in ("", "?days=180")]
    return ["", "?days=180", *pages, "definitions/", "models.json", *data]


def test_the_overview_shows_own_numbers_and_when_they_are_from(visit: Client, world: World) -> None:
    page = text(visit.get(world.ours.address()))
    assert Money("EUR").full(world.ours.revenue) in page
    assert f"{BERLIN_NOW.day} {BERLIN_NOW:%b %Y, %H:%M %Z}" in page
    assert "publication 7" in page
    assert "CANARY-ours &lt;&amp;&gt; shop" in page
    assert "No orders" not in page
    assert "These numbers are old" not in page


def test_an_update_that_was_held_back_is_said(visit: Client, world: World, published: Published) -> None:
    before = visit.get(world.ours.address())
    assert "held back" not in text(before)
    published.held_back = Withheld(as_of=NOW + timedelta(hours=1), since=NOW + timedelta(minutes=30))
    after = visit.get(world.ours.address(), headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    at = BERLIN_NOW + timedelta(hours=1)
    since = BERLIN_NOW + timedelta(minutes=30)
    assert f"Since {since.day} {since:%b %Y, %H:%M %Z} no update has passed its checks" in text(after)
    assert f"the newest with data of {at.day} {at:%b %Y, %H:%M %Z}" in text(after)
    for path in PAGE_PATHS:
        assert "Newer numbers are held back" in text(visit.get(world.ours.address(path)))
    assert Money("EUR").full(world.ours.revenue) in text(after)


def test_the_period_is_in_the_address(visit: Client, world: World) -> None:
    week = text(visit.get(world.ours.address("?days=7")))
    month = text(visit.get(world.ours.address("?days=30")))
    assert Money("EUR").full(world.ours.revenue / 3 * 2) in week
    assert Money("EUR").full(world.ours.revenue) not in week
    assert Money("EUR").full(world.ours.revenue) in month
    assert 'href="?days=7" aria-current="true"' in week
    assert visit.get(world.ours.address("?days=31")).status_code == 404


@pytest.mark.parametrize("path", every_path())
def test_nobody_else_sees_anything(db: None, visit: Client, world: World, path: str) -> None:
    ours, theirs = world.ours, world.theirs
    own = visit.get(ours.address(path))
    assert own.status_code == 200
    page = text(own)
    assert theirs.canary not in page
    assert "cannot be read" not in page
    assert visit.get(theirs.address(path)).status_code == 404
    assert theirs.canary not in text(visit.get(theirs.address(path)))
    assert visit.get(f"/t/nobody/{path}").status_code == 404
    anonymous = Client().get(ours.address(path))
    assert anonymous.status_code == 302
    assert anonymous.url.startswith("/login/?next=")
    assert ours.canary not in text(anonymous)
    for method in ("post", "put", "patch", "delete"):
        assert getattr(visit, method)(ours.address(path)).status_code == 405


def test_an_export_tells_apart_what_the_page_takes_together(visit: Client, world: World) -> None:
    document = json.loads(text(visit.get(world.ours.address("data/product-revenue-by-month.json"))))
    _, *lines = csv.reader(io.StringIO(text(visit.get(world.ours.address("data/product-revenue-by-month.csv")))))
    assert (len(document["rows"]), len(lines)) == (6, 12)
    assert document["rows"][0][1] == "all others"
    assert sum(Decimal(row[2]) for row in document["rows"]) == sum(Decimal(line[2]) for line in lines) == 120


@pytest.mark.parametrize("chart", [name for name in CHARTS if name != "product-revenue-by-month"])
def test_figure_and_export_hold_the_same_rows(visit: Client, world: World, chart: str) -> None:
    document = json.loads(text(visit.get(world.ours.address(f"data/{chart}.json"))))
    exported = visit.get(world.ours.address(f"data/{chart}.csv"))
    header, *lines = csv.reader(io.StringIO(text(exported)))
    assert header == document["columns"]
    assert len(lines) >= len(document["rows"]) > 0
    plain = [["" if value is None else str(value) for value in row] for row in document["rows"]]
    assert [[cell.removeprefix("'") for cell in line] for line in lines[: len(plain)]] == plain
    assert (document["publication"], document["summary"][-1]) == (7, ".")
    assert exported["Content-Disposition"].startswith(f'attachment; filename="ours-{chart}-2')
    assert exported["Cache-Control"] == "private, no-store"


def test_exports_are_complete(visit: Client, world: World) -> None:
    for chart, rows in {"products": 12, "stock": 12, "top-customers": CUSTOMERS, "churn-risk": CUSTOMERS // 2}.items():
        lines = text(visit.get(world.ours.address(f"data/{chart}.csv"))).splitlines()
        assert len(lines) == 1 + rows, chart


def test_money_in_json_is_exact_text(visit: Client, world: World) -> None:
    document = json.loads(text(visit.get(world.ours.address("data/revenue.json"))))
    assert str(world.ours.revenue / 3) in [row[1] for row in document["rows"]]


def test_a_spreadsheet_runs_nothing_from_an_export(visit: Client, world: World) -> None:
    lines = list(csv.reader(io.StringIO(text(visit.get(world.ours.address("data/top-customers.csv"))))))
    assert all(line[2].startswith("'=1+1 CANARY-ours") for line in lines[1:])


def test_a_browser_keeps_a_page_for_its_own_session_only(db: None, visit: Client, world: World) -> None:
    for path in ("", "data/revenue.json"):
        first = visit.get(world.ours.address(path))
        etag = first["ETag"]
        assert "private" in first["Cache-Control"]
        assert "Cookie" in first["Vary"]
        again = visit.get(world.ours.address(path), headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert visit.get(world.ours.address(path + "?days=7"), headers={"if-none-match": etag}).status_code == 200
        other_session = Client()
        other_session.force_login(world.ours.owner)
        assert other_session.get(world.ours.address(path), headers={"if-none-match": etag}).status_code == 200
        other_user = Client()
        other_user.force_login(world.theirs.owner)
        assert other_user.get(world.ours.address(path), headers={"if-none-match": etag}).status_code == 404
        assert other_user.get(world.theirs.address(path), headers={"if-none-match": etag}).status_code == 200


def test_a_new_publication_is_a_new_page(visit: Client, world: World, published: Published) -> None:
    etag = visit.get(world.ours.address())["ETag"]
    published.publication = dataclasses.replace(world.publication, number=8)
    page = visit.get(world.ours.address(), headers={"if-none-match": etag})
    assert page.status_code == 200
    assert "publication 8" in text(page)


def test_before_the_first_publication(visit: Client, world: World, published: Published) -> None:
    published.publication = None
    page = visit.get(world.ours.address())
    assert page.status_code == 200
    assert "No data yet" in text(page)
    assert visit.get(world.ours.address("data/revenue.json")).status_code == 404
    assert visit.get(world.ours.address("definitions/")).status_code == 200


def test_a_shop_newer_than_the_publication(db: None, world: World) -> None:
    client = Client()
    client.force_login(world.newcomer.owner)
    page = text(client.get(world.newcomer.address()))
    assert "No data yet" in page
    assert "newer than the latest publication" in page
    for path in PAGE_PATHS:
        assert "No data yet" in text(client.get(world.newcomer.address(path)))
    for chart in CHARTS:
        document = client.get(world.newcomer.address(f"data/{chart}.json"))
        assert document.status_code == 200
        assert b"CANARY-ours" not in document.content


def test_old_data_says_so(visit: Client, world: World, published: Published) -> None:
    published.publication = dataclasses.replace(world.publication, as_of=NOW - timedelta(hours=30))
    page = text(visit.get(world.ours.address()))
    assert "These numbers are old" in page
    assert "at most 1 hour old" in page
    assert "30 hours ago" in page


def test_a_quiet_period_says_so(visit: Client, world: World, published: Published) -> None:
    published.publication = dataclasses.replace(world.publication, as_of=NOW + timedelta(days=20))
    page = text(visit.get(world.ours.address("?days=7")))
    assert "No orders in the last 7 days" in page
    assert f"{BERLIN_NOW.day} {BERLIN_NOW:%b %Y}" in page


def test_files_that_are_gone(visit: Client, world: World, published: Published, tmp_path: Path) -> None:
    pins = [dataclasses.replace(pin, metadata_location=f"{tmp_path}/gone.json") for pin in world.publication.pins]
    published.publication = dataclasses.replace(world.publication, number=9, pins=tuple(pins))
    page = visit.get(world.ours.address())
    assert page.status_code == 503
    assert "cannot be read right now" in text(page)
    assert "ETag" not in page
    assert str(tmp_path) not in text(page)
    data = visit.get(world.ours.address("data/revenue.json"))
    assert (data.status_code, list(data.json())) == (503, ["detail"])
    assert visit.get(world.ours.address("data/revenue.csv")).status_code == 503


def test_pages_need_few_questions_and_none_the_second_time(
    visit: Client, world: World, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    answer = published.engine.query

    def counting(sql: str, **options: object) -> object:
        asked.append(sql)
        return answer(sql, **options)

    monkeypatch.setattr(published.engine, "query", counting)
    for path in PAGE_PATHS:
        asked.clear()
        cache.clear()
        visit.get(world.ours.address(path))
        first = len(asked)
        visit.get(world.ours.address(path))
        assert 0 < first <= (9 if path == "customers/" else 8)
        assert len(asked) == first


def test_pages_stand_without_inline_script_or_style(visit: Client, world: World) -> None:
    for path in (*PAGE_PATHS, "definitions/"):
        response = visit.get(world.ours.address(path))
        page = text(response)
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert page.count("<script") == page.count("<script defer src=") + page.count('type="application/json"')
        assert "<style" not in page
        assert "style=" not in page
        assert "onclick" not in page
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "https://" not in page


def test_every_file_of_a_page_is_our_own(visit: Client, world: World) -> None:
    page = text(visit.get(world.ours.address()))
    named = set(re.findall(r'"/static/([^"]+)"', page))
    assert named == {
        "dashboards/dashboards.css",
        "dashboards/dashboards.js",
        "dashboards/mark.svg",
        "plotly/plotly-basic.min.js",
    }
    assert all(finders.find(path) for path in named)


def test_the_resolver_knows_no_other_tenant_pages(db: None) -> None:
    found = {key for key in get_resolver("dashboards.urls").reverse_dict if isinstance(key, str)}
    assert found == NAMES
