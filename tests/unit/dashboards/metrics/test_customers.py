"""Customers by month, by tenth, by worth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from dashboards.metrics.customers import Month, acquisition_by_month, top_customers, value_by_tenth
from dashboards.metrics.period import Period
from tests.unit.dashboards.gold import GoldInMemory, order

PERIOD = Period(days=30, today=date(2026, 7, 1))


def customers(*signups: str) -> list[dict[str, object]]:
    return [
        {"id": number, "tenant_id": 1, "name": f"C{number}", "created_at": f"{day}T12:00:00Z"}
        for number, day in enumerate(signups, start=1)
    ]


def test_months_without_anybody_are_zeros_and_the_running_month_is_marked() -> None:
    gold = GoldInMemory({"tenants": [{"id": 1}], "customers": customers("2026-04-02", "2026-06-05")})
    assert acquisition_by_month(gold, PERIOD) == (
        Month(month=date(2026, 4, 1), signups=1),
        Month(month=date(2026, 5, 1)),
        Month(month=date(2026, 6, 1), signups=1),
        Month(month=date(2026, 7, 1), is_running=True),
    )


def test_at_most_a_year_is_shown() -> None:
    gold = GoldInMemory({"tenants": [{"id": 1}], "customers": customers("2025-07-31", "2025-08-01", "2026-07-01")})
    months = acquisition_by_month(gold, PERIOD)
    assert (len(months), months[0].month, months[-1].signups) == (12, date(2025, 8, 1), 1)


def test_nobody_yet() -> None:
    gold = GoldInMemory({"tenants": [{"id": 1}]})
    assert acquisition_by_month(gold, PERIOD) == ()
    assert value_by_tenth(gold) == ()
    assert top_customers(gold, limit=10) == ()


def test_tenths_are_equal_groups_the_most_valuable_first() -> None:
    people = customers(*["2026-01-01"] * 20)
    orders = [order(number, "06-01", f"{number}.00", customer_id=number) for number in range(1, 21)]
    tenths = value_by_tenth(GoldInMemory({"tenants": [{"id": 1}], "customers": people, "orders": orders}))
    assert [tenth.customers for tenth in tenths] == [2] * 10
    assert (tenths[0].value, tenths[0].least, tenths[0].most) == (Decimal(39), Decimal(19), Decimal(20))
    assert (tenths[-1].value, tenths[-1].least, tenths[-1].most) == (Decimal(3), Decimal(1), Decimal(2))


def test_top_customers_in_order_ties_by_number() -> None:
    people = customers("2026-01-01", "2026-01-01", "2026-01-01")
    orders = [order(1, "06-01", "5.00", customer_id=3), order(2, "06-01", "5.00", customer_id=2)]
    top = top_customers(GoldInMemory({"tenants": [{"id": 1}], "customers": people, "orders": orders}), limit=2)
    assert [(each.rank, each.name, each.last_order_day) for each in top] == [
        (1, "C2", date(2026, 6, 1)),
        (1, "C3", date(2026, 6, 1)),
    ]
