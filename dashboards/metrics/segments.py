"""Customers by segment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one segment's customers have in common."""

    name: str
    customers: int
    revenue: Decimal
    """Of the last 365 days."""
    average_days_since_last_order: float | None


def customers_by_segment(query: TenantQuery) -> tuple[Segment, ...]:
    """Return every segment that has customers, the largest first."""
    rows = query.rows(
        "SELECT segment, COUNT(*) AS customers, SUM(revenue) AS revenue, AVG(days_since_last_order) AS days"
        " FROM gold.customer_segments GROUP BY segment ORDER BY customers DESC, segment"
    )
    return tuple(
        Segment(name=name, customers=customers, revenue=revenue or Decimal(0), average_days_since_last_order=days)
        for name, customers, revenue, days in cast("tuple[tuple[str, int, Decimal | None, float | None], ...]", rows)
    )
