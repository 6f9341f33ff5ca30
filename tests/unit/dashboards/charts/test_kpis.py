"""Key figures and how their changes are taken."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from dashboards.charts.kpis import Kpi, Mood, kpis
from dashboards.formats import Money
from dashboards.metrics.period import Period
from dashboards.metrics.revenue import Day, RevenueByDay
from dashboards.metrics.summary import Summary

PERIOD = Period(days=1, today=date(2026, 7, 1))
SUMMARY = Summary(
    customers=9, orders=9, completed_orders=9, revenue=Decimal(9), active_subscriptions=3, paying_customers=1,
    mrr=Decimal("1234.56"), first_order_at=datetime(2026, 6, 29, 12, tzinfo=UTC), last_order_at=None,
)  # fmt: skip


def day(revenue: int, orders: int, refunded: int = 0) -> Day:
    return Day(
        day=date(2026, 6, 30), revenue=Decimal(revenue), completed_orders=orders, refunded_amount=Decimal(refunded)
    )


def figures(now: Day, before: Day, *, comparable: bool = True) -> dict[str, Kpi]:
    data = RevenueByDay(period=PERIOD, current=(now,), previous=(before,), today=now, is_comparable=comparable)
    return {kpi.name: kpi for kpi in kpis(data, SUMMARY, Money("EUR"))}


def test_values_and_changes() -> None:
    found = figures(day(300, 2), day(200, 4))
    assert (found["Revenue"].value, found["Revenue"].exact) == ("€300", "€300.00")
    assert (found["Revenue"].delta.text, found["Revenue"].delta.mood) == ("50.0%", Mood.GOOD)
    assert (found["Completed orders"].delta.arrow, found["Completed orders"].delta.mood) == ("▼", Mood.BAD)
    assert (found["Average order"].value, found["Average order"].delta.text) == ("€150.00", "200.0%")
    assert (found["MRR"].value, found["MRR"].note) == ("€1.23k", "now, 1 paying customer")


def test_more_refunds_are_bad() -> None:
    assert figures(day(1, 1, refunded=20), day(1, 1, refunded=10))["Refunded"].delta.mood is Mood.BAD
    assert figures(day(1, 1, refunded=5), day(1, 1, refunded=10))["Refunded"].delta.mood is Mood.GOOD


def test_no_change_is_neither() -> None:
    delta = figures(day(10000, 1), day(10001, 1))["Revenue"].delta
    assert (delta.text, delta.arrow, delta.mood) == ("0.0%", "→", Mood.FLAT)


def test_nothing_to_compare() -> None:
    found = figures(day(5, 1), day(0, 0))
    assert found["Revenue"].delta is None
    assert figures(day(0, 0), day(5, 1))["Average order"].value == "\N{EN DASH}"
    assert all(kpi.delta is None for kpi in figures(day(5, 1), day(3, 1), comparable=False).values())
