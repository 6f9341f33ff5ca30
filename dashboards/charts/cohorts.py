"""Cohorts as a table of shaded cells: a picture whose every number can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dashboards import formats
from dashboards.charts.chart import Grid, Shaded
from dashboards.metrics.cohorts import CohortMonth

_SHADES = 10
_Retention = Callable[[CohortMonth], float | None]


def customers_grid(months: Sequence[CohortMonth]) -> Grid:
    """Return which part of each cohort bought in each month of its life, and of all cohorts together."""
    grid = _grid(months, lambda month: month.customer_retention)
    numbers = _numbers(months)
    means = tuple(_cell(mean_retention(months, number)) for number in numbers)
    name = Shaded(text="All together")
    size = Shaded(text=formats.count(sum(month.size for month in months if month.number == 0)))
    return Grid(titles=grid.titles, rows=(*grid.rows, (name, size, *means)))


def revenue_grid(months: Sequence[CohortMonth]) -> Grid:
    """Return each cohort's revenue in each month of its life against that of its first month."""
    return _grid(months, lambda month: month.revenue_retention)


def mean_retention(months: Sequence[CohortMonth], number: int) -> float | None:
    """Return the part of all customers who bought ``number`` months later, over cohorts that are that old."""
    old = [month for month in months if month.number == number and month.customers is not None]
    size = sum(month.size for month in old)
    return sum(month.customers or 0 for month in old) / size if size else None


def cohorts_summary(months: Sequence[CohortMonth]) -> str:
    """Return what the customers' table shows, in one sentence."""
    if not months:
        return "Nobody has bought anything yet."
    first, third = mean_retention(months, 1), mean_retention(months, 3)
    if first is None:
        return "The first cohort is still in its first month."
    later = "" if third is None else f", and {formats.percent(third, places=0)} three months later"
    return f"Of all first-time buyers {formats.percent(first, places=0)} bought again in the month after{later}."


def revenue_cohorts_summary(months: Sequence[CohortMonth]) -> str:
    """Return what the revenue's table shows, in one sentence."""
    followed = [month for month in months if month.number == 1 and month.revenue_retention is not None]
    if not followed:
        return cohorts_summary(months)
    best = max(followed, key=lambda month: month.revenue_retention or 0)
    return (
        f"The month after its first purchases the cohort of {formats.month(best.cohort)} kept most: "
        f"{formats.percent(best.revenue_retention, places=0)} of its first month's revenue."
    )


def cohort_rows(months: Sequence[CohortMonth]) -> tuple[tuple[object, ...], ...]:
    """Return one row a cohort and month."""
    return tuple(
        (
            each.cohort, each.number, each.size, each.customers, each.customer_retention, each.revenue,
            each.revenue_retention,
        )
        for each in months
    )  # fmt: skip


def _grid(months: Sequence[CohortMonth], retention: _Retention) -> Grid:
    by_place = {(month.cohort, month.number): month for month in months}
    sizes = {month.cohort: month.size for month in months}
    numbers = _numbers(months)
    rows = []
    for cohort, size in sizes.items():
        cells = [by_place.get((cohort, number)) for number in numbers]
        shaded = [Shaded(text="") if month is None else _cell(retention(month)) for month in cells]
        rows.append((Shaded(text=formats.month(cohort)), Shaded(text=formats.count(size)), *shaded))
    return Grid(titles=("First purchase", "Buyers", *(f"+{number}" for number in numbers)), rows=tuple(rows))


def _numbers(months: Sequence[CohortMonth]) -> range:
    """Return the months of life that at least one cohort has completed; month 0 in any case."""
    return range(1 + max((month.number for month in months if month.customers is not None), default=0))


def _cell(ratio: float | None) -> Shaded:
    if ratio is None:
        return Shaded(text="")
    return Shaded(text=formats.percent(ratio, places=0), shade=min(_SHADES, round(ratio * _SHADES)))
