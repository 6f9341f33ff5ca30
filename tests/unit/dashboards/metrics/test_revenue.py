"""Revenue day by day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboards.metrics.period import Period
from dashboards.metrics.revenue import Day, change, revenue_by_day, totals
from tests.unit.dashboards.gold import GoldInMemory, order

WEEK = Period(days=7, today=date(2026, 7, 1))


def test_each_day_once_zeros_where_nothing_was_sold() -> None:
    gold = GoldInMemory({
        "tenants": [{"id": 1}],
        "orders": [
            order(1, "06-16"), order(2, "06-17", "20.00"), order(3, "06-23", "1.00"), order(4, "06-24", "2.00"),
            order(5, "06-30", "4.00"), order(6, "06-30", "8.00", status="refunded"), order(7, "07-01", "16.00"),
            order(8, "06-30", "32.00", status="pending"),
        ],
    })  # fmt: skip
    data = revenue_by_day(gold, WEEK)
    assert [day.day for day in data.previous] == [date(2026, 6, number) for number in range(17, 24)]
    assert [day.day for day in data.current] == [date(2026, 6, number) for number in range(24, 31)]
    assert [day.revenue for day in data.previous] == [20, 0, 0, 0, 0, 0, 1]
    assert [day.revenue for day in data.current] == [2, 0, 0, 0, 0, 0, 4]
    assert data.today.revenue == 16
    sums = totals(data.current)
    assert (sums.revenue, sums.completed_orders, sums.average_order_value) == (Decimal("6.00"), 2, Decimal("3.00"))
    assert (sums.refunded_amount, sums.refunded_orders, sums.pending_amount) == (Decimal("8.00"), 1, Decimal("32.00"))
    assert isinstance(sums.revenue, Decimal)


def test_nothing_sold() -> None:
    data = revenue_by_day(GoldInMemory({"tenants": [{"id": 1}]}), WEEK)
    assert data.today == Day(day=date(2026, 7, 1))
    assert not data.is_comparable
    assert totals(data.current).average_order_value is None
    assert totals(()).revenue == 0


@pytest.mark.parametrize(("first_order", "comparable"), [("06-17", True), ("06-18", False)])
def test_a_stretch_that_began_before_the_first_order_is_not_whole(first_order: str, *, comparable: bool) -> None:
    gold = GoldInMemory({"tenants": [{"id": 1}], "orders": [order(1, first_order), order(2, "06-30")]})
    assert revenue_by_day(gold, WEEK).is_comparable is comparable


@pytest.mark.parametrize(
    ("current", "previous", "ratio"),
    [
        (150, 100, "0.5"),
        (50, 100, "-0.5"),
        (0, 100, "-1"),
        (5, -10, "1.5"),
        (5, 0, None),
        (5, None, None),
        (None, 5, None),
    ],
)
def test_change(current: int | None, previous: int | None, ratio: str | None) -> None:
    assert change(current, previous) == (None if ratio is None else Decimal(ratio))
