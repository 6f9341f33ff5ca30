"""Rows of one model over time: every step between the first and the last, whether or not the model has a row for it.

The SQL holds names from the model file alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import cast

from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery
from etl.gold.model import TENANT_COLUMN, GoldModel
from etl.ports.query_engine import Value

MONTHS_SHOWN = 12
WEEKS_SHOWN = 26
_WEEK_DAYS = 7


class Step(StrEnum):
    """What one row stands for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start(self, day: date) -> date:
        """Return the first day of the step that ``day`` lies in."""
        if self is Step.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Step.MONTH else day

    def back(self, first_day: date, steps: int) -> date:
        """Return the first day of the step ``steps`` before the one that begins at ``first_day``."""
        if self is Step.MONTH:
            index = first_day.year * 12 + first_day.month - 1 - steps
            return date(index // 12, index % 12 + 1, 1)
        return first_day - timedelta(days=steps * (_WEEK_DAYS if self is Step.WEEK else 1))

    def window(self, period: Period) -> tuple[date, date]:
        """Return the first and the last step that a chart shows; days are those of the page's period."""
        last = self.start(period.today)
        shown = {Step.DAY: period.days, Step.WEEK: WEEKS_SHOWN - 1, Step.MONTH: MONTHS_SHOWN - 1}[self]
        return self.back(last, shown), last


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One step."""

    start: date
    values: tuple[Value, ...]
    """In the order of the columns asked for."""
    is_running: bool
    """Whether the data stands inside it: unfinished."""


def over_time(
    query: TenantQuery,
    period: Period,
    *,
    model: GoldModel,
    by: str,
    step: Step,
    columns: Sequence[str],
    nothing: Sequence[Value],
) -> tuple[Moment, ...]:
    """Return the steps from the first that the model knows, in order; empty if it knows none.

    Whatever the columns, the question is the same: charts of one model on one page ask once.

    Args:
        query: Whose rows.
        period: Of the page.
        model: The model, whose rows are one a step.
        by: Its column that holds the step's first day.
        step: How long a step is.
        columns: What to return of it.
        nothing: The values of a step for which the model has no row.
    """
    first, last = step.window(period)
    asked = [name for name in model.column_names if name != TENANT_COLUMN]
    rows = query.rows(
        f"SELECT {', '.join(asked)} FROM {model.table} WHERE {by} >= ? AND {by} <= ? ORDER BY {by}", (first, last)
    )
    places = [asked.index(name) for name in columns]
    known = {cast("date", row[asked.index(by)]): tuple(row[place] for place in places) for row in rows}
    if not known:
        return ()
    return tuple(
        Moment(start=start, values=known.get(start, tuple(nothing)), is_running=start == last)
        for start in _steps(min(known), last, step)
    )


def _steps(first: date, last: date, step: Step) -> Iterator[date]:
    start = first
    while start <= last:
        yield start
        start = step.back(start, -1)
