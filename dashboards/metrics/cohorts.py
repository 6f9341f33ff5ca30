"""Cohorts: customers by the month of their first purchase, and how many of them still buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from dashboards.metrics.over_time import Step
from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortMonth:
    """One cohort in one month of its life."""

    cohort: date
    number: int
    """Months since the first purchase."""
    size: int
    customers: int | None
    """None while the month runs."""
    customer_retention: float | None
    revenue: Decimal | None
    revenue_retention: float | None


def cohorts_of_a_year(query: TenantQuery, period: Period) -> tuple[CohortMonth, ...]:
    """Return the cohorts of the last twelve months, oldest first, each from month 0."""
    first, _ = Step.MONTH.window(period)
    rows = query.rows(
        "SELECT cohort_month, month_number, cohort_size, customers, customer_retention, revenue, revenue_retention"
        " FROM gold.cohort_retention WHERE cohort_month >= ? ORDER BY cohort_month, month_number",
        (first,),
    )
    return tuple(
        CohortMonth(
            cohort=cohort,
            number=number,
            size=size,
            customers=customers,
            customer_retention=customer_retention,
            revenue=revenue,
            revenue_retention=revenue_retention,
        )
        for cohort, number, size, customers, customer_retention, revenue, revenue_retention in cast(
            "tuple[tuple[date, int, int, int | None, float | None, Decimal | None, float | None], ...]", rows
        )
    )
