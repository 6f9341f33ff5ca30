"""What follows from a declaration: columns, units and meanings of the model file, gaps, sentences, marks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboards.charts.chart import Kind, Request
from dashboards.charts.cohorts import customers_grid, mean_retention
from dashboards.charts.figure import SERIES
from dashboards.charts.from_model import model_named, table_column
from dashboards.charts.timeline import Mark, timeline
from dashboards.formats import Money
from dashboards.metrics.cohorts import CohortMonth
from dashboards.metrics.definitions import tenant_models
from dashboards.metrics.over_time import Step
from dashboards.metrics.period import Period
from dashboards.pages.registry import CHARTS, OVERVIEW, PAGES
from tests.unit.dashboards.gold import GoldInMemory, order

EUR = Money("EUR")
TODAY = date(2026, 7, 1)
NOT_CHARTED = {"tenant_summary", "customer_days"}
"""The key figures; and the raw material of others, which the API hands out."""


def request(given: dict[str, object], *, days: int = 30) -> Request:
    return Request(query=GoldInMemory(given), period=Period(days=days, today=TODAY), money=EUR)


def test_every_model_a_tenant_may_read_has_a_chart() -> None:
    charted = {column.split(".")[1] for chart in CHARTS.values() for column in chart.reads}
    charted |= {chart.model for chart in CHARTS.values()}
    assert {model.name for model in tenant_models()} - charted == NOT_CHARTED


def test_names_in_addresses_are_not_shared() -> None:
    declared = [chart for page in PAGES.values() for chart in page.charts]
    assert len({chart.name for chart in declared}) == len(declared)
    assert {chart.name for chart in OVERVIEW.charts} <= {chart.name for chart in declared}


@pytest.mark.parametrize(
    ("model", "column", "title", "kind"),
    [
        ("mrr_monthly", "end_mrr", "End MRR", Kind.MONEY),
        ("mrr_monthly", "arpa", "ARPA", Kind.MONEY),
        ("mrr_monthly", "quick_ratio", "Quick ratio", Kind.NUMBER),
        ("mrr_monthly", "customer_churn_ratio", "Customer churn ratio", Kind.RATIO),
        ("mrr_monthly", "month", "Month", Kind.MONTH),
        ("mrr_monthly", "is_complete", "Is complete", Kind.YES_NO),
        ("daily_visits", "events_per_visit", "Events per visit", Kind.NUMBER),
        ("daily_visits", "day", "Day", Kind.DAY),
        ("weekly_revenue", "week", "Week", Kind.DAY),
        ("mrr_changes", "customer_id", "Customer number", Kind.TEXT),
    ],
)
def test_a_column_is_written_as_its_model_says(model: str, column: str, title: str, kind: Kind) -> None:
    found = table_column(model_named(model), column)
    assert (found.title, found.kind) == (title, kind)


def test_the_definition_is_the_model_files_own() -> None:
    assert "Monthly amounts" not in CHARTS["mrr"].definition
    assert CHARTS["mrr"].definition.startswith("End MRR: MRR in the evening of last_day. That is start + new")


def test_a_declaration_over_nothing_is_refused() -> None:
    with pytest.raises(LookupError):
        model_named("nothing")
    with pytest.raises(KeyError):
        timeline(
            name="x", title="X", model="mrr_monthly", by="month", empty="Nothing.",
            marks=(Mark(column="nothing", label="Nothing", color=SERIES),),
        )  # fmt: skip


def test_gaps_are_zeros_for_what_is_counted_and_nothing_for_quotients() -> None:
    given = {"tenants": [{"id": 1}], "orders": [order(1, "06-02"), order(2, "06-16", "20.00")]}
    drawn = CHARTS["order-value-by-week"].draw(request(given))
    by_week = {row[0]: row[1:4] for row in drawn.rows}
    assert by_week[date(2026, 6, 8)] == (None, 0, Decimal(0))
    assert by_week[date(2026, 6, 15)] == (20.0, 1, Decimal("20.00"))
    (line,) = drawn.figure["data"]
    assert list(line["y"]) == [10.0, None, 20.0, None]
    assert drawn.summary == "Week of 15 Jun 2026: average order €20.00."


def test_losses_are_drawn_below_zero_and_written_above() -> None:
    subscriptions = [
        {"id": 1, "tenant_id": 1, "customer_id": 1, "monthly_amount": "30.00", "start_date": "2026-05-04",
         "end_date": "2026-06-10"},
    ]  # fmt: skip
    given = {"tenants": [{"id": 1}], "customers": [{"id": 1, "tenant_id": 1}], "subscriptions": subscriptions}
    drawn = CHARTS["mrr-movements"].draw(request(given))
    churned = drawn.figure["data"][4]
    assert list(churned["y"]) == [0.0, -30.0, 0.0]
    assert list(churned["customdata"]) == ["€0.00", "€30.00", "€0.00 so far"]
    assert drawn.figure["layout"]["barmode"] == "relative"
    assert "churn €30.00" in drawn.summary


@pytest.mark.parametrize("chart", [chart for chart in CHARTS.values() if chart.reads], ids=lambda chart: chart.name)
def test_nothing_to_show_is_said_in_words(chart: object) -> None:
    drawn = chart.draw(request({"tenants": [{"id": 1}]}))
    assert drawn.figure is None
    assert drawn.summary.endswith(".")
    assert "€" not in drawn.summary


def test_what_runs_out_first_comes_first() -> None:
    products = [
        {"id": number, "tenant_id": 1, "sku": f"S{number}", "name": f"P{number}", "stock_quantity": stock}
        for number, stock in ((1, 90), (2, 3), (3, 0))
    ]
    items = [
        {"id": number, "tenant_id": 1, "order_id": 1, "product_id": number, "quantity": 3, "total": "1.00"}
        for number in (1, 2)
    ]
    given = {"tenants": [{"id": 1}], "products": products, "orders": [order(1, "06-20")], "order_items": items}
    drawn = CHARTS["stock"].draw(request(given))
    assert [row[0] for row in drawn.rows] == ["S2", "S1", "S3"]
    assert drawn.summary == "P2 runs out first: its stock lasts 30 days at the pace of the last 30."


def test_only_cohorts_old_enough_are_averaged() -> None:
    def month(cohort: int, number: int, customers: int | None) -> CohortMonth:
        return CohortMonth(
            cohort=date(2026, cohort, 1), number=number, size=10, customers=customers,
            customer_retention=None if customers is None else customers / 10, revenue=None, revenue_retention=None,
        )  # fmt: skip

    months = (month(5, 0, 10), month(5, 1, 4), month(5, 2, None), month(6, 0, 10), month(6, 1, None))
    assert mean_retention(months, 1) == 0.4
    assert mean_retention(months, 2) is None
    grid = customers_grid(months)
    assert grid.titles == ("First purchase", "Buyers", "+0", "+1")
    assert [cell.text for cell in grid.rows[1]] == ["Jun 2026", "10", "100%", ""]
    assert [cell.text for cell in grid.rows[-1]] == ["All together", "20", "100%", "40%"]
    assert grid.rows[0][3].shade == 4


@pytest.mark.parametrize(
    ("step", "first", "last"),
    [
        (Step.DAY, date(2026, 6, 1), TODAY),
        (Step.WEEK, date(2026, 1, 5), date(2026, 6, 29)),
        (Step.MONTH, date(2025, 8, 1), date(2026, 7, 1)),
    ],
)
def test_windows_begin_and_end_with_whole_steps(step: Step, first: date, last: date) -> None:
    assert step.window(Period(days=30, today=TODAY)) == (first, last)
