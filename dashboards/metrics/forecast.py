"""What the next weeks are likely to bring, with the days that came before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import cast

from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery

PAST_DAYS = 56
_Row = tuple[date, float, float, float, float, float, str, float, float, float, date, str]


class Forecasted(StrEnum):
    """What is forecast, as `gold.daily_forecast` names it."""

    REVENUE = "revenue"
    ACTIVE_CUSTOMERS = "active_customers"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAhead:
    """One day that has not been yet."""

    day: date
    value: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTest:
    """How the forecast's method did when the past was predicted."""

    method: str
    error: float
    """Mean absolute error of a day."""
    baseline_error: float
    """The same of "like the same weekday of the week before"."""
    coverage_80: float
    trained_to: date
    model_version: str

    @property
    def beats_the_baseline(self) -> bool:
        """Whether the method erred less than repeating the last week."""
        return self.error < self.baseline_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The days ahead and the days before."""

    past: tuple[tuple[date, float], ...]
    ahead: tuple[DayAhead, ...]
    """Empty while there is too little history."""
    tested: BackTest | None
    history_days: int
    """Complete days since the first value."""


def revenue_outlook(query: TenantQuery, period: Period) -> Outlook:
    """Return the forecast of revenue."""
    rows = query.rows(
        "SELECT day, revenue, MIN(day) OVER () AS first_day FROM gold.daily_revenue WHERE day < ?"
        " ORDER BY day DESC LIMIT ?",
        (period.today, PAST_DAYS),
    )
    return _outlook(query, period, rows, Forecasted.REVENUE)


def active_customers_outlook(query: TenantQuery, period: Period) -> Outlook:
    """Return the forecast of customers with any event in a day."""
    rows = query.rows(
        "SELECT day, daily_active, MIN(day) OVER () AS first_day FROM gold.daily_active_customers WHERE day < ?"
        " ORDER BY day DESC LIMIT ?",
        (period.today, PAST_DAYS),
    )
    return _outlook(query, period, rows, Forecasted.ACTIVE_CUSTOMERS)


def days_ahead(query: TenantQuery, what: Forecasted) -> tuple[tuple[DayAhead, ...], BackTest | None]:
    """Return the forecast itself, in order of days; nothing if there is none."""
    rows = query.rows(
        "SELECT day, forecast, lower_80, upper_80, lower_95, upper_95, method, error, baseline_error, coverage_80,"
        " trained_to, model_version FROM gold.daily_forecast WHERE series = ? ORDER BY day",
        (what.value,),
    )
    found = cast("tuple[_Row, ...]", rows)
    if not found:
        return (), None
    *_, method, error, baseline_error, coverage, trained_to, version = found[0]
    tested = BackTest(
        method=method,
        error=error,
        baseline_error=baseline_error,
        coverage_80=coverage,
        trained_to=trained_to,
        model_version=version,
    )
    ahead = tuple(
        DayAhead(day=day, value=value, lower_80=lower_80, upper_80=upper_80, lower_95=lower_95, upper_95=upper_95)
        for day, value, lower_80, upper_80, lower_95, upper_95, *_ in found
    )
    return ahead, tested


def _outlook(query: TenantQuery, period: Period, rows: tuple[tuple[object, ...], ...], what: Forecasted) -> Outlook:
    found = cast("tuple[tuple[date, Decimal | int, date], ...]", rows)
    ahead, tested = days_ahead(query, what)
    values = {day: float(value) for day, value, _ in found}
    first = found[0][2] if found else period.today
    start = max(first, period.today - timedelta(days=PAST_DAYS))
    days = (start + timedelta(days=number) for number in range((period.today - start).days))
    return Outlook(
        past=tuple((day, values.get(day, 0.0)) for day in days),
        ahead=ahead,
        tested=tested,
        history_days=(period.today - first).days,
    )
