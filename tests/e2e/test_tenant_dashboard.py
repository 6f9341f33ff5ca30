"""A tenant's owner signs in and looks at charts that a real pipeline computed from a real database."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from config.embedded.demo import DemoUser
from tests.stack import Stack

pytestmark = pytest.mark.e2e

REFUSED = "Failed to load resource: the server responded with a status of 4"
"""What a browser notes of the 404 that a test asks for."""
REVENUE_SQL = """
    SELECT coalesce(sum(o.total), 0), count(*)
    FROM orders AS o JOIN tenants AS t ON t.id = o.tenant_id
    WHERE t.slug = %s AND o.status = 'completed'
      AND (o.order_date AT TIME ZONE t.timezone)::date >= %s
      AND (o.order_date AT TIME ZONE t.timezone)::date < %s
"""

FOREIGN_CUSTOMERS_SQL = """
    WITH everybody AS (SELECT t.slug, c.name, c.email FROM customers AS c JOIN tenants AS t ON t.id = c.tenant_id)
    SELECT name, email FROM everybody
    WHERE slug <> %(slug)s AND name NOT IN (SELECT name FROM everybody WHERE slug = %(slug)s)
"""


@pytest.fixture
def page(page: Page, stack: Stack) -> Iterator[Page]:
    """A page whose scripts may not fail or complain, and which may not ask anybody but the stack."""
    trouble: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(REFUSED):
            trouble.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((stack.url, "data:", "blob:")):
            trouble.append(request.url)

    page.on("console", listen)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", watch)
    page.set_viewport_size({"width": 1280, "height": 900})
    yield page
    assert trouble == []


@pytest.fixture
def owner(stack: Stack) -> DemoUser:
    return owners(stack)[0]


@pytest.fixture
def source(stack: Stack) -> Iterator[psycopg.Connection]:
    """The source database, as its owner."""
    lines = stack.folder.environment_file.read_text(encoding="utf-8").splitlines()
    (url,) = [line.removeprefix("DATABASE_URL=") for line in lines if line.startswith("DATABASE_URL=")]
    with psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def dashboard(page: Page, owner: DemoUser) -> Page:
    """The owner's first page, all charts drawn."""
    sign_in(page, owner)
    draw_all(page)
    return page


def owners(stack: Stack) -> list[DemoUser]:
    return [user for user in stack.users if user.path.startswith("/t/")]


def slug(user: DemoUser) -> str:
    return user.path.strip("/").removeprefix("t/")


def sign_in(page: Page, user: DemoUser) -> None:
    page.goto("/")
    page.get_by_label("Email address").fill(user.email)
    page.get_by_label("Password").fill(user.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(re.escape(user.path)))


def draw_all(page: Page) -> None:
    """Scroll down until every chart is drawn."""
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        expect(plot).to_have_class(re.compile(r"\bdrawn\b"))


def kpi(page: Page, name: str) -> Locator:
    return page.locator(".kpi").filter(has=page.get_by_role("heading", name=name, exact=True))


def amount(text: str | None) -> Decimal:
    assert text
    return Decimal(re.sub(r"[^0-9.]", "", text))


def as_of_day(page: Page) -> date:
    """Return the tenant's calendar day at which the page's data stands."""
    moment = page.locator(".as-of time").get_attribute("datetime")
    assert moment
    return datetime.fromisoformat(moment).date()


def test_numbers_are_those_of_the_source(dashboard: Page, source: psycopg.Connection, owner: DemoUser) -> None:
    today = as_of_day(dashboard)
    row = source.execute(REVENUE_SQL, (slug(owner), today - timedelta(days=30), today)).fetchone()
    assert row is not None
    revenue, orders = row
    assert revenue > 0
    assert amount(kpi(dashboard, "Revenue").locator(".value").get_attribute("title")) == revenue
    assert amount(kpi(dashboard, "Completed orders").locator(".value").text_content()) == orders
    (name,) = source.execute("SELECT name FROM tenants WHERE slug = %s", (slug(owner),)).fetchone()
    expect(dashboard.get_by_role("heading", level=1)).to_have_text(name)


def test_it_says_when_the_data_is_from(dashboard: Page) -> None:
    line = dashboard.locator(".as-of")
    expect(line).to_contain_text(re.compile(r"Data as of \d{1,2} [A-Z][a-z]{2} \d{4}, \d{2}:\d{2} \S+"))
    expect(line).to_contain_text(re.compile(r"just now|ago"))
    expect(line).to_contain_text(re.compile(r"publication \d+"))


def test_every_chart_is_drawn_as_its_table_says(dashboard: Page, owner: DemoUser) -> None:
    pages = {"revenue": ("", 2), "lifetime-value": ("customers/", 3), "products": ("products/", 6)}
    for name, (path, column) in pages.items():
        dashboard.goto(owner.path + path)
        draw_all(dashboard)
        card = dashboard.locator(f"#{name}")
        cells = card.locator(f"tbody td:nth-child({column})").all_text_contents()
        if name == "revenue":
            cells = cells[1:]  # The running day is drawn apart.
        bars = card.locator(".barlayer .trace").first.locator(".point")
        assert bars.count() == len(cells) > 0
        assert (card.locator(".summary").text_content() or "").strip().endswith(".")
    dashboard.goto(f"{owner.path}customers/")
    draw_all(dashboard)
    assert dashboard.locator("#acquisition .barlayer .trace").count() == 2
    assert dashboard.locator("#top-customers tbody tr").count() == 10
    expect(dashboard.locator("#cohorts .grid tbody tr").first).to_contain_text("100%")
    dashboard.goto(f"{owner.path}subscriptions/")
    draw_all(dashboard)
    assert dashboard.locator("#mrr-movements .barlayer .trace").count() == 5


def test_every_page_is_one_click_away_and_keeps_the_period(dashboard: Page) -> None:
    dashboard.get_by_role("link", name="90 days").click()
    for title in ("Revenue", "Customers", "Products", "Subscriptions", "Invoices", "Activity", "Overview"):
        dashboard.get_by_role("navigation", name="Pages").get_by_role("link", name=title, exact=True).click()
        expect(dashboard.get_by_role("link", name=title, exact=True)).to_have_attribute("aria-current", "page")
        expect(dashboard).to_have_url(re.compile(r"\?days=90$"))
        draw_all(dashboard)


def test_a_stack_is_read_out_part_by_part(dashboard: Page, owner: DemoUser) -> None:
    dashboard.goto(f"{owner.path}invoices/")
    draw_all(dashboard)
    dashboard.locator("#billed-and-paid .plot").focus()
    dashboard.keyboard.press("ArrowRight")
    spoken = dashboard.locator("#spoken")
    oldest = dashboard.locator("#billed-and-paid tbody tr").last.locator("td")
    for column in (1, 2):
        expect(spoken).to_contain_text(oldest.nth(column).text_content() or "never")


def test_nothing_moves_while_charts_are_drawn(page: Page, owner: DemoUser) -> None:
    sign_in(page, owner)
    for path in ("revenue/", "customers/"):
        page.goto(owner.path + path)
        before = page.evaluate("document.documentElement.scrollHeight")
        draw_all(page)
        assert page.evaluate("document.documentElement.scrollHeight") == before


def test_the_period_is_chosen_by_address(dashboard: Page, source: psycopg.Connection, owner: DemoUser) -> None:
    dashboard.get_by_role("link", name="90 days").click()
    expect(dashboard).to_have_url(re.compile(r"\?days=90$"))
    today = as_of_day(dashboard)
    row = source.execute(REVENUE_SQL, (slug(owner), today - timedelta(days=90), today)).fetchone()
    assert row is not None
    assert amount(kpi(dashboard, "Revenue").locator(".value").get_attribute("title")) == row[0]
    draw_all(dashboard)


def test_an_export_holds_what_the_table_shows(dashboard: Page, tmp_path: Path) -> None:
    with dashboard.expect_download() as started:
        dashboard.locator("#revenue").get_by_role("link", name=re.compile("^CSV")).click()
    file = tmp_path / started.value.suggested_filename
    started.value.save_as(file)
    header, *lines = csv.reader(file.read_text(encoding="utf-8").splitlines())
    shown = dashboard.locator("#revenue tbody tr td:nth-child(2)").all_text_contents()
    assert [Decimal(line[header.index("revenue")]) for line in lines] == [amount(cell) for cell in shown]


def test_other_tenants_do_not_exist(dashboard: Page, stack: Stack, source: psycopg.Connection, owner: DemoUser) -> None:
    names = [name for (name,) in source.execute("SELECT name FROM tenants WHERE slug <> %s", (slug(owner),)).fetchall()]
    others = source.execute(FOREIGN_CUSTOMERS_SQL, {"slug": slug(owner)}).fetchall()
    canaries = [*names, *(text for pair in others for text in pair)]
    charts = ["revenue", "acquisition", "lifetime-value", "top-customers", "products", "churn-risk", "mrr-changes"]
    paths = [
        "",
        "customers/",
        "subscriptions/",
        "definitions/",
        *(f"data/{chart}.{kind}" for chart in charts for kind in ("json", "csv")),
    ]
    for path in paths:
        own = dashboard.request.get(owner.path + path)
        assert own.status == 200
        assert not [canary for canary in canaries if canary in own.text()]
        for other in owners(stack)[1:]:
            foreign = dashboard.request.get(other.path + path)
            assert foreign.status == 404
            assert not [canary for canary in canaries if canary in foreign.text()]
    dashboard.goto(owners(stack)[1].path)
    expect(dashboard.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_everything_is_reached_by_keyboard(dashboard: Page) -> None:
    for _ in range(80):
        dashboard.keyboard.press("Tab")
        if dashboard.evaluate("document.activeElement.matches('#revenue-forecast .export')"):
            break
    else:
        pytest.fail("80 presses of Tab did not reach the last link")

    plot = dashboard.locator("#revenue .plot")
    plot.focus()
    dashboard.keyboard.press("ArrowRight")
    first_day = dashboard.locator("#revenue tbody tr").last.locator("td")
    spoken = dashboard.locator("#spoken")
    expect(spoken).to_contain_text(first_day.nth(1).text_content() or "never")
    dashboard.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text(
        dashboard.locator("#revenue tbody tr").nth(-2).locator("td").nth(1).text_content() or "never"
    )

    meaning = kpi(dashboard, "Revenue").locator("summary")
    meaning.focus()
    dashboard.keyboard.press("Enter")
    expect(kpi(dashboard, "Revenue").get_by_text("Sum of the totals of completed orders")).to_be_visible()
    dashboard.keyboard.press("Escape")
    expect(kpi(dashboard, "Revenue").get_by_text("Sum of the totals of completed orders")).to_be_hidden()
    expect(meaning).to_be_focused()

    dashboard.locator("#revenue .twin summary").focus()
    dashboard.keyboard.press("Enter")
    expect(dashboard.locator("#revenue table")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_sticks_out(page: Page, owner: DemoUser, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, owner)
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for path in ("customers/", "activity/"):
        page.goto(owner.path + path)
        draw_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.goto(f"{owner.path}definitions/")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_charts_follow_the_theme(dashboard: Page) -> None:
    bar = dashboard.locator("#revenue .barlayer .point path").first
    light = bar.evaluate("each => getComputedStyle(each).fill")
    dashboard.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", light)


def test_without_scripts_the_tables_remain(browser: Browser, stack: Stack, owner: DemoUser) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    try:
        page = context.new_page()
        sign_in(page, owner)
        page.locator("#revenue .twin summary").click()
        expect(page.locator("#revenue tbody tr").first).to_be_visible()
    finally:
        context.close()


def test_a_wrong_password_says_what_to_do(page: Page, owner: DemoUser) -> None:
    page.goto("/login/")
    page.get_by_label("Email address").fill(owner.email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The email address or the password is wrong")
    expect(page.get_by_label("Email address")).to_have_value(owner.email)
    expect(page.get_by_label("Password")).to_be_focused()


def test_signing_out_closes_the_door(dashboard: Page, owner: DemoUser) -> None:
    dashboard.get_by_role("button", name="Sign out").click()
    expect(dashboard.get_by_role("heading", name="Sign in")).to_be_visible()
    dashboard.goto(owner.path)
    expect(dashboard).to_have_url(re.compile(r"/login/\?next="))
