"""Which customers changed monthly recurring revenue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class MrrChange:
    """One customer's change on one day."""

    day: date
    customer_id: int
    name: str | None
    movement: str
    amount: Decimal
    before: Decimal
    after: Decimal


def newest_mrr_changes(query: TenantQuery, *, limit: int) -> tuple[MrrChange, ...]:
    """Return the newest changes first; those of one day in order of the customer's number."""
    rows = query.rows(
        "SELECT m.day, m.customer_id, c.customer_name, m.movement, m.amount, m.mrr_before, m.mrr_after"
        " FROM gold.mrr_changes AS m"
        " LEFT JOIN gold.customer_lifetime_value AS c ON c.customer_id = m.customer_id"
        " ORDER BY m.day DESC, m.customer_id LIMIT ?",
        (limit,),
    )
    return tuple(
        MrrChange(
            day=day, customer_id=customer_id, name=name, movement=movement, amount=amount, before=before, after=after
        )
        for day, customer_id, name, movement, amount, before, after in cast(
            "tuple[tuple[date, int, str | None, str, Decimal, Decimal, Decimal], ...]", rows
        )
    )
