"""The tenant's one row of totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast

from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Totals since the beginning, and the subscriptions in force now."""

    customers: int
    orders: int
    completed_orders: int
    revenue: Decimal
    active_subscriptions: int
    paying_customers: int
    mrr: Decimal
    first_order_at: datetime | None
    last_order_at: datetime | None


def tenant_summary(query: TenantQuery) -> Summary | None:
    """Return the tenant's totals; None if the publication does not know the tenant yet."""
    rows = query.rows(
        "SELECT customers, orders, completed_orders, revenue, active_subscriptions, paying_customers, mrr,"
        " first_order_at, last_order_at FROM gold.tenant_summary"
    )
    if not rows:
        return None
    ((customers, orders, completed, revenue, subscriptions, paying, mrr, first, last),) = cast(
        "tuple[tuple[int, int, int, Decimal, int, int, Decimal, datetime | None, datetime | None]]", rows
    )
    return Summary(
        customers=customers,
        orders=orders,
        completed_orders=completed,
        revenue=revenue,
        active_subscriptions=subscriptions,
        paying_customers=paying,
        mrr=mrr,
        first_order_at=first,
        last_order_at=last,
    )
