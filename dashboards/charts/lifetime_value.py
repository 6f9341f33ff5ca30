"""How customers' worth is spread: tenths of the customers, and those worth most."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.figure import GHOST, SERIES, Figure, figure
from dashboards.formats import Money
from dashboards.metrics.customers import Tenth, TopCustomer


def tenths_figure(tenths: Sequence[Tenth], money: Money) -> Figure:
    """Return each tenth's share of all lifetime value; the first tenth stands out."""
    bars = go.Bar(
        x=[_name(tenth, tenths) for tenth in tenths],
        y=[float(share) * 100 for share in shares(tenths)],
        customdata=[
            f"{formats.percent(share)} of all value<br>"
            f"{formats.plural(tenth.customers, 'customer')}, "
            f"{money.short(tenth.least)} to {money.short(tenth.most)} each"
            for tenth, share in zip(tenths, shares(tenths), strict=True)
        ],
        hovertemplate="<b>%{x} tenth</b><br>%{customdata}<extra></extra>",
        marker={"color": [SERIES, *[GHOST] * (len(tenths) - 1)], "cornerradius": 3},
    )
    return figure(
        [bars],
        x={"type": "category", "tickangle": 0},
        y={"ticksuffix": "%", "rangemode": "tozero", "nticks": 5},
        hovermode="closest",
    )


def tenths_summary(tenths: Sequence[Tenth]) -> str:
    """Return what the figure shows, in one sentence."""
    if not tenths or not sum(tenth.value for tenth in tenths):
        return "No customer has bought anything yet."
    share, *_ = shares(tenths)
    return (
        f"The most valuable tenth, {formats.plural(tenths[0].customers, 'customer')}, "
        f"brought {formats.percent(share, places=0)} of all lifetime value."
    )


def tenths_rows(tenths: Sequence[Tenth]) -> tuple[tuple[object, ...], ...]:
    """Return the table: one row for each tenth."""
    return tuple(
        (tenth.number, tenth.customers, tenth.value, share, tenth.least, tenth.most)
        for tenth, share in zip(tenths, shares(tenths), strict=True)
    )


def shares(tenths: Sequence[Tenth]) -> tuple[Decimal, ...]:
    """Return each tenth's part of all value, adding up to 1; zeros if there is no value."""
    whole = sum((tenth.value for tenth in tenths), Decimal(0))
    return tuple(tenth.value / whole if whole else Decimal(0) for tenth in tenths)


def top_customers_summary(customers: Sequence[TopCustomer], money: Money) -> str:
    """Return what the table shows, in one sentence."""
    if not customers or not customers[0].lifetime_value:
        return "No customer has bought anything yet."
    first = customers[0]
    sources = formats.plural(first.completed_orders, "order")
    if first.subscription_revenue:
        sources += " and subscriptions"
    return f"{first.name} is worth most: {money.full(first.lifetime_value)} from {sources}."


def top_customers_rows(customers: Sequence[TopCustomer]) -> tuple[tuple[object, ...], ...]:
    """Return the table: most valuable first."""
    return tuple(
        (
            each.rank, each.customer_id, each.name, each.completed_orders, each.order_revenue,
            each.subscription_revenue, each.lifetime_value, each.last_order_day,
        )
        for each in customers
    )  # fmt: skip


def _name(tenth: Tenth, tenths: Sequence[Tenth]) -> str:
    if tenth.number == 1:
        return "Top"
    return "Last" if tenth is tenths[-1] else f"{tenth.number}."
