"""Staff run the pipeline from the browser, through the real stack."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect

from tests.stack import Stack

pytestmark = pytest.mark.e2e

TABLES = ("customers", "events", "invoices", "order_items", "orders", "products", "subscriptions", "tenants")
STAGES = ("replicate", "silver", "quality", "gold", "publish")
_RUN_MS = 120_000
_WATCHED_SECONDS = 40


@pytest.fixture
def staff(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page signed in as staff."""
    with signed_in(browser, stack) as page:
        yield page


@contextmanager
def signed_in(
    browser: Browser, stack: Stack, *, color_scheme: Literal["light", "dark"] = "light", may_complain: bool = False
) -> Iterator[Page]:
    """Sign in as staff; unless it may, the browser must not have complained by the end."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    context = browser.new_context(color_scheme=color_scheme, base_url=stack.url)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    user = stack.users[0]
    page.goto("login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    yield page
    context.close()
    assert may_complain or complaints == []


@contextmanager
def waiting_source(stack: Stack) -> Iterator[None]:
    """Keep the source busy: a full load waits for every transaction that has written something."""
    with owner(stack) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        yield


@contextmanager
def owner(stack: Stack) -> Iterator[psycopg.Connection]:
    """Connect to the stack's database as its owner; what was done is kept."""
    lines = stack.folder.environment_file.read_text(encoding="utf-8").splitlines()
    (url,) = [line.removeprefix("DATABASE_URL=") for line in lines if line.startswith("DATABASE_URL=")]
    with psycopg.connect(url) as connection:
        yield connection


def start_run(page: Page) -> None:
    page.goto("admin/")
    page.get_by_role("link", name="Run now").click()
    expect(page.get_by_text("publishes it to all tenants")).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text(re.compile(r"Run now: Run \d+ is"))).to_be_visible()


def test_a_run_from_button_to_publication(staff: Page):
    start_run(staff)

    for stage in STAGES:
        expect(staff.locator(f'[data-stage="{stage}"][data-state="succeeded"]')).to_be_visible(timeout=_RUN_MS)
    expect(staff.locator(".lk-verdict")).to_have_text("Succeeded")
    for table in TABLES:
        row = staff.locator(f'tr[data-table="{table}"]')
        expect(row).to_have_attribute("data-reconciliation", "equal")
        source, bronze, silver, rejected = (row.locator("td").nth(column).inner_text() for column in range(4))
        assert source == bronze == silver
        assert int(source.replace(",", "")) > 0
        assert rejected == "0"
    expect(staff.get_by_text("No row breaks a check.")).to_be_visible()
    staff.get_by_text(re.compile(r"^\d+ passed$")).click()
    expect(staff.locator('tr[data-check="total_is_sum"]')).to_have_attribute("data-verdict", "passed")
    staff.get_by_role("link", name=re.compile(r"Publication \d+")).click()
    expect(staff.get_by_text("gold.daily_revenue")).to_be_visible()
    staff.goto("admin/")
    expect(staff.locator(".lk-verdict")).to_contain_text(re.compile("Healthy|Idle"))


def test_progress_is_seen_without_reloading(staff: Page, stack: Stack):
    with waiting_source(stack):
        start_run(staff)
        staff.evaluate("window.stillThisPage = true")
        expect(staff.locator('[data-stage="replicate"][data-state="running"]')).to_be_visible(timeout=_RUN_MS)

    expect(staff.locator('[data-stage="replicate"][data-state="succeeded"]')).to_be_visible(timeout=_RUN_MS)
    assert staff.evaluate("window.stillThisPage") is True
    expect(staff.locator(".lk-verdict")).to_have_text("Succeeded", timeout=_RUN_MS)


def test_a_run_is_cancelled(staff: Page, stack: Stack):
    with waiting_source(stack):
        start_run(staff)
        staff.get_by_role("link", name="Cancel run").click()
        expect(staff.get_by_text("Nothing is published")).to_be_visible()
        staff.get_by_role("button", name="Cancel run").click()
        expect(staff.locator(".lk-verdict")).to_have_text("Cancelled", timeout=_RUN_MS)

    expect(staff.get_by_text(re.compile(r"Stopped\..* Readers keep Publication \d+\."))).to_be_visible()


def press(page: Page, control: Locator) -> None:
    """Use the keyboard alone."""
    control.focus()
    expect(control).to_be_focused()
    page.keyboard.press("Enter")


def test_a_waiting_run_stands_in_the_queue(staff: Page, stack: Stack):
    with waiting_source(stack):
        start_run(staff)
        staff.goto("admin/queue/")
        row = staff.locator("tr[data-run]")
        expect(row).to_have_attribute("data-state", "running")
        expect(staff.get_by_text(re.compile(r"The lake is written by run-\d+\."))).to_be_visible()
        press(staff, row.get_by_role("link", name=re.compile("Cancel")))
        press(staff, staff.get_by_role("button", name=re.compile("Cancel")))
        expect(staff.locator(".lk-verdict")).to_have_text("Cancelled", timeout=_RUN_MS)

    staff.goto("admin/queue/")
    expect(staff.get_by_text("No run is on its way")).to_be_visible()


def test_a_table_is_paused_and_resumed_by_keyboard_and_the_audit_log_knows(staff: Page, stack: Stack):
    staff.goto("admin/lakehouse_admin/tablestate/")
    row = staff.locator('tr[data-table="public.events"]')
    expect(row).to_have_attribute("data-state", "following")

    for verb, state in {"Pause": "paused", "Resume": "following"}.items():
        press(staff, row.get_by_role("link", name=verb))
        expect(staff.get_by_role("heading", name=f"{verb} public.events").first).to_be_visible()
        press(staff, staff.get_by_role("button", name=verb))
        expect(row).to_have_attribute("data-state", state)

    staff.goto("admin/lakehouse_admin/auditentry/?q=public.events")
    for text in ("Table paused", "Table resumed", stack.users[0].email):
        expect(staff.locator("#result_list").get_by_text(text).first).to_be_visible()


def test_an_alert_is_opened_acknowledged_and_ends_with_its_cause(staff: Page, stack: Stack):
    with owner(stack) as connection:
        connection.execute(
            "UPDATE lakehouse_tables SET state = 'failed', reason = 'A column was narrowed.'"
            " WHERE \"table\" = 'public.products'"
        )
    alert = staff.get_by_role("link", name="public.products failed")

    def looked() -> bool:
        staff.goto("admin/")
        return alert.count() == 1

    wait_for(looked)
    alert.click()
    expect(staff.get_by_text("A column was narrowed.")).to_be_visible()
    press(staff, staff.get_by_role("link", name="Acknowledge"))
    press(staff, staff.get_by_role("button", name="Acknowledge"))
    expect(staff.locator(".lk-verdict")).to_contain_text("Acknowledged")
    address = staff.url

    staff.goto("admin/lakehouse_admin/tablestate/")
    row = staff.locator('tr[data-table="public.products"]')
    expect(row).to_contain_text("A column was narrowed.")
    row.get_by_role("link", name="Resume").click()
    staff.get_by_role("button", name="Resume").click()

    def resolved() -> bool:
        staff.goto(address)
        return "Resolved" in staff.locator(".lk-verdict").inner_text()

    wait_for(resolved)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Look again until it is so; promises are looked after every ten seconds."""
    deadline = time.monotonic() + _WATCHED_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_schedule_is_made_by_keyboard_starts_a_run_and_its_cost_is_seen(staff: Page):
    staff.goto("admin/lakehouse_admin/schedule/add/")
    staff.get_by_label("Name").fill("Every second")
    staff.get_by_label("Or every").fill("1")
    staff.get_by_label("Period").select_option("seconds")
    press(staff, staff.get_by_role("button", name="Save", exact=True))
    staff.wait_for_url("**/schedule/")
    row = staff.locator("#result_list tr", has_text="Every second")

    def asked() -> bool:
        staff.goto("admin/lakehouse_admin/schedule/")
        return bool(re.search(r"Run \d+ was asked for", row.inner_text()))

    wait_for(asked)
    row.get_by_role("link", name=re.compile("was asked for")).click()
    address = staff.url
    staff.goto("admin/lakehouse_admin/schedule/")
    row.get_by_role("link", name="Every second").click()
    staff.locator("#id_is_enabled").uncheck()
    press(staff, staff.get_by_role("button", name="Save", exact=True))
    staff.wait_for_url("**/schedule/")
    staff.goto(address)
    expect(staff.get_by_role("heading", name=re.compile(r"Would cost on AWS: 0\.\d+ USD"))).to_be_visible(
        timeout=_RUN_MS
    )
    for width in (1280, 390):
        staff.set_viewport_size({"width": width, "height": 800})
        for by in ("service", "run", "table", "tenant"):
            staff.goto(f"admin/costs/?by={by}")
            expect(staff.locator("[data-total]")).to_contain_text("USD")
            assert staff.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_silent_server_is_said(browser: Browser, stack: Stack):
    def refuse(route: Route) -> None:
        route.abort()

    with signed_in(browser, stack, may_complain=True) as page:
        with waiting_source(stack):
            start_run(page)
            page.route("**/live/", refuse)
            expect(page.get_by_text("The server does not answer")).to_be_visible()
            page.unroute("**/live/")

        expect(page.locator(".lk-verdict")).to_have_text("Succeeded", timeout=_RUN_MS)
        expect(page.get_by_text("The server does not answer")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_in_both_schemes(browser: Browser, stack: Stack, scheme: Literal["light", "dark"]):
    with signed_in(browser, stack, color_scheme=scheme) as page:
        for link in ("Runs", "Publications", "Pipelines"):
            page.locator("#nav-sidebar").get_by_text(link, exact=True).click()
            expect(page.locator("#result_list")).to_be_visible()
        page.locator("#nav-sidebar").get_by_text("Lineage", exact=True).click()
        page.locator('svg a[href="?of=gold.daily_revenue"]').focus()
        page.keyboard.press("Enter")
        expect(page.locator('tr[data-node="gold.daily_revenue.revenue"]')).to_contain_text("silver.orders.total")
        for link, address in {
            "Queue": "queue",
            "Tables": "tablestate",
            "Alerts": "alert",
            "Audit log": "auditentry",
            "Costs": "costs",
            "Schedules": "schedule",
        }.items():
            page.locator("#nav-sidebar").get_by_text(link, exact=True).click()
            expect(page).to_have_url(re.compile(f"/{address}/"))
            if link == "Audit log":
                expect(page.get_by_text("Run requested").first).to_be_visible()
        page.goto("admin/lakehouse_admin/pipelinerun/1/change/")
        expect(page.get_by_role("heading", name="Rows by table")).to_be_visible()
        ground = page.locator(".lk-card").first.evaluate("card => getComputedStyle(card).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


def test_a_tenant_user_is_kept_out(browser: Browser, stack: Stack):
    owner = stack.users[1]
    context = browser.new_context(base_url=stack.url)
    page = context.new_page()
    page.goto("login/")
    page.get_by_label("Email").fill(owner.email)
    page.get_by_label("Password", exact=True).fill(owner.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/t/**")

    for address in ("admin/", "admin/lakehouse_admin/pipelinerun/", "admin/lakehouse_admin/pipelinerun/1/change/"):
        answer = page.goto(address)
        assert answer is not None
        assert "/login/" in page.url or answer.status == 404
        expect(page.get_by_text("Latest runs")).to_have_count(0)
    context.close()
