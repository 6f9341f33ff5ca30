"""An amount by month and by a name: the names that weigh most, and all others together.

The SQL holds names from declarations of charts alone, which are columns of the model file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from dashboards.metrics.over_time import Step
from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one name brought in one month."""

    month: date
    name: str | None
    """None: all names that weigh less than those named."""
    amount: Decimal


def amount_by_month(
    query: TenantQuery, period: Period, *, model: str, split: Sequence[str], amount: str, named: int
) -> tuple[Share, ...]:
    """Return the last twelve months in order, in each the names in order of their weight over all of them.

    Args:
        query: Whose rows.
        period: Of the page.
        model: Name of the model.
        split: Its columns that name a row, joined by a dot; rows of one name and month are added up.
        amount: Its column to add up.
        named: How many names to tell apart.
    """
    first, last = Step.MONTH.window(period)
    name = " || ' · ' || ".join(split)
    rows = query.rows(
        f"WITH shown AS (SELECT month, {name} AS name, {amount} AS amount FROM gold.{model}"
        " WHERE month >= ? AND month <= ?),"
        " ranked AS (SELECT name, SUM(amount) AS weight FROM shown GROUP BY name ORDER BY weight DESC, name LIMIT ?)"
        " SELECT s.month, r.name, MAX(r.weight) AS weight, SUM(s.amount) AS amount FROM shown AS s"
        " LEFT JOIN ranked AS r ON r.name = s.name GROUP BY s.month, r.name"
        " ORDER BY s.month, weight DESC NULLS LAST, r.name",
        (first, last, named),
    )
    found = cast("tuple[tuple[date, str | None, Decimal | None, Decimal], ...]", rows)
    return tuple(Share(month=month, name=name, amount=total) for month, name, _weight, total in found)
