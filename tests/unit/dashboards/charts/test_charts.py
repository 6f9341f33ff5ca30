"""Figures, sentences and tables say the same, from the same rows."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from dashboards.charts import acquisition, lifetime_value, products, revenue
from dashboards.charts.chart import Kind, Request, TableColumn
from dashboards.charts.spark import spark_points
from dashboards.formats import Money
from dashboards.metrics.customers import Month, Tenth
from dashboards.metrics.period import Period
from dashboards.metrics.products import Product
from dashboards.metrics.revenue import Day, RevenueByDay
from dashboards.pages.registry import CHARTS
from tests.unit.dashboards.gold import GoldInMemory, order

EUR = Money("EUR")
WEEK = Period(days=7, today=date(2026, 7, 1))


def request(given: dict[str, object], *, days: int = 7, is_export: bool = False) -> Request:
    period = Period(days=days, today=date(2026, 7, 1))
    return Request(query=GoldInMemory(given), period=period, money=EUR, is_export=is_export)


def week(*revenues: int, before: int = 0, is_comparable: bool = True) -> RevenueByDay:
    def days(first: int, values: list[int]) -> tuple[Day, ...]:
        return tuple(
            Day(day=date(2026, 6, first + number), revenue=Decimal(value), completed_orders=1)
            for number, value in enumerate(values)
        )

    return RevenueByDay(
        period=WEEK,
        current=days(24, [*revenues, *[0] * (7 - len(revenues))]),
        previous=days(17, [before, *[0] * 6]),
        today=Day(day=WEEK.today, revenue=Decimal(3)),
        is_comparable=is_comparable,
    )


SHOP = {
    "tenants": [{"id": 1}],
    "customers": [{"id": number, "tenant_id": 1, "name": f"C{number}"} for number in range(1, 13)],
    "products": [{"id": number, "tenant_id": 1, "sku": f"S{number:02}"} for number in range(1, 13)],
    "orders": [order(number, "06-28", f"{number}.00", customer_id=number) for number in range(1, 13)],
    "order_items": [
        {"id": number, "tenant_id": 1, "order_id": number, "product_id": number, "quantity": 1, "total": f"{number}.00"}
        for number in range(1, 13)
    ],
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("given", [SHOP, {"tenants": [{"id": 1}]}], ids=["shop", "empty"])
@pytest.mark.parametrize("days", [7, 180])
def test_every_chart_draws(chart: object, given: dict[str, object], days: int) -> None:
    drawn = chart.draw(request(given, days=days))
    assert drawn.summary.endswith(".")
    assert all(len(row) == len(chart.columns) for row in drawn.rows)
    written = json.dumps(drawn.figure)
    assert len(written) < 20_000 * (2 if days == 180 else 1)
    assert "NaN" not in written
    for row in drawn.rows:
        assert all(column.write(value, EUR) for column, value in zip(chart.columns, row, strict=True))


@pytest.mark.parametrize("name", ["top-customers", "products"])
def test_rankings_show_ten_and_export_all(name: str) -> None:
    assert len(CHARTS[name].draw(request(SHOP)).rows) == 10
    assert len(CHARTS[name].draw(request(SHOP, is_export=True)).rows) == 12


def test_revenue_bars_are_the_rows_of_the_table() -> None:
    figure = revenue.revenue_figure(week(5, 7), EUR)
    bars, before, running = figure["data"]
    assert bars["type"] == "bar"
    assert list(bars["y"]) == [5, 7, 0, 0, 0, 0, 0]
    assert list(bars["customdata"])[:2] == ["€5.00", "€7.00"]
    assert list(running["x"]) == ["2026-07-01"]
    assert before["line"]["dash"] == "dot"
    assert [row[0] for row in revenue.revenue_rows(week(5, 7))][:2] == [date(2026, 7, 1), date(2026, 6, 30)]


def test_long_periods_are_a_line() -> None:
    drawn = CHARTS["revenue"].draw(request(SHOP, days=90))
    assert drawn.figure["data"][0]["type"] == "scatter"
    assert drawn.legend[0].role == "line"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (week(), "No revenue in the last 7 days."),
        (week(5), "€5.00 in the last 7 days; the best day was Wed 24 Jun with €5.00."),
        (week(5, before=4), "€5.00 in the last 7 days, 25.0% more than in the 7 days before; the best day was"),
        (week(3, before=4), "€3.00 in the last 7 days, 25.0% less than in the 7 days before; the best day was"),
        (week(4, before=4), "€4.00 in the last 7 days, as much as in the 7 days before; the best day was"),
    ],
)
def test_revenue_in_a_sentence(data: RevenueByDay, sentence: str) -> None:
    assert revenue.revenue_summary(data, EUR).startswith(sentence)


def test_a_stretch_that_is_not_whole_is_not_compared() -> None:
    data = week(5, before=4, is_comparable=False)
    assert "than" not in revenue.revenue_summary(data, EUR)
    assert [trace["name"] for trace in revenue.revenue_figure(data, EUR)["data"]] == ["Revenue", "Today so far"]
    assert [entry.role for entry in revenue.revenue_legend(data)] == ["series", "hatched"]


def test_acquisition_in_a_sentence() -> None:
    may = Month(month=date(2026, 5, 1), signups=4, new_customers=3)
    june = Month(month=date(2026, 6, 1), signups=1, new_customers=1)
    july = Month(month=date(2026, 7, 1), signups=9, new_customers=9, is_running=True)
    assert acquisition.acquisition_summary((may, june, july)) == (
        "In Jun 2026, 1 person signed up and 1 customer bought for the first time; "
        "the best month was May 2026 with 3 first-time buyers."
    )
    assert acquisition.acquisition_summary((june, may)).endswith("that is the best month with 3 first-time buyers.")
    assert acquisition.acquisition_summary((july,)) == "The first month is still running."
    assert acquisition.acquisition_summary(()) == "No customers yet."


def test_shares_of_tenths_add_up() -> None:
    tenths = [
        Tenth(number=number, customers=1, value=Decimal(value), least=Decimal(value), most=Decimal(value))
        for number, value in ((1, 60), (2, 30), (3, 10))
    ]
    assert lifetime_value.shares(tenths) == (Decimal("0.6"), Decimal("0.3"), Decimal("0.1"))
    assert "brought 60% of all lifetime value" in lifetime_value.tenths_summary(tenths)
    figure = lifetime_value.tenths_figure(tenths, EUR)
    assert list(figure["data"][0]["x"]) == ["Top", "2.", "Last"]


def test_names_of_products_are_text_not_markup() -> None:
    product = Product(
        rank=1, sku="S", name="<a href='javascript:alert(1)'>x</a>", category="c", units_sold=1, revenue=Decimal(1),
        margin=Decimal(1), margin_ratio=1.0, revenue_share=1.0, stock_quantity=1, stock_cover_days=None,
    )  # fmt: skip
    written = json.dumps(products.products_figure([product], EUR))
    assert "<a " not in written
    assert "&lt;a href" in written


def test_colours_are_named_by_role() -> None:
    written = json.dumps(revenue.revenue_figure(week(5), EUR))
    assert "var(--series-1)" in written
    assert "#" not in written


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.TEXT, 12, "12"),
        (Kind.DAY, date(2026, 6, 1), "1 Jun 2026"),
        (Kind.MONTH, date(2026, 6, 1), "Jun 2026"),
        (Kind.COUNT, 1234, "1,234"),
        (Kind.MONEY, Decimal("1234.5"), "€1,234.50"),
        (Kind.RATIO, 0.125, "12.5%"),
        (Kind.DAYS, 13.6, "14"),
        (Kind.DAYS, None, "\N{EN DASH}"),
    ],
)
def test_cells(kind: Kind, value: object, text: str) -> None:
    assert TableColumn(name="c", title="C", kind=kind).write(value, EUR) == text


def test_sparks_begin_at_zero() -> None:
    assert spark_points([1.0]) == ""
    assert spark_points([0.0, 10.0]) == "2.0,30.0 118.0,2.0"
    assert spark_points([0.0, 0.0]) == "2.0,30.0 118.0,30.0"
    assert spark_points([9.0, 10.0]).startswith("2.0,4.8")
