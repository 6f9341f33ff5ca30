"""Revenue and orders, day by day, with the stretch before for comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day's orders, by what became of them."""

    day: date
    orders: int = 0
    completed_orders: int = 0
    revenue: Decimal = Decimal(0)
    refunded_orders: int = 0
    refunded_amount: Decimal = Decimal(0)
    cancelled_orders: int = 0
    pending_amount: Decimal = Decimal(0)
    new_customers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over days."""

    completed_orders: int
    revenue: Decimal
    refunded_orders: int
    refunded_amount: Decimal
    pending_amount: Decimal
    new_customers: int

    @property
    def average_order_value(self) -> Decimal | None:
        """Revenue over completed orders; None without any."""
        return self.revenue / self.completed_orders if self.completed_orders else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueByDay:
    """Every day of a period, of the one before, and the running day. Days without orders are zeros."""

    period: Period
    current: tuple[Day, ...]
    previous: tuple[Day, ...]
    today: Day
    is_comparable: bool
    """Whether the tenant sold already when the stretch before began; else it is not whole."""


def revenue_by_day(query: TenantQuery, period: Period) -> RevenueByDay:
    """Return both stretches of days, in order."""
    rows = query.rows(
        "SELECT day, orders, completed_orders, revenue, refunded_orders, refunded_amount, cancelled_orders,"
        " pending_amount, new_customers FROM gold.daily_revenue WHERE day >= ? AND day <= ? ORDER BY day",
        (period.previous_start, period.today),
    )
    known = {}
    for row in rows:
        day, orders, completed, revenue, refunded, refunded_amount, cancelled, pending_amount, new = cast(
            "tuple[date, int, int, Decimal, int, Decimal, int, Decimal, int]", row
        )
        known[day] = Day(
            day=day,
            orders=orders,
            completed_orders=completed,
            revenue=revenue,
            refunded_orders=refunded,
            refunded_amount=refunded_amount,
            cancelled_orders=cancelled,
            pending_amount=pending_amount,
            new_customers=new,
        )

    ((first_day,),) = cast("tuple[tuple[date | None]]", query.rows("SELECT MIN(day) FROM gold.daily_revenue"))

    def stretch(start: date) -> tuple[Day, ...]:
        days = (start + timedelta(days=number) for number in range(period.days))
        return tuple(known.get(day, Day(day=day)) for day in days)

    return RevenueByDay(
        period=period,
        current=stretch(period.start),
        previous=stretch(period.previous_start),
        today=known.get(period.today, Day(day=period.today)),
        is_comparable=first_day is not None and first_day <= period.previous_start,
    )


def totals(days: Iterable[Day]) -> Totals:
    """Add days up."""
    days = tuple(days)
    return Totals(
        completed_orders=sum(day.completed_orders for day in days),
        revenue=sum((day.revenue for day in days), Decimal(0)),
        refunded_orders=sum(day.refunded_orders for day in days),
        refunded_amount=sum((day.refunded_amount for day in days), Decimal(0)),
        pending_amount=sum((day.pending_amount for day in days), Decimal(0)),
        new_customers=sum(day.new_customers for day in days),
    )


def change(current: Decimal | int | None, previous: Decimal | int | None) -> Decimal | None:
    """Return (current - previous) / abs(previous); None where that does not exist."""
    if current is None or not previous:
        return None
    return (Decimal(current) - Decimal(previous)) / abs(Decimal(previous))
