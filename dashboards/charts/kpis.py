"""The row of numbers at the top: each with its change, its small line and its definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dashboards import formats
from dashboards.charts.spark import spark_points
from dashboards.formats import Money
from dashboards.metrics.revenue import Day, RevenueByDay, Totals, change, totals
from dashboards.metrics.summary import Summary

_FLAT = Decimal("0.0005")
"""Changes that would be shown as 0.0 %."""
_FITS_IN_FULL = 1000


class Mood(StrEnum):
    """How a change is taken."""

    GOOD = "good"
    BAD = "bad"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A change against the stretch before."""

    text: str
    arrow: str
    """Says the direction without colour."""
    mood: Mood


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One number."""

    name: str
    value: str
    exact: str
    """The value in full, for the tooltip and screen readers."""
    delta: Delta | None
    note: str
    """What stands where the change would, for a number that has none."""
    spark: str
    """Points of a small line over the period; may be empty."""
    definition: str


def kpis(data: RevenueByDay, summary: Summary, money: Money) -> tuple[Kpi, ...]:
    """Return the numbers of the overview.

    Args:
        data: Both stretches of days.
        summary: Totals, for what is true now rather than over the period.
        money: The tenant's currency.
    """
    now, before = totals(data.current), totals(data.previous)

    def kpi(
        name: str,
        value: Callable[[Totals], Decimal | int | None],
        written: Callable[[Decimal | int | None], tuple[str, str]],
        by_day: Callable[[Day], Decimal | int],
        definition: str,
        *,
        more_is: Mood = Mood.GOOD,
    ) -> Kpi:
        shown, exact = written(value(now))
        return Kpi(
            name=name,
            value=shown,
            exact=exact,
            delta=_delta(change(value(now), value(before)), more_is) if data.is_comparable else None,
            note="",
            spark=spark_points([float(by_day(day)) for day in data.current]),
            definition=definition,
        )

    def amount(value: Decimal | int | None) -> tuple[str, str]:
        return money.short(value), money.full(value)

    def average(value: Decimal | int | None) -> tuple[str, str]:
        fits = value is None or value < _FITS_IN_FULL
        return money.full(value) if fits else money.short(value), money.full(value)

    def number(value: Decimal | int | None) -> tuple[str, str]:
        exact = formats.count(None if value is None else int(value))
        return exact, exact

    return (
        kpi(
            "Revenue", lambda sums: sums.revenue, amount, lambda day: day.revenue,
            "Sum of the totals of completed orders, by the day of the order in your time zone.",
        ),
        kpi(
            "Completed orders", lambda sums: sums.completed_orders, number, lambda day: day.completed_orders,
            "Orders with status completed. Pending, cancelled and refunded orders are not counted.",
        ),
        kpi(
            "Average order", lambda sums: sums.average_order_value, average, _average,
            "Revenue divided by completed orders.",
        ),
        kpi(
            "New customers", lambda sums: sums.new_customers, number, lambda day: day.new_customers,
            "Customers whose first completed order ever was placed in the period.",
        ),
        kpi(
            "Refunded", lambda sums: sums.refunded_amount, amount, lambda day: day.refunded_amount,
            "Totals of the orders of the period that have been refunded since. They are not in revenue.",
            more_is=Mood.BAD,
        ),
        Kpi(
            name="MRR",
            value=money.short(summary.mrr),
            exact=money.full(summary.mrr),
            delta=None,
            note=f"now, {formats.plural(summary.paying_customers, 'paying customer')}",
            spark="",
            definition=(
                "Monthly recurring revenue: the monthly amounts of all subscriptions in force today, trials left out. "
                "It does not follow the period."
            ),
        ),
    )  # fmt: skip


def _average(day: Day) -> Decimal:
    return day.revenue / day.completed_orders if day.completed_orders else Decimal(0)


def _delta(ratio: Decimal | None, more_is: Mood) -> Delta | None:
    if ratio is None:
        return None
    if abs(ratio) < _FLAT:
        return Delta(text=formats.percent(0), arrow="→", mood=Mood.FLAT)
    less_is = Mood.BAD if more_is is Mood.GOOD else Mood.GOOD
    return Delta(
        text=formats.percent(abs(ratio)),
        arrow="▲" if ratio > 0 else "▼",
        mood=more_is if ratio > 0 else less_is,
    )
