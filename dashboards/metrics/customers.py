"""Customers: how many came each month, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery

MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Who came in one month."""

    month: date
    signups: int = 0
    signups_converted: int = 0
    new_customers: int = 0
    is_running: bool = False
    """The month the data stands in: unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenth:
    """A tenth of the customers, the first being those worth most."""

    number: int
    customers: int
    value: Decimal
    least: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TopCustomer:
    """One of the customers worth most."""

    rank: int
    customer_id: int
    name: str
    completed_orders: int
    order_revenue: Decimal
    subscription_revenue: Decimal
    lifetime_value: Decimal
    last_order_day: date | None


def acquisition_by_month(query: TenantQuery, period: Period) -> tuple[Month, ...]:
    """Return the last twelve months in which the tenant traded, gaps filled with zeros."""
    running = period.today.replace(day=1)
    rows = query.rows(
        "SELECT month, signups, signups_converted, new_customers FROM gold.customer_acquisition_monthly"
        " WHERE month >= ? AND month <= ? ORDER BY month",
        (_months_before(running, MONTHS_SHOWN - 1), running),
    )
    known = {}
    for row in rows:
        month, signups, converted, new = cast("tuple[date, int, int, int]", row)
        known[month] = Month(
            month=month,
            signups=signups,
            signups_converted=converted,
            new_customers=new,
            is_running=month == running,
        )
    if not known:
        return ()
    months = [running]
    while months[-1] > min(known):
        months.append(_months_before(months[-1], 1))
    return tuple(known.get(month, Month(month=month, is_running=month == running)) for month in reversed(months))


def value_by_tenth(query: TenantQuery) -> tuple[Tenth, ...]:
    """Return the customers in ten equal groups by lifetime value, the most valuable first."""
    rows = query.rows(
        "SELECT tenth, COUNT(*) AS customers, SUM(lifetime_value) AS value, MIN(lifetime_value) AS least,"
        " MAX(lifetime_value) AS most FROM ("
        "SELECT lifetime_value, NTILE(10) OVER (ORDER BY lifetime_value DESC, customer_id) AS tenth"
        " FROM gold.customer_lifetime_value) AS ranked GROUP BY tenth ORDER BY tenth"
    )
    return tuple(
        Tenth(number=number, customers=customers, value=value, least=least, most=most)
        for number, customers, value, least, most in cast(
            "tuple[tuple[int, int, Decimal, Decimal, Decimal], ...]", rows
        )
    )


def top_customers(query: TenantQuery, *, limit: int) -> tuple[TopCustomer, ...]:
    """Return the customers worth most; equal values in order of their number."""
    rows = query.rows(
        "SELECT value_rank, customer_id, customer_name, completed_orders, order_revenue, subscription_revenue,"
        " lifetime_value, last_order_day FROM gold.customer_lifetime_value"
        " ORDER BY lifetime_value DESC, customer_id LIMIT ?",
        (limit,),
    )
    return tuple(
        TopCustomer(
            rank=rank,
            customer_id=customer_id,
            name=name,
            completed_orders=orders,
            order_revenue=order_revenue,
            subscription_revenue=subscription_revenue,
            lifetime_value=value,
            last_order_day=last,
        )
        for rank, customer_id, name, orders, order_revenue, subscription_revenue, value, last in cast(
            "tuple[tuple[int, int, str, int, Decimal, Decimal, Decimal, date | None], ...]", rows
        )
    )


def _months_before(month: date, number: int) -> date:
    index = month.year * 12 + month.month - 1 - number
    return date(index // 12, index % 12 + 1, 1)
